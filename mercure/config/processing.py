"""Processing settings: the modules, what they may use, and how each runner runs them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from mercure.config.basics import AbsolutePath, Name, PositiveSeconds, Seconds
from mercure.model import Model

RunnerKind = Literal["podman", "slurm", "command"]
ModuleOrder = Literal["none", "study", "received"]

CONTRACT_VARIABLES: Final = (
    "MERCURE_IN_DIR",
    "MERCURE_OUT_DIR",
    "MONAI_INPUTPATH",
    "MONAI_OUTPUTPATH",
    "MODULE_PERSISTENCE_DIR",
)
"""Set for every module; a configuration cannot set them."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("the name of an environment variable has letters, digits and '_', and begins with no digit")
    if text in CONTRACT_VARIABLES:
        raise ValueError(f"{text} is set by the router")
    return text


def _plain_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL cannot be given to a program")
    return text


def _inside(path: PurePosixPath) -> PurePosixPath:
    if not path.is_absolute() or ".." in path.parts or len(path.parts) == 1:
        raise ValueError("the place in the module is an absolute path other than '/' and without '..'")
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", str(path)):
        raise ValueError("the place in the module has letters, digits and '_', '.', '-', '/'")
    return path


Variable = Annotated[str, AfterValidator(_variable)]
PlainText = Annotated[str, AfterValidator(_plain_text)]
InsidePath = Annotated[PurePosixPath, AfterValidator(_inside)]


class Mount(Model):
    """A folder of the machine that a module sees."""

    source: AbsolutePath
    """The folder; it lies in one that `processing.mounts_from` names."""
    target: InsidePath
    """Where the module sees it."""
    writable: bool = False
    """Whether the module may write there."""


class ModuleSettings(Model):
    """A processing module."""

    runner: RunnerKind = "podman"
    """By what it is run: a container here, a job on a Slurm cluster, a program of this machine."""
    image: PlainText = ""
    """The container image (podman; slurm, where its nodes have podman), or the program (command, slurm)."""
    archive: AbsolutePath | None = None
    """A file made by ``podman save`` from which the image is loaded; absent: it is pulled where it is missing."""
    arguments: tuple[PlainText, ...] = ()
    """What the program is given after its name."""
    disabled: bool = False
    """Nothing is run; tasks wait."""
    comment: str = ""
    """What it is for."""
    contact: str = ""
    """Whom to ask about it."""
    settings: dict[str, JsonValue] = {}
    """Handed to the module; a rule may override single ones, for all steps or for one."""
    environment: dict[Variable, PlainText] = {}
    """Environment variables of the module. Those that look like secrets by their names or values are shown as
    ``(hidden)``."""
    hidden: tuple[PlainText, ...] = ()
    """Further names in `environment` and `settings`, also of rules, whose values are shown to nobody."""
    mounts: tuple[Mount, ...] = ()
    """Folders of the machine that it sees."""
    persistence: Name | None = None
    """Name of a folder that is kept from run to run; the module finds it by ``MODULE_PERSISTENCE_DIR``."""
    network: bool = False
    """Whether it may use the network."""
    memory_bytes: Annotated[int, Field(ge=16 * 1024**2, le=16 * 1024**4)] = 4 * 1024**3
    """Main memory of all processes of a run."""
    cores: Annotated[float, Field(gt=0, le=1024)] = 1
    """Processor cores."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """Graphics processors; 0: it sees none."""
    processes: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Processes and threads at the same time."""
    time_limit_seconds: PositiveSeconds = 3600
    """A run that takes longer is stopped, and has failed."""
    output_limit_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024**3
    """A run that writes more is stopped, and has failed."""
    shared_memory: bool = False
    """Whether it may make memory that has no name in a file system (``memfd_create``, System V), as some GPU and MPI
    programs do. Without control groups some of it can be hidden from the limit. ``/dev/shm`` is always there."""
    retain_inputs: bool = False
    """The images that went in go out with the result."""
    result: Literal["any", "images", "same-series"] = "any"
    """What a result must have to count: nothing (measurements may be all), at least one image, or images, and only of
    the series that went in."""
    routes_to: tuple[Name, ...] | None = None
    """Targets that the module may name for its result in place of the rule's; absent: all of the configuration."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 1
    """Runs at the same time, over all processors."""
    order: ModuleOrder = "none"
    """Which tasks are run one after the other, in the order received: those of one study, or all of the module's."""
    max_failures: Annotated[int, Field(ge=1, le=100)] = 1
    """After this many failed runs of a step the task goes to ``error/``. What fails once mostly fails again."""
    retry_seconds: Seconds = 60
    """Wait after a failed run, where another one is allowed."""

    @model_validator(mode="after")
    def _fits_together(self) -> ModuleSettings:
        if self.runner == "command" and self.image and not self.image.startswith("/"):
            raise ValueError("the program of runner 'command' is an absolute path")
        if self.archive is not None and self.runner != "podman":
            raise ValueError(f"'archive' is for runner 'podman', not for {self.runner!r}")
        targets = [str(mount.target) for mount in self.mounts]
        if len(set(targets)) != len(targets):
            raise ValueError("two mounts have the same place in the module")
        return self


class Slurm(Model):
    """How jobs are given to a Slurm cluster."""

    folder: AbsolutePath | None = None
    """A folder that this machine and all nodes see under the same path; runs are made in it."""
    partition: Annotated[str, AfterValidator(_plain_text)] = ""
    """The partition that jobs are given to; empty: the cluster's default."""
    account: Annotated[str, AfterValidator(_plain_text)] = ""
    """The account that jobs are charged to; empty: the user's default."""
    poll_seconds: PositiveSeconds = 2
    """How often the states of jobs are queried."""
    container: Literal["none", "podman", "bwrap"] = "bwrap"
    """How a node shuts the module in. With ``none`` the module sees what its user sees there."""


class Podman(Model):
    """How containers are run on this machine."""

    pull_timeout_seconds: PositiveSeconds = 3600
    """An image that takes longer to pull is given up, and tried again later."""


class Processing(Model):
    """What all modules share."""

    slots: Annotated[int, Field(ge=1, le=256)] = 2
    """Modules that one processor runs on this machine at the same time; runs on a cluster do not count."""
    mounts_from: tuple[AbsolutePath, ...] = ()
    """Folders in which a module's mounts may lie."""
    stop_grace_seconds: Seconds = 10
    """Between asking a module to end and ending it."""
    log_limit_bytes: Annotated[int, Field(ge=1024, le=1024**3)] = 4 * 1024**2
    """How much of a module's output is kept: one half from the beginning, the other from the end."""
    slurm: Slurm = Slurm()
    podman: Podman = Podman()
