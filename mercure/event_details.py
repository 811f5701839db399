"""What each type of event tells: the models behind ``docs/reference/events.md``.

A reader is lenient (`Record`): an event of a newer or older version still counts for what it has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from mercure.model import Record


class ImageRef(Record):
    """One image of a task: its id given at receipt (None when a crash lost it), file name, SOP Instance UID, bytes."""

    image: str | None = None
    file: str
    sop: str = ""
    bytes: int = 0
    status: str | None = None


class Identity(Record):
    """Whose images these are: the tags that people search by, empty where missing."""

    PatientID: str = ""
    PatientName: str = ""
    AccessionNumber: str = ""
    StudyInstanceUID: str = ""
    SeriesInstanceUID: str = ""
    Modality: str = ""
    StudyDescription: str = ""
    SeriesDescription: str = ""
    StudyDate: str = ""


class Origin(Record):
    """Where a series came from and when its first and last image arrived."""

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    associations: tuple[str, ...] = ()
    first_received: datetime | None = None
    last_received: datetime | None = None


class AssociationOpened(Record):
    """A sender was let in."""

    association: str
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    contexts: int = 0


class AssociationClosed(Record):
    """A sender is gone; `how` is released, aborted, timeout, lost or crashed."""

    association: str
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    how: str
    images: int = 0
    bytes: int = 0
    refused: int = 0
    seconds: float = 0.0


class AssociationRefused(Record):
    """A sender was not let in."""

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    reason: str


class ImageReceived(Record):
    """An image is on stable storage and will be acknowledged."""

    image: str
    association: str
    file: str
    folder: str
    sop: str = ""
    sop_class: str = ""
    study: str = ""
    series: str = ""
    patient: str = ""
    accession: str = ""
    modality: str = ""
    bytes: int = 0
    transfer_syntax: str = ""
    repetition: bool = False
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    durable: bool = True


class ImageRefused(Record):
    """An image was answered with a failure status; the sender still has it."""

    association: str
    sop: str = ""
    status: str
    reason: str
    address: str = ""
    calling_aet: str = ""


class ImageQuarantined(Record):
    """Bytes that cannot be read were kept aside; the sender was told of the failure."""

    image: str
    association: str
    entry: str
    bytes: int = 0
    reason: str
    address: str = ""
    calling_aet: str = ""


class SeriesCompleted(Record):
    """A series was taken for routing."""

    identity: Identity
    origin: Origin
    images: tuple[ImageRef, ...]
    bytes: int
    reason: str
    late: bool = False
    earlier: tuple[str, ...] = ()


class RuleOutcome(Record):
    """What became of one rule; `error` is the text when it could not be evaluated."""

    rule: str
    fired: bool
    error: str | None = None


class StudyCompleted(Record):
    """A collected study was taken for routing; the tasks in `members` are now part of it."""

    identity: Identity
    origin: Origin
    rule: str
    members: tuple[str, ...]
    images: tuple[ImageRef, ...]
    bytes: int
    reason: str
    by: str | None = None
    late: bool = False
    earlier: tuple[str, ...] = ()


class RuleNotified(Record):
    """A rule with action ``notify`` fired."""

    rule: str
    contact: str = ""
    comment: str = ""


class SeriesDecided(Record):
    """The plan for a series is on disk."""

    rules: tuple[RuleOutcome, ...]
    derived: tuple[str, ...]
    discarded_by: str | None = None


class TaskCreated(Record):
    """A task stands in its stage."""

    stage: str
    action: Literal["route", "process", "collect", "discard"]
    scope: Literal["series", "study"] = "series"
    parent: str | None = None
    target: str | None = None
    module: str | None = None
    rules: tuple[str, ...] = ()
    priority: str = "normal"
    identity: Identity
    origin: Origin
    images: tuple[ImageRef, ...]
    bytes: int = 0
    late: bool = False


class TaskAttempt(Record):
    """One try to deliver or process; `kind` says what went wrong."""

    target: str | None = None
    module: str | None = None
    number: int
    outcome: Literal["success", "partial", "failure"]
    kind: Literal["unreachable", "refused", "rejected", "timeout", "local"] | None = None
    error: str | None = None
    images: int = 0
    sent: int = 0
    confirmed: int = 0
    bytes: int = 0
    seconds: float = 0.0
    next_attempt: datetime | None = None


class TaskDelivered(Record):
    """The target confirmed every image of the task."""

    target: str
    images: tuple[ImageRef, ...]
    bytes: int = 0
    seconds: float = 0.0
    attempts: int = 1


class TaskProcessed(Record):
    """A module ended well and its result is in the spool."""

    module: str
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()


class ModuleStarted(Record):
    """A run of a module began; `run` is its name at the runner, `step` its place in the chain of `steps`."""

    module: str
    step: int
    steps: int
    number: int
    runner: str
    image: str = ""
    run: str = ""
    images: int = 0


class ModuleFinished(Record):
    """A run of a module ended well, and its result is safe; `result` is its ``result.json``, if not too long."""

    module: str
    step: int
    number: int
    seconds: float = 0.0
    images: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    left_out_files: int = 0
    result: dict[str, Any] | None = None


class ModuleFailed(Record):
    """A run of a module failed; `how` is exited, killed, memory, time, output, stopped, lost, or result.

    `log` is the end of what it printed.
    """

    module: str
    step: int
    number: int
    how: str
    reason: str
    code: int | None = None
    seconds: float = 0.0
    log: str = ""
    next_attempt: datetime | None = None


class ModuleDown(Record):
    """A module cannot be run; its tasks wait, and it is tried again at `until`."""

    module: str
    runner: str
    kind: Literal["runner", "image", "configuration"]
    error: str
    until: datetime | None = None


class ModuleUp(Record):
    """A module can be run again."""

    module: str
    since: datetime
    failures: int = 0


class TaskFailed(Record):
    """The task is in ``error/`` and waits for a person."""

    stage: str
    reason: str
    advice: str = ""


class TaskChanged(Record):
    """A person held, released, retried, discarded or rerouted a task."""

    by: str
    reason: str | None = None
    target: str | None = None


class TargetDown(Record):
    """A target cannot be used; its tasks wait, and it is asked again at `until`."""

    target: str
    kind: str
    error: str
    until: datetime | None = None


class TargetUp(Record):
    """A target takes images again."""

    target: str
    since: datetime
    failures: int = 0


class TaskRetired(Record):
    """The cleaner removed a task that was kept long enough."""

    stage: str
    images: int
    reason: Literal["retention", "pressure"]


class ServiceChanged(Record):
    """A service began or ended."""

    pid: int
    version: str = ""
    reason: str | None = None


class ConfigLoaded(Record):
    """A service works by this revision from now on."""

    revision: int


class ConfigRejected(Record):
    """A configuration is broken; the service goes on with the one before."""

    reason: str
    using: int | None = None


class ConfigSaved(Record):
    """A new revision of the configuration was saved."""

    revision: int
    by: str
    comment: str = ""


class DiskSpace(Record):
    """The free space crossed its floor, downwards or upwards."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int
    freed_bytes: int = 0


