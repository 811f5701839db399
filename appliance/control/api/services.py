"""The services and their processes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from appliance.control.api.base import Nothing, Verb
from appliance.supervision.states import State
from mercure.model import Model

ServiceVerb = Literal["start", "stop", "restart"]


CRASH_LOOP: Final = 3
"""Crashes within five minutes that make a loop; what counts them is `appliance.supervision.crashes`."""


class ProcessFigures(Model):
    """What a process takes; what only its owner may see is absent for others.

    ``processor`` is the share of one processor in the last seconds, at first since the process began;
    ``processor_seconds`` all that it has used.
    """

    processor: float | None = None
    processor_seconds: float = 0.0
    memory_bytes: int = 0
    open_files: int | None = None


class ProcessState(Model):
    """One process of a service; ``problem`` is empty when all is well.

    ``crashes`` counts how often it ended unasked in the last five minutes; from three on it is in a crash loop, even if
    it runs just now. ``restarts`` counts all such ends since the router was started.
    """

    name: str
    state: State
    pid: int | None = None
    since: datetime | None = None
    problem: str = ""
    log: str = ""
    crashes: int = 0
    restarts: int = 0
    figures: ProcessFigures | None = None

    @property
    def is_looping(self) -> bool:
        """Whether it crashes again and again."""
        return self.crashes >= CRASH_LOOP


class ServiceState(Model):
    """A service: how many processes it is to have, and those that there are."""

    name: str
    configured: int
    processes: tuple[ProcessState, ...] = ()

    @property
    def running(self) -> int:
        """How many processes run."""
        return sum(process.state == "running" for process in self.processes)


class ServiceChanged(Model):
    """What a verb did to a service."""

    name: str
    verb: ServiceVerb
    processes: tuple[ProcessState, ...]


class Scaled(Model):
    """A service was scaled; ``applied`` is false when no router runs, and so no process was started."""

    name: str
    before: int
    after: int
    revision: int
    applied: bool


class Services(Model):
    """All services in the order in which they are stopped, and the revision of ``services.json``."""

    services: tuple[ServiceState, ...]
    revision: int


class OneService(Model):
    """A service."""

    name: str


class ScaleService(OneService):
    """How many processes a service is to have; `edited_from` is the revision seen when choosing (None: any)."""

    instances: Annotated[int, Field(ge=0, le=32)]
    edited_from: int | None = None


LogLevel = Literal["debug", "info", "warning", "error"]


class ReadLog(Model):
    """The last lines of the log of a process (``router_00``), or of all processes of a service.

    ``level``: only lines of this level and worse; ``search``: only lines that hold this text, in upper or lower case,
    in their message or in what they are about (a task, a UID, a target).
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    lines: Annotated[int, Field(ge=1, le=5000)] = 200
    level: LogLevel = "debug"
    search: Annotated[str, Field(max_length=200)] = ""


class LogLine(Model):
    """One line of a log; what is no JSON comes as its message alone.

    ``more`` holds all further keys; ``task`` and ``series`` are what it is about.
    """

    process: str
    time: str = ""
    level: str = ""
    logger: str = ""
    message: str
    more: str = ""
    task: str = ""
    series: str = ""


class Log(Model):
    """Lines of logs, the oldest first."""

    lines: tuple[LogLine, ...]


LIST: Final = Verb("services.list", Nothing, Services, "viewer", "List the services and their processes.")
START: Final = Verb(
    "services.start",
    OneService,
    ServiceChanged,
    "admin",
    "Start the processes of a service that do not run.",
    changes=True,
)
STOP: Final = Verb("services.stop", OneService, ServiceChanged, "admin", "Stop a service in order.", changes=True)
RESTART: Final = Verb(
    "services.restart",
    OneService,
    ServiceChanged,
    "admin",
    "Stop a service in order, and start it again.",
    changes=True,
)
SCALE: Final = Verb(
    "services.scale",
    ScaleService,
    Scaled,
    "admin",
    "Scale a service; no other is restarted.",
    changes=True,
)
LOG: Final = Verb("services.log", ReadLog, Log, "viewer", "Read the end of a log.")
