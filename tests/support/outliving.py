"""A runner whose runs go on when the processor dies, as containers and jobs do: processes, found again by files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mercure.runners import RunnerCheck, RunOutcome, RunRequest, RunStatus, contract_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercure.config.processing import Processing
    from mercure.runners import Run

# The code is there before the process is gone, so "no process and no code" can only mean that it was killed.
_WRAPPED = 'sh -c "$1"; echo $? > "$2.tmp"; mv "$2.tmp" "$2"'


class OutlivingRunner:
    """Starts processes of their own session; whether one is there, its folder says."""

    outlives = True
    guards_inputs = False
    local = True

    def __init__(self, settings: Processing) -> None:
        self._settings = settings

    def check(self) -> RunnerCheck:
        """Say that all is well."""
        return RunnerCheck(ok=True, text="a test's own")

    def prepare(self, image: str, archive: Path | None, stopping: Callable[[], bool]) -> None:
        """There is nothing to fetch."""

    def start(self, request: RunRequest) -> Run:
        """Start it, and write down that it was."""
        with open(request.folder.parent / "starts.txt", "a", encoding="ascii") as starts:
            starts.write(f"{request.name}\n")
        environment = {**os.environ, **contract_environment(str(request.inputs), str(request.outputs))}
        command = ["/bin/sh", "-c", _WRAPPED, "sh", request.arguments[1], str(request.folder / "code")]
        with open(request.log, "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        _reap(process)
        (request.folder / "pid").write_text(str(process.pid), encoding="ascii")
        return _Outliving(request, process.pid)

    def attach(self, request: RunRequest) -> Run | None:
        """Find it by its file."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return _Outliving(request, int((request.folder / "pid").read_text(encoding="ascii")))
        return None


class _Outliving:
    def __init__(self, request: RunRequest, process: int) -> None:
        self._request, self._process = request, process
        self._started = datetime.now(UTC)

    def wait(self, seconds: float) -> RunStatus:
        deadline = time.monotonic() + seconds
        while True:
            outcome = self._outcome()
            if outcome is not None:
                return RunStatus(state="ended", started=self._started, outcome=outcome)
            if time.monotonic() > deadline:
                return RunStatus(state="running", started=self._started)
            time.sleep(0.01)

    def _outcome(self) -> RunOutcome | None:
        alive = Path(f"/proc/{self._process}").is_dir()
        with contextlib.suppress(FileNotFoundError, ValueError):
            return RunOutcome(how="exited", code=int((self._request.folder / "code").read_text(encoding="ascii")))
        return None if alive else RunOutcome(how="lost", text="it is gone, and nobody knows how")

    def stop(self, how: Literal["time", "output", "memory", "stopped"]) -> RunOutcome:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        return RunOutcome(how=how, text="stopped")

    def collect(self) -> None:
        pass

    def clean_up(self) -> None:
        (self._request.folder / "pid").unlink(missing_ok=True)


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Leave it to the kernel: nobody waits for it here, and after a kill nobody could."""
    process.returncode = 0
