"""Altered images: those on our disk that are known to differ from what was received, in ``state/altered/``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure import durable
from mercure.event_details import ImageAltered
from mercure.events import EventWriter
from mercure.model import Record, read_state
from mercure.names import is_id
from mercure.spool.layout import Spool, Stage, list_names

_SUFFIX: Final = ".json"
_SETTLED: Final = frozenset({Stage.DISCARD})
"""A rule or a person decided to discard it."""


BadState = Literal["altered", "unreadable"]


class AlteredImage(Record):
    """One image of one task of which our copy is bad.

    Several tasks can hold the same copy, by hard links; each has an entry when it is met there.
    """

    path: str
    """Where it was found, from the root of the spool."""
    task: str | None = None
    series: str | None = None
    sop: str = ""
    sender: str = ""
    """The sender, as far as the task says, who has to send it again."""
    state: BadState = "altered"
    text: str
    """Which part of it, and what is wrong with that."""
    target: str | None = None
    """Where it was to go when it was found."""
    found_by: Literal["delivery", "processing", "scrub"]
    found: AwareDatetime

    @property
    def file(self) -> str:
        """Its name in the task."""
        return self.path.rpartition("/")[2]


class AlteredBook:
    """Register of altered images; an entry counts while the copy is there and its task is not settled."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._folder = spool.stage(Stage.STATE) / "altered"

    def note(self, image: AlteredImage, events: EventWriter | None) -> bool:
        """Record an image and emit its event, unless that was done; return whether it is new."""
        path = self._folder / _name(image)
        if path.exists():
            return False
        if not self._folder.is_dir():
            durable.make_directory(self._folder)
        if events is not None:
            details = ImageAltered(
                file=image.path,
                sop=image.sop,
                state=image.state,
                text=image.text,
                target=image.target,
                found_by=image.found_by,
            )
            key = f"image.altered:{image.file}" if image.task else None
            events.emit(details, task=image.task, series=image.series, key=key)
        durable.write_file(path, image.model_dump_json(exclude_none=True).encode())
        return True

    def images(self) -> list[AlteredImage]:
        """Return the entries that count, each with its present path."""
        found = []
        for name in list_names(self._folder):
            image = self._read(name)
            place = None if image is None else self._place(image)
            if image is not None and place is not None:
                found.append(image.model_copy(update={"path": str(place.relative_to(self._spool.root))}))
        return found

    def forget(self, task: str) -> None:
        """Forget the entries of a task: all its images have been read correctly."""
        for name in list_names(self._folder):
            if name.startswith(f"{task}+"):
                durable.unlink(self._folder / name)

    def clear(self) -> int:
        """Remove the entries that no longer count; return how many."""
        names = list_names(self._folder)
        gone = [name for name in names if (image := self._read(name)) is None or self._place(image) is None]
        for name in gone:
            durable.unlink(self._folder / name)
        return len(gone)

    def _read(self, name: str) -> AlteredImage | None:
        return read_state(self._folder / name, AlteredImage)

    def _place(self, image: AlteredImage) -> Path | None:
        """Return the present path of the copy; None if it is gone or settled."""
        path = self._spool.root / image.path
        if image.task is None or not is_id(image.task):
            return path if path.exists() else None
        inside = image.path.partition(f"{image.task}/")[2] or image.file
        stage = self._spool.find(image.task)
        if stage is not None:
            path = self._spool.entry(stage, image.task) / inside
            return path if stage not in _SETTLED and path.exists() else None
        return path if path.exists() else None


def _name(image: AlteredImage) -> str:
    of_place = hashlib.sha256(image.file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{image.task or Path(image.path).parent.name}+{of_place}{_SUFFIX}"
