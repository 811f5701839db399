"""The runner ``slurm``: a job on a cluster, for those who outgrow one machine.

A job is named after its run. It is submitted once and never requeued by Slurm: when its node goes away the run is lost,
and the processor, which alone decides about tries, runs the step again in new folders.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from mercure.config.processing import Processing
from mercure.runners.base import (
    ImageMissingError,
    Run,
    RunnerCheck,
    RunnerUnavailableError,
    RunOutcome,
    RunRequest,
    RunStatus,
)
from mercure.runners.slurm_job import SCRIPT, JobFolder
from mercure.runners.slurm_program import ENDS, SlurmJob, SlurmProgram

_MEBIBYTE: Final = 1024 * 1024
_SIGNALLED: Final = 128
_SIGNALS: Final = range(1, signal.NSIG)
_FORCED_SECONDS: Final = 60.0
"""Seconds that nodes may take to end what was killed."""

_MARGIN_SECONDS: Final = 60.0
"""Slurm's time limit is later than the processor's by so much and the grace: it counts when there is none."""

_STOPPING_POLL_SECONDS: Final = 0.2

_REFUSED: Final = range(95, 98)
"""Exit codes of the job's script when it is not its turn."""


class SlurmRunner:
    """Gives modules to a cluster.

    Parameters
    ----------
    settings : Processing
        What all modules share, with the settings of the cluster.
    prefix : sequence of str
        Put before each call of Slurm's programs.
    """

    outlives = True
    guards_inputs = True
    local = False

    def __init__(self, settings: Processing, prefix: Sequence[str] = ()) -> None:
        self._settings = settings.slurm
        self._slurm = SlurmProgram(prefix)

    def check(self) -> RunnerCheck:
        """Ask the controller, and look at the shared folder."""
        try:
            folder = self._folder()
            version = self._slurm.call("sinfo", "--version").strip()
            up = self._slurm.call("sinfo", "--noheader", "--responding", "--format=%D").split()
        except RunnerUnavailableError as error:
            return RunnerCheck(ok=False, text=str(error))
        nodes = sum(int(number) for number in up if number.isdigit())
        if not nodes:
            return RunnerCheck(ok=False, text=f"{version}: no node responds; see 'sinfo --list-reasons'")
        return RunnerCheck(ok=True, text=f"{version}, {nodes} nodes respond, jobs in {folder}")

    def prepare(self, image: str, archive: Path | None, stopping: Callable[[], bool]) -> None:
        """Look for a program that lies in the shared folder; what else nodes have, only nodes can tell."""
        folder = self._folder()
        if not image:
            raise ImageMissingError("the module names no program: set 'image'")
        self._slurm.call("sinfo", "--noheader", "--format=%D")
        if self._settings.container != "podman" and Path(image).is_relative_to(folder) and not Path(image).is_file():
            raise ImageMissingError(f"there is no program {image!r} in the shared folder: put it there")

    def start(self, request: RunRequest) -> Run:
        """Make the job's folder and submit its script."""
        if any(job.phase != "ended" for job in self._slurm.jobs_named(request.name)):
            raise RunnerUnavailableError(f"there is a job {request.name} already; it is found again at the next look")
        job = JobFolder(self._folder() / request.name)
        try:
            job.make(request, self._settings.container)
        except OSError as error:
            raise RunnerUnavailableError(f"the job's folder cannot be made: {error}") from error
        number = self._slurm.call("sbatch", *self._options(request, job), str(job.path / SCRIPT)).split(";")[0].strip()
        job.remember(number)
        return _SlurmRun(self._slurm, request, job, number, self._settings.poll_seconds)

    def _options(self, request: RunRequest, job: JobFolder) -> list[str]:
        limits, settings = request.limits, self._settings
        minutes = math.ceil((limits.seconds + request.grace_seconds + _MARGIN_SECONDS) / 60)
        return [
            "--parsable",
            *("--job-name", request.name),
            "--no-requeue",
            "--export=NONE",
            *("--chdir", str(job.path)),
            *("--output", "/dev/null"),
            *("--time", str(minutes)),
            *("--nodes", "1"),
            *("--ntasks", "1"),
            *("--cpus-per-task", str(math.ceil(limits.cores))),
            *("--mem", f"{math.ceil(limits.memory_bytes / _MEBIBYTE)}M"),
            *(("--gres", f"gpu:{limits.gpus}") if limits.gpus else ()),
            *(("--partition", settings.partition) if settings.partition else ()),
            *(("--account", settings.account) if settings.account else ()),
        ]

    def attach(self, request: RunRequest) -> Run | None:
        """Find the job by its name, or by what it left in its folder when Slurm has forgotten it."""
        jobs = self._slurm.jobs_named(request.name)
        job = JobFolder(self._folder() / request.name)
        if not job.path.exists():
            jobs = [found for found in jobs if found.phase != "ended"]  # Slurm remembers what was cleaned up
        # Of two jobs of one name one finds a folder that is not its own, and ends at once.
        known = [found for found in jobs if found.number == job.number] or jobs[-1:]
        number = known[0].number if known else job.number
        if number is None and not job.has_begun:
            job.remove()
            return None
        return _SlurmRun(self._slurm, request, job, number or "", self._settings.poll_seconds)

    def _folder(self) -> Path:
        folder = self._settings.folder
        if folder is None:
            raise RunnerUnavailableError("no folder is shared with the nodes: set 'processing.slurm.folder'")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunnerUnavailableError(f"the nodes' shared folder cannot be written: {folder}: is it mounted?")
        return folder


