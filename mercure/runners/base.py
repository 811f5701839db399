"""Runner interface: runs a processing module in ``in/`` and ``out/``, and finds a run again.

A run is named by its task, step and number alone (`run_name`), so a processor that begins anew asks its runner for that
name before it starts anything: a run that outlived its processor is taken over, and is never run beside itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Protocol

from mercure.model import Record

IN: Final = "in"
OUT: Final = "out"
LOG: Final = "log.txt"


class RunnerUnavailableError(Exception):
    """The runner cannot be used now: not installed, down, or not answering.

    It says nothing of the module: the task is kept, people are alerted, and it goes on when the runner is back.
    The text says what happened and what to do.
    """


class ImageMissingError(Exception):
    """The module's image (or program) does not exist, or cannot be fetched now.

    Like an outage of this one module: its tasks are kept, and it is looked for again.
    """


@dataclass(frozen=True)
class RunLimits:
    """What a run may use.

    Parameters
    ----------
    memory_bytes : int
        Of all its processes.
    cores : float
        Processor cores.
    gpus : int
        Graphics processors; 0: it sees none.
    processes : int
        Processes and threads at the same time.
    seconds : float
        From its start (not from being queued). The processor stops a run that takes longer; a runner whose runs
        outlive the processor sets the limit there too.
    output_bytes : int
        In ``out/``. The processor looks while the run goes on; a runner may set a harder limit too.
    log_bytes : int
        Kept of what it prints.
    """

    memory_bytes: int = 4 * 1024**3
    cores: float = 1
    gpus: int = 0
    processes: int = 512
    seconds: float = 3600
    output_bytes: int = 8 * 1024**3
    log_bytes: int = 4 * 1024**2


@dataclass(frozen=True)
class RunMount:
    """A folder of the machine that the module sees."""

    source: Path
    target: PurePosixPath
    writable: bool = False


@dataclass(frozen=True)
class RunRequest:
    """One run of a module.

    Parameters
    ----------
    name : str
        From `run_name`.
    folder : Path
        The run's folder, made by the processor: ``in/`` is filled, ``out/`` is there and empty, `log` is to be written.
        Runners may keep files of their own beside them.
    image : str
        Container image or program.
    arguments : sequence of str
        What the program is given after its name.
    environment : mapping of str to str
        Of the configuration; the runner adds `contract_environment` with the paths as the module sees them.
    limits : RunLimits
        What it may use.
    mounts : sequence of RunMount
        Checked against the allowed list.
    persistence : Path, optional
        A folder that is kept from run to run, writable; the module finds it by ``MODULE_PERSISTENCE_DIR``.
    network : bool
        Whether it may use the network.
    shared_memory : bool
        Whether it may make memory that has no name in a file system; only control groups count all of it.
    grace_seconds : float
        Between asking it to end and ending it.
    """

    name: str
    folder: Path
    image: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: RunLimits = field(default_factory=RunLimits)
    mounts: Sequence[RunMount] = ()
    persistence: Path | None = None
    network: bool = False
    shared_memory: bool = False
    grace_seconds: float = 10.0

    @property
    def inputs(self) -> Path:
        """``in/``, for the module to read. Its files may be links to the only copies: see `Runner.guards_inputs`."""
        return self.folder / IN

    @property
    def outputs(self) -> Path:
        """``out/``: the module writes here, and nowhere else."""
        return self.folder / OUT

    @property
    def log(self) -> Path:
        """What the module printed, both streams as they came (`mercure.runners.bounded_log`)."""
        return self.folder / LOG


class RunOutcome(Record):
    """How a run ended.

    `how` is ``exited`` (by itself, with `code`), ``killed`` (by a signal that is not ours, `code` is its negative
    number), ``memory``, ``time`` or ``output`` (it was stopped at that limit), ``stopped`` (a person or the processor
    asked for it), or ``lost`` (the node or runner went away under it: how far it came is unknown; it is run again).
    """

    how: Literal["exited", "killed", "memory", "time", "output", "stopped", "lost"]
    code: int | None = None
    text: str = ""
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether the module itself says that all went well."""
        return self.how == "exited" and self.code == 0


