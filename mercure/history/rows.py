"""The rows that a batch of events adds to the tables, collected before one statement is sent.

A row holds what one event knows, by the names of the table's model; what it does not know is left out. How it meets a
row that is there already, the model says.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from mercure.event_details import ImageRef
from mercure.history.identifiers import folded, name_parts
from mercure.history.merge import Row, table_of
from mercure.history.models import HistoryModel, SeriesRow
from mercure.history.text import MAX_BYTES, clip, count_of

TRAIT: Final = "sender."
"""With what the names of totals begin that tell what senders are like."""

BETWEEN: Final = "\t"
"""What stands in their labels between sender and value: no AE title and no UID has it."""

MOST_TRAITS: Final = 20_000
"""Of all senders of a node together. What comes beyond is counted and not kept (`TRAITS_NOT_KEPT`): AE titles are free
to invent, and senders that may not be known yet are let in."""
MOST_TRAITS_OF_ADDRESS: Final = 2_000
"""Of all AE titles at one address: a gateway speaks for a hundred scanners at most."""
TRAITS_NOT_KEPT: Final = "traits.not_kept"
"""The counter of what senders use that was not kept, in how many messages."""

TRAIT_CHARS: Final = 64
"""Longest value of a trait: that of a UID (PS3.5 section 9.1)."""


@dataclass(frozen=True, slots=True)
class ListedImages:
    """A list of images by its content; see `mercure.history.models.ImageListRow`."""

    digest: str
    entries: tuple[tuple[str, str | None, str, int], ...]
    """File, image id, SOP Instance UID and bytes of each, in the order of the files."""

    @classmethod
    def of(cls, images: Iterable[ImageRef]) -> ListedImages:
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


@dataclass
class Rows:
    """Everything that a batch adds.

    Parameters
    ----------
    node : str
        The router whose outbox is read; part of every row.
    """

    node: str
    of: defaultdict[type[HistoryModel], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """The rows of each table; a reference to a series is its folder until the row is written, one to a list its digest.
    """
    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By folder; what several events say of one series is merged here already."""
    identifiers: set[tuple[str, str, str]] = field(default_factory=set)
    """Folded value, kind, folder of the series."""
    said: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    """What images say of their series, so that it is not put in order again for each of a thousand images."""
    lists: dict[str, ListedImages] = field(default_factory=dict)
    counters: dict[tuple[str, int, str], float] = field(default_factory=dict)
    """By name, minute and label."""
    traits: dict[tuple[str, str], tuple[float, int, int]] = field(default_factory=dict)
    """What senders are like, by name and label: how often it was seen, in which minute first and last."""
    newest_event: int = 0

    def add(self, table: type[HistoryModel], **row: Any) -> None:  # noqa: ANN401 - whatever a column holds
        """Add a row of this node."""
        row["node"] = self.node
        self.of[table].append(row)

    def add_series(self, folder: str, row: Row) -> None:
        """Add what an event says of a series; `images`, `bytes` and `repetitions` are increases."""
        there = self.series.get(folder)
        self.series[folder] = (
            {"node": self.node, "folder": folder, **row} if there is None else table_of(SeriesRow).merge(there, row)
        )

    def count(self, minute: int, name: str, label: str, value: float = 1) -> None:
        """Add to a counter."""
        key = (name, minute, label)
        self.counters[key] = self.counters.get(key, 0) + value

    def learn(self, minute: int, sender: str, trait: str, value: str) -> None:
        """Add what a sender uses: a SOP class, a transfer syntax. Only in `totals`: nobody asks it by the minute."""
        if not value:
            return
        key = (f"{TRAIT}{trait}", f"{sender}{BETWEEN}{clip(value.replace(BETWEEN, ' '), TRAIT_CHARS)}")
        there = self.traits.get(key)
        self.traits[key] = (
            (1, minute, minute) if there is None else (there[0] + 1, min(there[1], minute), max(there[2], minute))
        )

    def image_list(self, images: Iterable[ImageRef]) -> ListedImages:
        """Take up a list of images."""
        listed = ListedImages.of(images)
        return self.lists.setdefault(listed.digest, listed)

    def identify(self, folder: str, kind: str, value: str) -> None:
        """Make a series findable by a value, and by each word of a name."""
        if not value:
            return
        parts = name_parts(value) if kind == "patient_name" else {folded(value)}
        self.identifiers.update((part, kind, folder) for part in parts if part)
