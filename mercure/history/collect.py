"""From the lines of a batch to rows: what is new in them, and what each event adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from peewee import Database
from pydantic import ValidationError

from mercure.event_details import ImageReceived
from mercure.events import Event
from mercure.history.handlers import HANDLERS, told_details
from mercure.history.instants import micros
from mercure.history.lines import Line, shown, unreadable_id
from mercure.history.rows import EventRow, Rows
from mercure.history.telling import UnusableError, key
from mercure.history.text import clip, json_text
from mercure.history.writer import known_events, known_images
from mercure.model import Record

UNREADABLE = "unreadable"
"""Type of the rows that stand for bytes of the outbox in which no event could be read."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its typed details, or why it has none."""

    event: Event
    details: Record | None
    problem: str | None = None

    @property
    def image(self) -> str | None:
        """The id of the image that it tells to have been received."""
        return key(self.details.image) if isinstance(self.details, ImageReceived) and self.details.image else None


def collect(database: Database, node: str, lines: Sequence[Line], now: int) -> tuple[Rows, int]:
    """Make the rows of a batch out of what the history does not know yet.

    Parameters
    ----------
    database : peewee.Database
        Inside the transaction in which the rows will be written.
    node : str
        The router whose outbox it is.
    lines : sequence of Line
        In the order read.
    now : int
        The present, in microseconds since 1970.

    Returns
    -------
    tuple
        The rows, and how many events are new.
    """
    rows = Rows(node)
    fresh = _unknown(database, [_typed(line.event) for line in lines if line.event is not None])
    for told in fresh:
        _add(rows, told)
    for file, group in groupby(lines, key=lambda line: line.file if line.event is None else None):
        if file is not None:
            _add_unreadable(rows, file, list(group), now)
    return rows, len(fresh)


def _typed(event: Event) -> Told:
    try:
        return Told(event, event.typed())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return Told(event, None, clip(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))


def _unknown(database: Database, events: Sequence[Told]) -> list[Told]:
    """Leave out what is in the history, and what comes twice in this batch."""
    images = known_images(database, [image for told in events if (image := told.image) is not None])
    known = known_events(database, [told.event.id for told in events if told.image is None])
    fresh = []
    for told in events:
        image, seen = told.image, images
        name = image
        if name is None:
            name, seen = told.event.id, known
        if name not in seen:
            seen.add(name)
            fresh.append(told)
    return fresh


def _add(rows: Rows, told: Told) -> None:
    event, problem = told.event, told.problem
    handler = HANDLERS.get(event.type)
    if handler is not None and told.details is not None:
        try:
            handler(rows, event, told.details)
        except UnusableError as error:
            problem = str(error)
    moment = micros(event.time)
    rows.newest_event = max(rows.newest_event, moment)
    if told.image is not None:
        return  # the row of the image is the record of this event
    details = told_details(event)
    rows.events.append(
        EventRow(
            id=event.id,
            node=rows.node,
            time=moment,
            service=clip(event.service),
            type=clip(event.type),
            task=event.task,
            series=clip(event.series) if event.series else None,
            details=json_text(details if problem is None else details | {"unusable": problem}),
        )
    )


def _add_unreadable(rows: Rows, file: str, lines: Sequence[Line], now: int) -> None:
    """Keep one row for neighbouring lines that cannot be read, with the beginning of the first."""
    first = lines[0]
    details = {
        "file": file,
        "position": first.start,
        "bytes": lines[-1].end - first.start,
        "lines": len(lines),
        "reason": first.problem,
        "raw": shown(first.raw),
    }
    service = file.partition("-")[0]
    rows.events.append(
        EventRow(
            id=unreadable_id(file, first.start),
            node=rows.node,
            time=now,
            service=clip(service),
            type=UNREADABLE,
            task=None,
            series=None,
            details=json_text(details),
        )
    )