class RunStatus(Record):
    """How a run is: ``queued`` (accepted, not started), ``running`` or ``ended``."""

    state: Literal["queued", "running", "ended"]
    started: datetime | None = None
    """Aware instant, where it has started."""
    outcome: RunOutcome | None = None
    """Present exactly when it has ended."""
    where: str = ""
    """For people: the node, the container's id, the job's number."""


class Run(Protocol):
    """A run that was started or found again. All verbs may be repeated; only one thread uses it."""

    def wait(self, seconds: float) -> RunStatus:
        """Return how it is, at once when it has ended, else after at most `seconds`.

        Raises
        ------
        RunnerUnavailableError
            The runner does not answer; the run may go on. Asked again later.
        """

    def stop(self, how: Literal["time", "output", "memory", "stopped"]) -> RunOutcome:
        """End it: by TERM first, by KILL after the request's grace. Nothing of it runs any more on return.

        Returns
        -------
        RunOutcome
            With `how`, or how it ended by itself just before.

        Raises
        ------
        RunnerUnavailableError
            It could not be made sure that it has ended.
        """

    def collect(self) -> None:
        """After the end: have ``out/`` and the log complete in the run's folder (a cluster copies them there).

        Raises
        ------
        RunnerUnavailableError
            Not now; retried later.
        """

    def clean_up(self) -> None:
        """Remove what the runner keeps of it (container, job files, copies). Nothing to remove is no error.

        The outcome is on record by now. From here on `Runner.attach` does not find it any more.
        """


@dataclass(frozen=True)
class RunnerCheck:
    """Whether a runner could run modules now.

    Parameters
    ----------
    ok : bool
        It could.
    text : str
        Version or the like; where it could not, what is missing and what to do.
    """

    ok: bool
    text: str


class Runner(Protocol):
    """A way to run modules, made from the configuration by its kind; safe for threads."""

    outlives: bool
    """Its runs go on when the processor ends: it is not stopped with it, and found again by name."""

    guards_inputs: bool
    """The module cannot write to the files in ``in/``. If not, the processor puts copies there instead of links."""

    local: bool
    """Its runs use this machine, and take one of the processor's slots."""

    def check(self) -> RunnerCheck:
        """Return whether modules could be run now, within a few seconds and leaving nothing behind."""

    def prepare(self, image: str, archive: Path | None, stopping: Callable[[], bool]) -> None:
        """Have the image at hand; may take long (a pull), and is then called in a thread of its own.

        Raises
        ------
        ImageMissingError
            It does not exist, cannot be pulled or loaded.
        RunnerUnavailableError
            The runner cannot be used.
        """

    def start(self, request: RunRequest) -> Run:
        """Start a run whose name is not in use (`attach` said so).

        Raises
        ------
        RunnerUnavailableError
            Nothing was started, as far as can be known; `attach` finds it if it was all the same.
        ImageMissingError
            The image went away since `prepare`.
        """

    def attach(self, request: RunRequest) -> Run | None:
        """Find a run of this name, running or ended, that was not cleaned up; None when there is none.

        A runner whose runs end with the processor returns None, once what the last processor left has ended.

        Raises
        ------
        RunnerUnavailableError
            Nobody can tell now; nothing may be started.
        """


def run_name(task: str, step: int, number: int) -> str:
    """Return the name of a run: the same on every call for it, and for no other.

    Parameters
    ----------
    task : str
        The task's id.
    step : int
        Which module of the chain, from 1.
    number : int
        The task's how-manieth attempt; it changes only with the record of the one before.
    """
    return f"mercure-{task.lower()}-{step}-{number}"


def contract_environment(inputs: str, outputs: str, persistence: str | None = None) -> dict[str, str]:
    """Return the variables by which modules find their folders, with paths as the module sees them."""
    variables = {
        "MERCURE_IN_DIR": inputs,
        "MERCURE_OUT_DIR": outputs,
        "MONAI_INPUTPATH": inputs,
        "MONAI_OUTPUTPATH": outputs,
    }
    return variables if persistence is None else {**variables, "MODULE_PERSISTENCE_DIR": persistence}
