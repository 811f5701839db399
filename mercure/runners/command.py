"""The runner ``command``: a local program, shut in by bubblewrap (``bwrap``).

It sees the system's programs and libraries read-only, its own folders, a private ``/tmp`` and no network; it has a
process namespace of its own, so that nothing of it can outlive its end. A run ends with its processor (bwrap's
``--die-with-parent``), and what is left of it in the moment after a kill holds a lock for which the next one waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Literal

from mercure.config.processing import Processing
from mercure.locks import try_lock
from mercure.programs import run_program
from mercure.runners.base import (
    ImageMissingError,
    Run,
    RunnerCheck,
    RunnerUnavailableError,
    RunOutcome,
    RunRequest,
    RunStatus,
)
from mercure.runners.bounded_log import BoundedLog
from mercure.runners.proc import memory_of_tree
from mercure.runners.sandbox import environment, folders, inner_limits, namespaces, system
from mercure.runners.seccomp import filter_descriptor, filtered

LOCK: Final = "run.lock"
"""Locked for as long as anything of a run lives. A file, where everything else locks folders: the sandbox's first
process holds it open, and out of an open folder a module could find its way."""

WATCH_SECONDS: Final = 0.5
"""The memory of a run's processes is added up this often."""

LEFT_SECONDS: Final = 10.0
"""What a dead processor left ends within an instant; after this time something is wrong."""

_MISSING: Final = "install Debian's package 'bubblewrap'"
_CHUNK: Final = 65536
_SIGNALLED: Final = 128
_SIGNAL_CODES: Final = range(_SIGNALLED + 1, _SIGNALLED + signal.NSIG)


