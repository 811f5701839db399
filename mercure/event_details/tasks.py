"""Events of tasks, and of the targets that take them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from mercure.event_details.common import Identity, ImageRef, Origin, Try
from mercure.model import Record


class TaskCreated(Record):
    """A task stands in its stage."""

    stage: str
    action: Literal["route", "process", "collect", "discard", "complete"]
    """``complete``: images of a series that no rule wanted while others were wanted, kept in ``error/``."""
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


class ConvertedImages(Record):
    """Number of images sent in another transfer syntax than they are kept in, or than is preferred; by their UIDs."""

    images: int
    from_syntax: str
    to_syntax: str
    passed_over: str | None = None


class TaskAttempt(Try):
    """One try to deliver or process; `kind` says what went wrong.

    `elsewhere` counts images that another member of a group that splits tasks has already.
    """

    target: str | None = None
    module: str | None = None
    number: int
    outcome: Literal["success", "partial", "failure"]
    error: str | None = None
    images: int = 0
    sent: int = 0
    confirmed: int = 0
    elsewhere: int = 0
    converted: tuple[ConvertedImages, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    next_attempt: datetime | None = None


class TaskDelivered(Record):
    """One destination confirmed every image of the task; several only where a group splits tasks."""

    target: str
    destinations: tuple[str, ...] = ()
    images: tuple[ImageRef, ...]
    bytes: int = 0
    seconds: float = 0.0
    attempts: int = 1


class ImagesCollided(Record):
    """Images of a task came before with other content, in a task (`other`) that still waits.

    `kind` is ``version`` within one sender, patient, study and series, else ``twice``: a UID that was used twice.
    """

    other: str
    sops: tuple[str, ...] = ()
    images: int = 0
    kind: str = "version"


class ImagesSuperseded(Record):
    """Images were not sent: a newer version of each is at the target already, in the task `by` for example.

    With `module` they were not given to it: a newer version in the same task was.
    """

    target: str
    module: str = ""
    destination: str = ""
    sops: tuple[str, ...] = ()
    images: int = 0
    by: str = ""


class TaskProcessed(Record):
    """A module ended well and its result is in the spool."""

    module: str
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()


class TaskFailed(Record):
    """The task is in ``error/`` and waits for a person."""

    stage: str
    reason: str
    advice: str = ""


class TaskChanged(Record):
    """A person held, released, retried, discarded or rerouted a task.

    `undone` is the verb that was taken back by it: ``hold``, ``reroute`` or ``discard``.
    """

    by: str
    reason: str | None = None
    target: str | None = None
    undone: str | None = None


class TaskResent(Record):
    """A person had images of a task that left the queue sent again: by which job, how, and as which task."""

    by: str
    reason: str = ""
    how: str
    targets: tuple[str, ...] = ()
    job: str
    resent_as: str


class TaskRetired(Record):
    """The cleaner removed a task that was kept long enough."""

    stage: str
    images: int
    reason: Literal["retention", "pressure"]


class KeepChanged(Record):
    """A person has a task, a study or a patient kept beyond the retention, or no longer; or the keep has ended."""

    keep: str
    by: str = ""
    reason: str = ""
    until: datetime | None = None
    task: str = ""
    study: str = ""
    patient: str = ""


class TargetDown(Record):
    """A target cannot be used; its tasks wait, and it is probed again at `until`."""

    target: str
    kind: str
    error: str
    until: datetime | None = None


class TargetUp(Record):
    """A target takes images again."""

    target: str
    since: datetime
    failures: int = 0