class _SlurmRun:
    """A job, waiting, running or ended."""

    def __init__(self, slurm: SlurmProgram, request: RunRequest, job: JobFolder, number: str, poll: float) -> None:
        self._slurm = slurm
        self._request = request
        self._job = job
        self._number = number
        self._poll = poll
        self._outcome: RunOutcome | None = None
        self._begun = time.monotonic()

    def wait(self, seconds: float) -> RunStatus:
        """Ask Slurm for the job's state, again and again."""
        deadline = time.monotonic() + seconds
        while True:
            status = self._look()
            rest = deadline - time.monotonic()
            if status.state == "ended" or rest <= 0:
                return status
            if self._job.output_bytes() > self._request.limits.output_bytes:
                return RunStatus(state="ended", started=status.started, outcome=self.stop("output"), where=status.where)
            time.sleep(min(self._poll, rest))

    def _look(self) -> RunStatus:
        if self._outcome is not None:
            return RunStatus(state="ended", outcome=self._outcome)
        job = self._slurm.job(self._number) if self._number else None
        if job is None:
            self._outcome = self._forgotten()
            return RunStatus(state="ended", outcome=self._outcome)
        where = f"job {job.number}" + (f" on {job.nodes}" if job.nodes else f", waiting: {job.reason}")
        if job.phase == "queued":
            return RunStatus(state="queued", where=where)
        if job.phase == "ended":
            self._outcome = self._ended(job)
        return RunStatus(state=job.phase, started=job.started, outcome=self._outcome, where=where)

    def _forgotten(self) -> RunOutcome:
        code = self._job.code
        if code is None:
            return RunOutcome(how="lost", text="Slurm does not know its job any more, and it left no result")
        return _exited(code, 0.0)

    def _ended(self, job: SlurmJob) -> RunOutcome:
        seconds = round(time.monotonic() - self._begun, 3)
        code = self._job.code
        if code is not None:
            return _exited(code, seconds)  # its script came to the end, whatever became of the node afterwards
        how = ENDS[job.state]
        if how == "exited":
            code = self._slurm.exit_code(job.number)
            if code is None or code in _REFUSED:
                return RunOutcome(how="lost", text=f"the job {job.number} ended without a result ({job.reason})")
            return _exited(_SIGNALLED - code if code < 0 else code, seconds)
        said = f"Slurm's job {job.number}: {job.state}" + (f" ({job.reason})" if job.reason else "")
        return RunOutcome(how=how, text=said, seconds=seconds)

    def stop(self, how: Literal["time", "output", "memory", "stopped"]) -> RunOutcome:
        """Cancel the job: with TERM first, with KILL after the grace."""
        status = self._look()
        if status.outcome is not None:
            return status.outcome
        if how != "memory" and status.state == "running":
            self._slurm.call("scancel", "--full", "--signal=TERM", self._number)
            status = self._until_end(self._request.grace_seconds)
        if status.outcome is None:
            # Slurm would ask once more, and wait as long as it is set to; a job that waits needs only the second call.
            for options in (("--full", "--signal=KILL"), ()):
                with contextlib.suppress(RunnerUnavailableError):  # it has just ended; or the next look says what it is
                    self._slurm.call("scancel", *options, self._number)
            status = self._until_end(_FORCED_SECONDS)
        if status.outcome is None:
            raise RunnerUnavailableError(f"the job {self._number} does not end: see 'scontrol show job {self._number}'")
        self._outcome = status.outcome.model_copy(update={"how": how, "text": _STOPPED[how]})
        return self._outcome

    def _until_end(self, seconds: float) -> RunStatus:
        deadline = time.monotonic() + seconds
        status = self._look()
        while status.outcome is None and time.monotonic() < deadline:
            time.sleep(min(self._poll, _STOPPING_POLL_SECONDS))
            status = self._look()
        return status

    def collect(self) -> None:
        """Copy outputs and log from the shared folder."""
        try:
            self._job.hand_over(self._request)
        except FileNotFoundError:
            return  # removed with the job by somebody; the outcome says what there is to say
        except OSError as error:
            raise RunnerUnavailableError(f"the job's results cannot be copied: {error}") from error

    def clean_up(self) -> None:
        """Remove the job's folder. Slurm forgets the job by itself; what is found of it has no folder any more."""
        self._job.remove()


_STOPPED: Final[dict[str, str]] = {
    "time": "it took longer than its time limit and was stopped",
    "output": "it wrote more than its output limit and was stopped",
    "memory": "it used more than its memory limit and was stopped",
    "stopped": "it was stopped",
}


def _exited(code: int, seconds: float) -> RunOutcome:
    number = code - _SIGNALLED
    if number in _SIGNALS:
        return RunOutcome(how="killed", code=-number, text=f"it was killed by signal {number}", seconds=seconds)
    text = "" if code == 0 else f"it ended with exit code {code}"
    return RunOutcome(how="exited", code=code, text=text, seconds=seconds)
