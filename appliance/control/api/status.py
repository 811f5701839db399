"""How the router is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Nothing, Role, Verb
from appliance.control.api.services import ServiceState
from mercure.delivery.target_outage import TargetOutage
from mercure.model import Model
from mercure.processing.module_outage import ModuleOutage
from mercure.spool.layout import Stage


class StageState(Model):
    """What is in one stage: how many entries, and how old the oldest is (seconds; absent when there is none)."""

    stage: Stage
    count: int
    oldest_seconds: float | None = None


DiskFault = Literal["read-only", "no-inodes"]


class DiskState(Model):
    """The disk of the spool, in bytes; ``refusing``: the receiver takes no images now; ``fault``: whatever is free.

    ``full_in_seconds`` is when it will be, if it goes on filling as in the last minutes; absent where it does not.
    """

    path: str
    free_bytes: int
    total_bytes: int
    refuse_below_bytes: int
    clean_below_bytes: int
    fault: DiskFault | None = None
    full_in_seconds: float | None = None

    @property
    def state(self) -> Literal["ok", "low", "refusing"]:
        """How it is."""
        if self.fault or self.free_bytes < self.refuse_below_bytes:
            return "refusing"
        return "low" if self.free_bytes < self.clean_below_bytes else "ok"


class NetworkTraffic(Model):
    """What went through a network interface since the machine was started, and how fast it goes now (bytes)."""

    interface: str
    received_bytes: int
    sent_bytes: int
    errors: int = 0
    dropped: int = 0
    received_per_second: float | None = None
    sent_per_second: float | None = None


class DiskTraffic(Model):
    """What the device of the spool read and wrote since the machine was started, and how fast it goes now (bytes).

    ``busy`` is the share of the last seconds in which it had work to do.
    """

    device: str
    read_bytes: int
    written_bytes: int
    busy_seconds: float = 0.0
    read_per_second: float | None = None
    written_per_second: float | None = None
    busy: float | None = None


class MachineState(Model):
    """The machine on which the router runs.

    ``processor`` is the share of all processors that was busy in the last seconds; ``load`` the average of the last 1,
    5 and 15 minutes; ``processor_seconds`` and ``waiting_seconds`` (for a disk) count all processors since the start.
    """

    processors: int
    processor_seconds: float
    waiting_seconds: float = 0.0
    processor: float | None = None
    load: tuple[float, float, float]
    memory_bytes: int
    memory_available_bytes: int
    up_seconds: float
    networks: tuple[NetworkTraffic, ...] = ()
    disk: DiskTraffic | None = None


class HistoryState(Model):
    """The history: by how much it lags behind what the services have told (seconds), or why it cannot be asked."""

    lag_seconds: float | None = None
    newest_event: datetime | None = None
    outbox_bytes: int
    size_bytes: int | None = None
    """Of the history itself; None when it cannot be asked."""
    problem: str = ""


class SpoolProblem(Model):
    """A problem of the place of the spool, and what to do."""

    text: str
    advice: str


class ConfigState(Model):
    """The configuration in force, and why the files cannot be used where they cannot."""

    revision: int
    by_hand: bool
    problems: tuple[str, ...] = ()
    open_to_all: bool = False
    """Anybody may send from anywhere."""
    site: str = ""
    """Where the router stands, and whom people call."""
    off_peak: str = ""
    """When tasks of the off-peak hours are served, where a rule makes such tasks."""


class OutageState(Model):
    """A target that is not accepting images at the moment."""

    target: str
    outage: TargetOutage
    waiting: int | None = None
    """So many tasks wait for it."""
    asked_seconds: float | None = None
    """It is asked so often whether it is back, at least."""


class ModuleOutageState(Model):
    """A processing module that cannot be run at the moment."""

    module: str
    outage: ModuleOutage


class QuarantineState(Model):
    """How much lies in quarantine, and how much is kept at most; what comes beyond is refused and not kept."""

    objects: int = 0
    bytes: int = 0
    most_objects: int = 0
    most_bytes: int = 0

    @property
    def share(self) -> float:
        """How full it is, from 0 to 1, by whichever limit is nearer."""
        by_objects = self.objects / self.most_objects if self.most_objects else 0.0
        return max(by_objects, self.bytes / self.most_bytes if self.most_bytes else 0.0)


class KeptState(Model):
    """What people have kept beyond its retention: by so many keeps, in bytes, and at most so many.

    ``beyond`` counts tasks that a person wants kept and that do not fit: they are removed as if nobody had asked.
    ``unreadable`` are the ids of keeps that cannot be read.
    """

    keeps: int = 0
    bytes: int = 0
    most_bytes: int = 0
    beyond: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """How much of the ceiling is taken; 1 is all of it."""
        return self.bytes / self.most_bytes if self.most_bytes else float(self.bytes > 0)


class ScrubState(Model):
    """The scrub of all kept images: how old the end of the last one is (seconds), what it read, and whether one runs.

    ``enabled`` is False where the configuration has none; ``finished`` None where none has ended yet. ``done_bytes``
    are those of the one under way.
    """

    enabled: bool = True
    finished: AwareDatetime | None = None
    age_seconds: float | None = None
    images: int = 0
    bytes: int = 0
    altered: int = 0
    unreadable: int = 0
    uncheckable: int = 0
    begun: AwareDatetime | None = None
    done_bytes: int = 0


class VerifyState(Model):
    """The proof of the last night: how old it is (seconds), and what `mercure verify` ended with.

    ``enabled`` is False where the configuration has none; ``finished`` None where none has been made yet. ``findings``
    counts what is not accounted for, ``unchecked`` says what could not be checked.
    """

    enabled: bool = True
    finished: datetime | None = None
    age_seconds: float | None = None
    exit_code: int = 0
    acknowledged: int = 0
    findings: int = 0
    unchecked: tuple[str, ...] = ()


class CopiesState(Model):
    """Our copies of images that have turned out bad: how many are not what was received, how many cannot be read.

    ``waiting`` of both still have something before them, or have failed; the others were delivered.
    """

    altered: int = 0
    unreadable: int = 0
    waiting: int = 0
    senders: tuple[str, ...] = ()
    """Who sent those."""
    since: AwareDatetime | None = None
    scrub: ScrubState = ScrubState()


Health = Literal["well", "watch", "bad"]
"""``watch``: something is not as it should be, and either too young to send a message or no more than a warning."""


class Status(Model):
    """How the router is.

    ``health`` and ``problems`` come from the same alerts as every screen, page and message: ``problems`` is their text,
    the worst first. ``unseen`` says why the services cannot be seen, where they cannot.
    """

    root: str
    time: datetime
    health: Health = "well"
    running: bool
    unseen: str = ""
    services: tuple[ServiceState, ...]
    stages: tuple[StageState, ...]
    associations: int
    outages: tuple[OutageState, ...]
    module_outages: tuple[ModuleOutageState, ...] = ()
    disk: DiskState
    machine: MachineState | None = None
    copies: CopiesState = CopiesState()
    quarantine: QuarantineState = QuarantineState()
    kept: KeptState = KeptState()
    history: HistoryState
    config: ConfigState
    verify: VerifyState = VerifyState()
    spool: tuple[SpoolProblem, ...] = ()
    problems: tuple[str, ...] = ()


class WhoAmI(Model):
    """Who asks, as the kernel says: `user` as audited, `role` (None: may do nothing), `verbs` that are allowed.

    `fingerprint` is that of the key with which the router signs receipts; empty before the first one. `site` is the
    name of the site.
    """

    user: str
    uid: int
    role: Role | None
    node: str
    root: str
    version: str
    verbs: tuple[str, ...]
    fingerprint: str = ""
    site: str = ""


Severity = Literal["critical", "warning", "watch"]
"""``watch``: it has not lasted as long as its rule wants, and nobody was told of it."""

AlertKind = Literal[
    "not-running",
    "crash-loop",
    "service",
    "outage",
    "module",
    "quarantine",
    "failed",
    "altered",
    "disk",
    "history",
    "configuration",
    "stuck",
    "silence",
    "certificate",
    "clock",
    "notification",
    "refused",
    "rule",
    "unrouted",
    "loop",
    "spool",
    "mixed",
    "truncated",
    "verify",
    "name",
    "backup",
    "audit",
]


class Acknowledgement(Model):
    """Somebody knows of an alert; `until` ends it (None: as long as the alert lasts)."""

    by: str
    at: AwareDatetime
    until: AwareDatetime | None = None
    comment: str = ""


class Alert(Model):
    """Something that a person should look at; `key` stays the same as long as it lasts.

    ``object`` is what it is about (a target, a process, a stage); ``since`` when it began, where that is known;
    ``raised`` when people were told of it (None: nobody watches, it was just found); ``over``: its cause is gone since
    then, and it ends when that has lasted. ``days`` is the threshold that a certificate has passed, in days before its
    end: below each one people are told again.
    """

    key: str
    kind: AlertKind
    severity: Severity
    object: str
    text: str
    advice: str
    days: int | None = None
    since: AwareDatetime | None = None
    raised: AwareDatetime | None = None
    over: AwareDatetime | None = None
    acknowledged: Acknowledgement | None = None


class Alerts(Model):
    """What a person should look at now, the worst first."""

    alerts: tuple[Alert, ...]

    @property
    def health(self) -> Health:
        """The state of the router that they amount to: the one computation of it."""
        if any(alert.severity == "critical" and alert.over is None for alert in self.alerts):
            return "bad"
        return "watch" if self.alerts else "well"


class AcknowledgeAlert(Model):
    """An alert of which somebody says that he knows; `withdraw` takes that back."""

    key: Annotated[str, Field(max_length=300)]
    until: AwareDatetime | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""
    withdraw: bool = False


GET: Final = Verb("status.get", Nothing, Status, "page", "How the router is, and what needs a person.")
ALERTS: Final = Verb("alerts.list", Nothing, Alerts, "page", "What a person should look at now.")
ACKNOWLEDGE: Final = Verb(
    "alerts.acknowledge",
    AcknowledgeAlert,
    Alert,
    "operator",
    "Acknowledge an alert: no reminders of it are sent.",
    changes=True,
)
WHO_AM_I: Final = Verb("whoami", Nothing, WhoAmI, "page", "Who asks, in which role, and what that role may.")
