"""From the lines of a batch to rows: what is new in them, and what each event adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from peewee import Database
from pydantic import ValidationError

from mercure.event_details import ImageReceived
from mercure.events import Event
from mercure.history.handlers import HANDLERS, UnusableError, kept_details, key
from mercure.history.instants import micros
from mercure.history.models import EventRow
from mercure.history.outbox_lines import OutboxLine, shown, unreadable_id
from mercure.history.rows import Rows
from mercure.history.text import clip, json_text
from mercure.history.writer import known_events, known_images
from mercure.model import Record

UNREADABLE = "unreadable"
"""Type of the rows that stand for bytes of the outbox in which no event could be read."""


@dataclass(frozen=True, slots=True)
class TypedEvent:
    """An event with its typed details, or why it has none."""

    event: Event
    details: Record | None
    problem: str | None = None
    image: str | None = None
    """The id of the image, if this event is its receipt."""


def collect(database: Database, node: str, lines: Sequence[OutboxLine], now: int) -> tuple[Rows, int]:
    """Make the rows of a batch out of what the history does not know yet.

    Parameters
    ----------
    database : peewee.Database
        Inside the transaction in which the rows will be written.
    node : str
        The router whose outbox it is.
    lines : sequence of OutboxLine
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
    for typed in fresh:
        _add(rows, typed)
    for file, group in groupby(lines, key=lambda line: line.file if line.event is None else None):
        if file is not None:
            _add_unreadable(rows, file, list(group), now)
    return rows, len(fresh)


def _typed(event: Event) -> TypedEvent:
    try:
        details = event.typed()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return TypedEvent(event, None, clip(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
    image = key(details.image) if isinstance(details, ImageReceived) and details.image else None
    return TypedEvent(event, details, image=image)


def _unknown(database: Database, events: Sequence[TypedEvent]) -> list[TypedEvent]:
    """Leave out what is in the history, and what comes twice in this batch."""
    images = known_images(database, [image for typed in events if (image := typed.image) is not None])
    known = known_events(database, [typed.event.id for typed in events if typed.image is None])
    fresh = []
    for typed in events:
        image, seen = typed.image, images
        name = image
        if name is None:
            name, seen = typed.event.id, known
        if name not in seen:
            seen.add(name)
            fresh.append(typed)
    return fresh


def _add(rows: Rows, typed: TypedEvent) -> None:
    event, problem = typed.event, typed.problem
    handler = HANDLERS.get(event.type)
    if handler is not None and typed.details is not None:
        try:
            handler(rows, event, typed.details)
        except UnusableError as error:
            problem = str(error)
    moment = micros(event.time)
    rows.newest_event = max(rows.newest_event, moment)
    if typed.image is not None:
        return  # the row of the image is the record of this event
    details = kept_details(event)
    rows.add(
        EventRow,
        id=event.id,
        time=moment,
        service=clip(event.service),
        type=clip(event.type),
        task=event.task,
        series=clip(event.series) if event.series else None,
        details=json_text(details if problem is None else details | {"unusable": problem}),
    )


def _add_unreadable(rows: Rows, file: str, lines: Sequence[OutboxLine], now: int) -> None:
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
    rows.add(
        EventRow,
        id=unreadable_id(file, first.start),
        time=now,
        service=clip(file.partition("-")[0]),
        type=UNREADABLE,
        details=json_text(details),
    )