class CommandRunner:
    """Runs programs of this machine.

    Parameters
    ----------
    settings : Processing
        What all modules share.
    bwrap : str
        The sandbox's program.
    """

    outlives = False
    guards_inputs = True
    local = True

    def __init__(self, settings: Processing, bwrap: str = "bwrap") -> None:
        self._settings = settings
        self._bwrap = bwrap

    def check(self) -> RunnerCheck:
        """Run ``true`` in a sandbox."""
        calls = filter_descriptor()
        try:
            program = self._program()
            sandbox = [program, *namespaces(network=False), *system(), *filtered(calls), "--", "/usr/bin/true"]
            done = run_program(sandbox, seconds=10, pass_fds=calls)
        except RunnerUnavailableError as error:
            return RunnerCheck(ok=False, text=str(error))
        except (OSError, subprocess.TimeoutExpired) as error:
            return RunnerCheck(ok=False, text=f"bwrap does not work: {error}")
        finally:
            for descriptor in calls:
                os.close(descriptor)
        if done.returncode:
            said = done.stderr.strip()[:500]
            needed = "the kernel must allow user namespaces and seccomp to this user"
            return RunnerCheck(ok=False, text=f"bwrap does not work: {said}; {needed}")
        open_calls = "" if calls else "; without a filter of system calls, which is not known for this processor"
        return RunnerCheck(ok=True, text=f"{program} shuts programs in{open_calls}")

    def prepare(self, image: str, archive: Path | None, stopping: Callable[[], bool]) -> None:
        """Look whether the program is there."""
        check = self.check()
        if not check.ok:
            raise RunnerUnavailableError(check.text)
        _find(image)

    def start(self, request: RunRequest) -> Run:
        """Start the program."""
        _find(request.image)
        lock = os.open(request.folder / LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400)
        try:
            if not try_lock(lock):
                raise RunnerUnavailableError("a run of the same name is still ending")
            return _CommandRun(request, *self._start(request, lock))
        finally:
            os.close(lock)

    def _start(self, request: RunRequest, lock: int) -> tuple[subprocess.Popen[bytes], int | None]:
        program = self._program()  # before the descriptors: it raises where bubblewrap is missing
        reading, writing = os.pipe2(os.O_CLOEXEC)
        calls = filter_descriptor(shared_memory=request.shared_memory)
        arguments = [
            *_within_limits(program, request),
            *namespaces(network=request.network),
            *system(request.limits.memory_bytes),
            *folders(request),
            *("--sync-fd", str(lock), "--info-fd", str(writing), *filtered(calls), "--"),
            *inner_limits(request),
            request.image,
            *request.arguments,
        ]
        with os.fdopen(reading, "rb") as information:
            try:
                # The process dies with this thread, which stays with it to its end (PR_SET_PDEATHSIG goes by threads).
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=environment(request),
                    pass_fds=(lock, writing, *calls),
                    start_new_session=True,
                )
            except OSError as error:
                raise RunnerUnavailableError(f"bwrap cannot be started: {error}") from error
            finally:
                for descriptor in (writing, *calls):
                    os.close(descriptor)
            return process, _first_process(information.read())

    def attach(self, request: RunRequest) -> Run | None:
        """Wait until what a dead processor left has ended."""
        try:
            lock = os.open(request.folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        deadline = time.monotonic() + LEFT_SECONDS
        try:
            while not try_lock(lock):
                if time.monotonic() > deadline:
                    text = "what an earlier processor started has not ended; see its processes with 'ps'"
                    raise RunnerUnavailableError(text)
                time.sleep(0.05)
        finally:
            os.close(lock)
        return None

    def _program(self) -> str:
        program = shutil.which(self._bwrap)
        if program is None:
            raise RunnerUnavailableError(f"the program {self._bwrap!r} is not there: {_MISSING}")
        return program


class _CommandRun:
    """A program in its sandbox, watched by the thread that started it.

    Parameters
    ----------
    request : RunRequest
        The request of the run.
    process : Popen
        bwrap, outside of the sandbox.
    first : int or None
        A pidfd of the sandbox's first process; None where that has ended already.
    """

    def __init__(self, request: RunRequest, process: subprocess.Popen[bytes], first: int | None) -> None:
        self._request = request
        self._process = process
        self._first = first
        self._started = datetime.now(UTC)
        self._begun = time.monotonic()
        self._outcome: RunOutcome | None = None
        self._log_error: OSError | None = None
        self._reader = threading.Thread(target=self._read_log, name=f"log of {request.name}", daemon=True)
        self._reader.start()

    def wait(self, seconds: float) -> RunStatus:
        """Wait, and look after the memory meanwhile."""
        deadline = time.monotonic() + seconds
        while self._outcome is None:
            rest = deadline - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, min(rest, WATCH_SECONDS)))
            if self._process.returncode is not None:
                self._outcome = self._ended()
            elif memory_of_tree(self._process.pid) > self._request.limits.memory_bytes:
                self.stop("memory")
            elif rest <= 0:
                return RunStatus(state="running", started=self._started, where=f"process {self._process.pid}")
        return RunStatus(state="ended", started=self._started, outcome=self._outcome)

    def stop(self, how: Literal["time", "output", "memory", "stopped"]) -> RunOutcome:
        """Ask the program, then end its whole process namespace."""
        if self._outcome is not None:
            return self._outcome
        if self._process.poll() is None and how != "memory":
            _ask(self._process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._request.grace_seconds)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        ended = self._ended()
        self._outcome = ended.model_copy(update={"how": how, "text": _STOPPED[how]})
        return self._outcome

    def collect(self) -> None:
        """Everything is where it belongs; only the log may be on its way."""
        self._wait_for_rest()
        self._reader.join(LEFT_SECONDS)

    def clean_up(self) -> None:
        """Nothing is kept."""

    def _ended(self) -> RunOutcome:
        self._wait_for_rest()
        seconds = round(time.monotonic() - self._begun, 3)
        code = self._process.returncode
        # bwrap ends with 128 + number where its program was killed by a signal.
        number = -code if code < 0 else code - _SIGNALLED if code in _SIGNAL_CODES else 0
        if number == signal.SIGXFSZ:
            return RunOutcome(how="output", code=-number, text=_STOPPED["output"], seconds=seconds)
        if number:
            text = f"it was killed by signal {number} ({_signal_name(number)})"
            return RunOutcome(how="killed", code=-number, text=text, seconds=seconds)
        text = "" if code == 0 else f"it ended with exit code {code}"
        return RunOutcome(how="exited", code=code, text=text, seconds=seconds)

    def _wait_for_rest(self) -> None:
        """Wait until the kernel has ended all processes of the sandbox.

        The first one ends, for its parent, after all others (pid_namespaces(7)). Its files are closed before that,
        so that the lock says too early that nothing is left.
        """
        if self._first is None:
            return
        ended = select.poll()
        ended.register(self._first, select.POLLIN)
        if not ended.poll(LEFT_SECONDS * 1000):
            raise RunnerUnavailableError("processes of the run have not ended")
        os.close(self._first)
        self._first = None

    def _read_log(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            try:
                with BoundedLog(self._request.log, self._request.limits.log_bytes) as log:
                    for data in _chunks(stream):
                        log.add(data)
            except OSError as error:
                self._log_error = error
                for _ in _chunks(stream):
                    pass  # a module must not block because its log cannot be written


_STOPPED: Final[dict[str, str]] = {
    "time": "it took longer than its time limit and was stopped",
    "output": "it wrote more than its output limit and was stopped",
    "memory": "it used more than its memory limit and was stopped",
    "stopped": "it was stopped",
}


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with contextlib.suppress(ValueError):
        while data := os.read(stream.fileno(), _CHUNK):
            yield data


def _first_process(information: bytes) -> int | None:
    """Return a pidfd of the first process of a sandbox, by what bwrap tells of it (``--info-fd``)."""
    try:
        return os.pidfd_open(json.loads(information)["child-pid"])
    except (ValueError, ProcessLookupError):
        return None  # bwrap could not make the sandbox, or its program has ended already


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _find(program: str) -> None:
    if not os.path.isfile(program):
        raise ImageMissingError(f"there is no program {program!r}: install it, or correct 'image' of the module")
    if not os.access(program, os.X_OK):
        raise ImageMissingError(f"the program {program!r} may not be executed: correct its rights")


def _ask(sandbox: int) -> None:
    """Send TERM to the program itself: a signal to bwrap would end bwrap, and kill the program without a warning."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        first = _children(sandbox)[0]
        for child in _children(first):
            os.kill(child, signal.SIGTERM)


def _children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


def _within_limits(program: str, request: RunRequest) -> list[str]:
    """Set what may be set before the namespaces are made: which cores the run may use."""
    allowed = sorted(os.sched_getaffinity(0))
    wanted = max(1, min(len(allowed), int(request.limits.cores + 0.999)))
    first = sum(request.name.encode()) % len(allowed)
    cores = ",".join(str(allowed[(first + number) % len(allowed)]) for number in range(wanted))
    return ["/usr/bin/taskset", "--cpu-list", cores, program]
