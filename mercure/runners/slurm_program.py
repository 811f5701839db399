"""Calls of Slurm's programs: each with a time limit, its errors in our words, its answers as typed values."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from mercure.programs import run_program
from mercure.runners.base import RunnerUnavailableError

CALL_SECONDS: Final = 30.0

Phase = Literal["queued", "running", "ended"]
End = Literal["exited", "memory", "time", "stopped", "lost"]

_SHOWN: Final = 600
_MISSING: Final = "install Debian's package 'slurm-client'"
_UNKNOWN_JOB: Final = "invalid job id"
_SEPARATOR: Final = "|"
_FIELDS: Final = ("%i", "%T", "%N", "%S", "%r")

PHASES: Final[dict[str, Phase]] = {
    "PENDING": "queued",
    "CONFIGURING": "queued",
    "REQUEUED": "queued",
    "REQUEUE_FED": "queued",
    "REQUEUE_HOLD": "queued",
    "SPECIAL_EXIT": "queued",
    "RESV_DEL_HOLD": "queued",
    "POWER_UP_NODE": "queued",
    "RUNNING": "running",
    "COMPLETING": "running",
    "RESIZING": "running",
    "SIGNALING": "running",
    "STAGE_OUT": "running",
    "STOPPED": "running",
    "SUSPENDED": "running",
}
"""The states (squeue(1), "JOB STATE CODES") in which a job may still do something."""

ENDS: Final[dict[str, End]] = {
    "COMPLETED": "exited",
    "FAILED": "exited",
    "CANCELLED": "stopped",
    "TIMEOUT": "time",
    "DEADLINE": "time",
    "OUT_OF_MEMORY": "memory",
    "NODE_FAIL": "lost",
    "BOOT_FAIL": "lost",
    "LAUNCH_FAILED": "lost",
    "PREEMPTED": "lost",
    "REVOKED": "lost",
}
"""The states in which a job has ended, and how."""


@dataclass(frozen=True)
class SlurmJob:
    """What Slurm says of a job.

    Parameters
    ----------
    number : str
        Its number.
    state : str
        One of `PHASES` or `ENDS`.
    nodes : str
        Where it runs or ran.
    started : datetime, optional
        Aware instant; None before.
    reason : str
        Why it waits or ended, in Slurm's words.
    """

    number: str
    state: str
    nodes: str
    started: datetime | None
    reason: str

    @property
    def phase(self) -> Phase:
        """How far it is; a state that we do not know counts as running, since something of it may."""
        return "ended" if self.state in ENDS else PHASES.get(self.state, "running")


class SlurmProgram:
    """Slurm's programs, called as the user that we are.

    Parameters
    ----------
    prefix : sequence of str
        Put before each call.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._prefix = tuple(prefix)

    def call(self, program: str, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """Return what a call prints.

        Raises
        ------
        RunnerUnavailableError
            The program is not installed, did not answer in time, or failed.
        """
        command = (*self._prefix, program, *arguments)
        if shutil.which(command[0]) is None or shutil.which(program) is None:
            raise RunnerUnavailableError(f"the program {program!r} is not there: {_MISSING}")
        try:
            done = run_program(command, seconds=seconds)
        except subprocess.TimeoutExpired as error:
            raise RunnerUnavailableError(
                f"'{program}' did not end within {seconds:g} s: is slurmctld running and reachable?"
            ) from error
        except OSError as error:
            raise RunnerUnavailableError(f"'{program}' cannot be started: {error}") from error
        if done.returncode:
            raise RunnerUnavailableError(f"'{program}' failed: {done.stderr.strip()[-_SHOWN:]}")
        return done.stdout

    def jobs_named(self, name: str) -> list[SlurmJob]:
        """List the jobs of a name, ended ones too as long as Slurm remembers them; the newest is the last.

        Raises
        ------
        RunnerUnavailableError
            Slurm does not answer.
        """
        return self._jobs("--name", name, "--me")

    def job(self, number: str) -> SlurmJob | None:
        """Return a job; None when Slurm does not know it (any more).

        Raises
        ------
        RunnerUnavailableError
            Slurm does not answer.
        """
        try:
            found = self._jobs("--jobs", number)
        except RunnerUnavailableError as error:
            if _UNKNOWN_JOB in str(error).lower():
                return None
            raise
        return found[0] if found else None

    def exit_code(self, number: str) -> int | None:
        """Return the exit code of a job that has ended, negative for a signal; None when it is not known."""
        try:
            shown = self.call("scontrol", "--oneliner", "show", "job", number)
        except RunnerUnavailableError:
            return None
        fields = dict(part.partition("=")[::2] for part in shown.split())
        code, _, signal = fields.get("ExitCode", "").partition(":")
        if not code.isdigit() or not signal.isdigit():
            return None
        return -int(signal) if int(signal) else int(code)

    def _jobs(self, *selection: str) -> list[SlurmJob]:
        shape = _SEPARATOR.join(_FIELDS)
        printed = self.call("squeue", "--noheader", "--states=all", f"--format={shape}", *selection)
        found = [_job(line) for line in printed.splitlines() if line.count(_SEPARATOR) >= len(_FIELDS) - 1]
        return sorted(found, key=lambda job: int(job.number) if job.number.isdigit() else 0)


def _job(line: str) -> SlurmJob:
    number, state, nodes, started, reason = line.split(_SEPARATOR, len(_FIELDS) - 1)
    return SlurmJob(number.strip(), state.strip(), nodes.strip(), _instant(started.strip()), reason.strip())


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