class Recovered(Record):
    """Something that a crash had left was put right."""

    what: str


class Audit(Record):
    """A person changed something."""

    by: str
    verb: str
    object: str
    before: Any = None
    after: Any = None


class Metrics(Record):
    """Counters since the last report, and gauges of now."""

    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}


class Warned(Record):
    """Something is not as it should be; `advice` says what to do."""

    text: str
    advice: str = ""


class NotificationRequested(Record):
    """A module asks that people are told (`requested`), or gives words for the message about its result.

    Both come from ``__mercure_notification`` in its ``result.json``; `rules` are those of the task.
    """

    module: str
    rules: tuple[str, ...] = ()
    text: str = ""
    requested: bool = True


class NotificationSent(Record):
    """A message was taken by its channel."""

    message: str
    channel: str
    occasion: str
    subject: str = ""
    attempts: int = 1
    seconds: float = 0.0


class NotificationGivenUp(Record):
    """A message was not taken in all its time, or cannot be sent."""

    message: str
    channel: str
    occasion: str
    subject: str = ""
    attempts: int = 0
    error: str


class AlertRaised(Record):
    """Something began that a person should look at; `key` is the same until it is over."""

    key: str
    kind: str
    severity: str
    object: str
    text: str
    advice: str = ""
    since: datetime | None = None


class AlertCleared(Record):
    """What an alert told of is over."""

    key: str
    kind: str
    object: str
    text: str
    raised: datetime
    seconds: float = 0.0


DETAILS: dict[str, type[Record]] = {
    "association.opened": AssociationOpened,
    "association.closed": AssociationClosed,
    "association.refused": AssociationRefused,
    "image.received": ImageReceived,
    "image.refused": ImageRefused,
    "image.quarantined": ImageQuarantined,
    "series.completed": SeriesCompleted,
    "series.decided": SeriesDecided,
    "study.completed": StudyCompleted,
    "rule.notified": RuleNotified,
    "task.created": TaskCreated,
    "task.attempt": TaskAttempt,
    "task.delivered": TaskDelivered,
    "task.processed": TaskProcessed,
    "task.failed": TaskFailed,
    "module.started": ModuleStarted,
    "module.finished": ModuleFinished,
    "module.failed": ModuleFailed,
    "module.down": ModuleDown,
    "module.up": ModuleUp,
    "task.held": TaskChanged,
    "task.released": TaskChanged,
    "task.retried": TaskChanged,
    "task.discarded": TaskChanged,
    "task.rerouted": TaskChanged,
    "task.retired": TaskRetired,
    "target.down": TargetDown,
    "target.up": TargetUp,
    "service.started": ServiceChanged,
    "service.stopped": ServiceChanged,
    "config.loaded": ConfigLoaded,
    "config.rejected": ConfigRejected,
    "config.saved": ConfigSaved,
    "disk.low": DiskSpace,
    "disk.ok": DiskSpace,
    "spool.recovered": Recovered,
    "audit": Audit,
    "notification.requested": NotificationRequested,
    "notification.sent": NotificationSent,
    "notification.given_up": NotificationGivenUp,
    "alert.raised": AlertRaised,
    "alert.cleared": AlertCleared,
    "metrics": Metrics,
    "warning": Warned,
}
"""Every type of event and the model of its details."""
