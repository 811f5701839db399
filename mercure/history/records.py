"""Records of the history: typed and frozen answers, without a trace of the database.

They are written out, and not made of the models: the clients that read them load no database library, and a type
checker knows their fields. A test compares them with the tables.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from mercure.model import Record


def _decoded(value: Any) -> Any:  # noqa: ANN401 - what a column holds
    """Read what a column holds; what came over the control API is read already, and may be a text that is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


JsonText = BeforeValidator(_decoded)
"""Marks what a column holds as JSON."""


class SeriesRecord(Record):
    """A series on one node, and what was received of it so far; `tags` has what ``history.tags`` names."""

    node: str
    folder: str
    series_uid: str | None = None
    study_uid: str | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    accession: str | None = None
    modality: str | None = None
    study_description: str | None = None
    series_description: str | None = None
    study_date: str | None = None
    address: str | None = None
    calling_aet: str | None = None
    called_aet: str | None = None
    first_received: datetime | None = None
    last_received: datetime | None = None
    images: int = 0
    bytes: int = 0
    repetitions: int = 0
    tags: dict[str, tuple[str, ...]] = {}


class AssociationRecord(Record):
    """One connection of a sender; how it ended is not known while it is open, or when its end was lost."""

    id: str
    node: str
    address: str | None = None
    calling_aet: str | None = None
    called_aet: str | None = None
    contexts: int | None = None
    opened: datetime | None = None
    closed: datetime | None = None
    how: str | None = None
    images: int | None = None
    bytes: int | None = None
    refused: int | None = None
    seconds: float | None = None


class ImageRecord(Record):
    """An acknowledged image, and the routing task that took it (None: none yet)."""

    id: str
    node: str
    received: datetime | None = None
    association: str | None = None
    file: str | None = None
    sop: str | None = None
    sop_class: str | None = None
    transfer_syntax: str | None = None
    bytes: int | None = None
    repetition: bool | None = None
    durable: bool | None = None
    task: str | None = None
    series_uid: str | None = None
    folder: str | None = None


class TaskRecord(Record):
    """A task, how far it came, and whose images it holds."""

    id: str
    node: str
    parent: str | None = None
    action: str | None = None
    stage: str | None = None
    module: str | None = None
    rules: Annotated[tuple[str, ...] | None, JsonText] = None
    priority: str | None = None
    late: bool | None = None
    completion: str | None = None
    scope: str | None = None
    study_task: str | None = None
    images: int | None = None
    bytes: int | None = None
    created: datetime | None = None
    target: str | None = None
    state: str | None = None
    since: datetime | None = None
    reason: str | None = None
    advice: str | None = None
    decided: datetime | None = None
    discarded_by: str | None = None
    attempts: int | None = None
    last_attempt: datetime | None = None
    last_error: str | None = None
    next_attempt: datetime | None = None
    delivered: datetime | None = None
    retired: datetime | None = None
    retired_from: str | None = None
    retired_reason: str | None = None
    series_uid: str | None = None
    study_uid: str | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    accession: str | None = None
    modality: str | None = None
    series_description: str | None = None


class AttemptRecord(Record):
    """One try to deliver or process a task."""

    task: str
    number: int
    node: str
    time: datetime
    target: str | None = None
    module: str | None = None
    outcome: str
    kind: str | None = None
    error: str | None = None
    images: int
    sent: int
    confirmed: int
    bytes: int
    seconds: float
    next_attempt: datetime | None = None


class EventRecord(Record):
    """One event; in a time line also ``images.received``, which sums up the images of one association."""

    id: str
    node: str
    time: datetime
    service: str
    type: str
    task: str | None = None
    series: str | None = None
    details: Annotated[dict[str, Any], JsonText] = {}


class AuditRecord(Record):
    """What a person changed."""

    id: str
    node: str
    time: datetime
    by: str
    verb: str
    object: str
    task: str | None = None
    before: Annotated[Any, JsonText] = None
    after: Annotated[Any, JsonText] = None


class CounterPoint(Record):
    """The increase of a counter (or the highest value of a gauge) within one step of time."""

    name: str
    label: str
    node: str
    minute: datetime
    value: float


class SenderRecord(Record):
    """A sender, and how many images came lately; `images` and `bytes` are of the hours of the request."""

    address: str
    calling_aet: str
    last_image: datetime
    images_hour: int = 0
    images: int = 0
    bytes: int = 0
    hourly: tuple[int, ...] = ()
    """Images in each of these hours, the present one last."""
    name: str = ""
    """Its name in `senders` of the configuration of now, or ``AET@address``."""
    release_seconds: float | None = None
    """The release time that the router has learned of it, where that is longer than the configured one."""


class TraitRecord(Record):
    """What a sender uses: since when (the minute of the first time), until when, and how often."""

    calling_aet: str
    address: str
    kind: str
    """``called`` (AE title of ours), ``implementation`` (UID), ``version``, ``class`` (SOP class), ``syntax``, or
    ``certificate`` (the instant of its end, a blank, and its subject)."""
    value: str
    first: datetime
    last: datetime
    times: int


class SenderVolume(Record):
    """What a sender has sent: in all, and since an instant."""

    calling_aet: str
    address: str
    first: datetime
    last: datetime
    images: int
    images_since: int = 0
    bytes_since: int = 0


class SumPoint(Record):
    """The increase of a counter, all labels together, within the step of time that begins then."""

    name: str
    begin: datetime
    value: float


class DeliveryTimes(Record):
    """How long a delivered task took: ``received`` is when its last image came, where that is known.

    ``sending`` counts its attempts alone, in seconds.
    """

    target: str
    created: datetime | None = None
    received: datetime | None = None
    delivered: datetime
    sending: float


class KeptBytes(Record):
    """Bytes of the tasks of a state that are still on the disk."""

    state: str
    bytes: int


class CounterTotal(Record):
    """What a counter has come to in all."""

    name: str
    label: str
    value: float


ExamOrder = Literal["received", "patient", "accession", "exam", "series", "images", "from", "delivered"]
"""By what exams are ordered; ``delivered``: what failed first, then what is held, then what waits."""


class ExamTargetRecord(Record):
    """How many different images of an exam are to go to a target, and how many of them were delivered there."""

    target: str
    images: int
    delivered: int = 0


class ExamRecord(Record):
    """The series of an exam and the tasks with their images; `cut`: there are more series.

    `distinct` counts the images of each series (node and folder), one that came several times once.
    """

    series: tuple[SeriesRecord, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    targets: tuple[ExamTargetRecord, ...] = ()
    distinct: dict[tuple[str, str], int] = {}
    cut: bool = False


class NodeLag(Record):
    """How far the history of one node has come."""

    node: str
    newest_event: datetime
    recorded: datetime


class Unrecorded(Record):
    """A finished task in the spool of which the history does not know all, and the events to write again."""

    task: str
    stage: str
    missing: tuple[str, ...]
