"""What a batch of events adds to the tables, collected before one statement is sent.

A row holds what one event knows; None means "this event says nothing about it". How it meets a row that is there
already is told in `mercure.history.upserts`.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from mercure.event_details import ImageRef
from mercure.history.text import MAX_BYTES, NAME_CHARS, clip, count_of

_SEPARATORS = re.compile(r"[\^=\s]+")
_HYPHENS = re.compile(r"[-\u2010-\u2015\u2212]+")
"""Between the two halves of a double name."""


@dataclass(slots=True)
class SeriesRow:
    """See `mercure.history.models.Series`; `images`, `bytes` and `repetitions` are increases."""

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
    identity_order: str | None = None
    address: str | None = None
    calling_aet: str | None = None
    called_aet: str | None = None
    origin_order: str | None = None
    first_received: int | None = None
    last_received: int | None = None
    images: int = 0
    bytes: int = 0
    repetitions: int = 0


@dataclass(slots=True)
class AssociationRow:
    """See `mercure.history.models.Association`."""

    id: str
    node: str
    address: str | None = None
    calling_aet: str | None = None
    called_aet: str | None = None
    contexts: int | None = None
    opened: int | None = None
    closed: int | None = None
    how: str | None = None
    images: int | None = None
    bytes: int | None = None
    refused: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class ImageRow:
    """See `mercure.history.models.Image`; `series` is the folder until the row is written."""

    id: str
    node: str
    series: str | int | None = None
    association: str | None = None
    received: int | None = None
    file: str | None = None
    sop: str | None = None
    sop_class: str | None = None
    transfer_syntax: str | None = None
    bytes: int | None = None
    repetition: bool | None = None
    durable: bool | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class ImageListRow:
    """A list of images by its content; see `mercure.history.models.ImageList`."""

    digest: str
    entries: tuple[tuple[str, str | None, str, int], ...]
    """File, image id, SOP Instance UID and bytes of each, in the order of the files."""

    @classmethod
    def of(cls, images: Iterable[ImageRef]) -> ImageListRow:
        """Make the list whatever the order in which an event names the images."""
        entries: dict[str, tuple[str, str | None, str, int]] = {}
        for image in sorted(images, key=lambda image: (image.file, image.image or "", image.sop, image.bytes)):
            file = clip(image.file)
            name = clip(image.image) if image.image else None
            entries.setdefault(file, (file, name, clip(image.sop), count_of(image.bytes, MAX_BYTES)))
        ordered = tuple(entries.values())
        return cls(hashlib.sha256(json.dumps(ordered).encode()).hexdigest()[:40], ordered)

    @property
    def bytes(self) -> int:
        """Bytes of all the images."""
        return sum(entry[3] for entry in self.entries)


@dataclass(slots=True)
class TaskRow:
    """See `mercure.history.models.Task`; series and lists are folder and digests until the row is written."""

    id: str
    node: str
    parent: str | None = None
    series: str | int | None = None
    action: str | None = None
    stage: str | None = None
    module: str | None = None
    rules: str | None = None
    priority: str | None = None
    late: bool | None = None
    completion: str | None = None
    scope: str | None = None
    series_uid: str | None = None
    study_uid: str | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    accession: str | None = None
    modality: str | None = None
    series_description: str | None = None
    study_task: str | None = None
    images: int | None = None
    bytes: int | None = None
    image_list: str | int | None = None
    created: int | None = None
    facts_order: str | None = None
    target: str | None = None
    target_order: str | None = None
    state: str | None = None
    state_order: str | None = None
    since: int | None = None
    reason: str | None = None
    advice: str | None = None
    since_order: str | None = None
    decided: int | None = None
    discarded_by: str | None = None
    attempts: int | None = None
    last_attempt: int | None = None
    last_error: str | None = None
    next_attempt: int | None = None
    attempt_order: str | None = None
    delivered: int | None = None
    delivered_list: str | int | None = None
    delivered_order: str | None = None
    retired: int | None = None
    retired_from: str | None = None
    retired_reason: str | None = None
    retired_order: str | None = None


@dataclass(slots=True)
class AttemptRow:
    """See `mercure.history.models.Attempt`."""

    task: str
    number: int
    node: str
    time: int
    target: str | None
    module: str | None
    outcome: str
    kind: str | None
    error: str | None
    images: int
    sent: int
    confirmed: int
    bytes: int
    seconds: float
    next_attempt: int | None
    event_order: str


@dataclass(slots=True)
class EventRow:
    """See `mercure.history.models.EventRow`."""

    id: str
    node: str
    time: int
    service: str
    type: str
    task: str | None
    series: str | None
    details: str


@dataclass(slots=True)
class AuditRow:
    """See `mercure.history.models.AuditRow`."""

    id: str
    node: str
    time: int
    by: str
    verb: str
    object: str
    task: str | None
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class MetricKey:
    """One counter or gauge in one minute."""

    minute: int
    name: str
    label: str


@dataclass
class Rows:
    """Everything that a batch adds.

    Parameters
    ----------
    node : str
        The router whose outbox is read; part of every row.
    """

    node: str
    series: dict[str, SeriesRow] = field(default_factory=dict)
    identifiers: set[tuple[str, str, str]] = field(default_factory=set)
    """Folded value, kind, folder of the series."""
    seen: set[tuple[str, ...]] = field(default_factory=set)
    """Folder and identifiers of the images, so that a series of a thousand images is not folded a thousand times."""
    associations: list[AssociationRow] = field(default_factory=list)
    images: list[ImageRow] = field(default_factory=list)
    lists: dict[str, ImageListRow] = field(default_factory=dict)
    tasks: list[TaskRow] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)
    counters: dict[MetricKey, float] = field(default_factory=dict)
    gauges: dict[MetricKey, tuple[str, float]] = field(default_factory=dict)
    """The order of the event that told it, and the value."""
    newest_event: int = 0

    def count(self, minute: int, name: str, label: str, value: float = 1) -> None:
        """Add to a counter."""
        key = MetricKey(minute, name, label)
        self.counters[key] = self.counters.get(key, 0) + value

    def gauge(self, key: MetricKey, order: str, value: float) -> None:
        """Set a gauge, unless a later event has set it."""
        self.gauges[key] = max(self.gauges.get(key, ("", 0.0)), (order, value))

    def image_list(self, images: Iterable[ImageRef]) -> ImageListRow:
        """Take up a list of images."""
        listed = ImageListRow.of(images)
        return self.lists.setdefault(listed.digest, listed)

    def identify(self, folder: str, kind: str, value: str) -> None:
        """Make a series findable by a value, and by each word of a name."""
        if not value:
            return
        parts = name_parts(value) if kind == "patient_name" else {folded(value)}
        self.identifiers.update((part, kind, folder) for part in parts if part)


def folded(value: str) -> str:
    """Return a text as it is searched: compatible forms and upper or lower case mean the same.

    It is composed after the change of case, too: that takes some characters apart.
    """
    caseless = unicodedata.normalize("NFKC", value).casefold()
    return clip(unicodedata.normalize("NFKC", caseless).strip(), NAME_CHARS)


def name_parts(name: str) -> set[str]:
    """Return by what a name is found: whole, by each word of it, and by what follows a hyphen in a double name."""
    whole = folded(name)
    words = _SEPARATORS.split(whole)
    halves = (word[match.end() :] for word in words for match in _HYPHENS.finditer(word))
    return {whole, *words, *halves} - {""}
