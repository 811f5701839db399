"""The story of a task or a series, put together from events, images and attempts."""

from __future__ import annotations

from typing import Any

from peewee import JOIN, Database, fn

from mercure.history.identifiers import folded
from mercure.history.instants import instant_of
from mercure.history.models import AssociationRow, EventRow, IdentifierRow, ImageRow, TaskRow
from mercure.history.reader import records
from mercure.history.records import EventRecord


def series_ids(identifier: str, kind: str = "series_uid") -> Any:  # noqa: ANN401 - peewee's queries
    """Make the query for the rows of a SeriesInstanceUID, or that had another identifier: one for each node."""
    return IdentifierRow.select(IdentifierRow.series).where(
        IdentifierRow.folded == folded(identifier), IdentifierRow.kind == kind
    )


def tasks_of(series: Any) -> Any:  # noqa: ANN401 - peewee's queries and expressions
    """Make the condition for all tasks that hold images of some series: their own, and those of studies with them."""
    member = TaskRow.alias()
    studies = member.select(member.study_task).where(member.series.in_(series), member.study_task.is_null(False))
    return TaskRow.series.in_(series) | TaskRow.id.in_(studies) | TaskRow.parent.in_(studies)


def of_task(database: Database, task: str) -> list[EventRecord]:
    """List all that happened to a task, in order."""
    query = EventRow.select().where(EventRow.task == task).order_by(EventRow.time, EventRow.id)
    return records(database, query, EventRecord)


def of_series(database: Database, series_uid: str) -> list[EventRecord]:
    """List all that happened to a series, in order.

    The images of one association are one line, ``images.received`` at the time of the last: a series of a thousand
    images takes a dozen lines.
    """
    mine = series_ids(series_uid)
    tasks = TaskRow.select(TaskRow.id).where(tasks_of(mine))
    about_tasks = EventRow.select().where(EventRow.task.in_(tasks))
    about_series = EventRow.select().where(EventRow.series == series_uid, EventRow.task.is_null())
    events = records(database, about_tasks, EventRecord) + records(database, about_series, EventRecord)
    arrivals = _arrivals(database, mine, series_uid)
    return sorted(events + arrivals, key=lambda event: (event.time, event.id))


def _arrivals(database: Database, mine: Any, series_uid: str) -> list[EventRecord]:  # noqa: ANN401 - peewee's queries
    sender = (AssociationRow.id, AssociationRow.address, AssociationRow.calling_aet, AssociationRow.called_aet)
    times = (fn.MIN(ImageRow.received), fn.MAX(ImageRow.received))
    query = ImageRow.select(ImageRow.node, *sender, fn.COUNT(ImageRow.id), fn.SUM(ImageRow.bytes), *times)
    query = query.join(AssociationRow, JOIN.LEFT_OUTER, on=ImageRow.association == AssociationRow.id)
    query = query.where(ImageRow.series.in_(mine), ImageRow.received.is_null(False)).group_by(ImageRow.node, *sender)
    return [_arrival(series_uid, *row) for row in query.tuples().execute(database)]


def _arrival(series_uid: str, node: str, *row: Any) -> EventRecord:  # noqa: ANN401 - values of one row
    association, address, calling_aet, called_aet, images, size, first, last = row
    details = {
        "association": association,
        "address": address,
        "calling_aet": calling_aet,
        "called_aet": called_aet,
        "images": images,
        "bytes": int(size or 0),
        "first": instant_of(first).isoformat(),
        "last": instant_of(last).isoformat(),
    }
    return EventRecord(
        id=f"{association}:{node}",
        node=node,
        time=instant_of(last),
        service="receiver",
        type="images.received",
        series=series_uid,
        details=details,
    )
