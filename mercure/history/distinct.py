"""Images that came several times: each counts once in its series, and is where its first copy is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from peewee import Database, fn

from mercure.history.models import ImageRow, SeriesRow, TaskRow
from mercure.history.reader import batches, records
from mercure.history.records import ImageRecord, SeriesRecord

_AT_ONCE: Final = 500
_Place = tuple[str | None, ...]
"""Node, folder and file of an image."""


def series(database: Database, query: Any) -> list[SeriesRecord]:  # noqa: ANN401 - any query of peewee
    """Run a query for series; of those that may hold an image twice, count the distinct ones.

    The receiver knows an image again while its series is in ``incoming/``; what comes again later is counted once more
    in the series' own row.
    """
    rows = list(query.dicts().execute(database))
    again = _may_repeat(database, {row["id"]: row["images"] for row in rows})
    counted = _count(database, again)
    return [SeriesRecord.model_validate(row | counted.get(row["id"], {})) for row in rows]


def _may_repeat(database: Database, received: dict[int, int]) -> list[int]:
    """Return the series that were taken several times, or that got images after they were taken."""
    found = []
    for some in batches(received, _AT_ONCE):
        query = TaskRow.select(TaskRow.series, fn.COUNT(TaskRow.id), fn.SUM(TaskRow.images)).group_by(TaskRow.series)
        query = query.where(TaskRow.series.in_(some), TaskRow.action == "complete")
        for series_id, tasks, images in query.tuples().execute(database):
            if tasks > 1 or received[series_id] > (images or 0):
                found.append(series_id)
    return found


def _count(database: Database, wanted: Iterable[int]) -> dict[int, dict[str, int]]:
    """Count the images of series by their SOP Instance UID; one without is an image of its own."""
    counted: dict[int, dict[str, int]] = {}
    name = fn.COALESCE(fn.NULLIF(ImageRow.sop, ""), ImageRow.id)
    for some in batches(wanted, _AT_ONCE):
        query = ImageRow.select(ImageRow.series, fn.MAX(ImageRow.bytes), fn.COUNT(ImageRow.id)).group_by(
            ImageRow.series, name
        )
        query = query.where(ImageRow.series.in_(some), ImageRow.received.is_null(False))
        for series_id, size, copies in query.tuples().execute(database):
            of = counted.setdefault(series_id, {"images": 0, "bytes": 0, "repetitions": 0})
            of["images"] += 1
            of["bytes"] += size or 0
            of["repetitions"] += copies - 1
    return counted


def images(database: Database, query: Any) -> list[ImageRecord]:  # noqa: ANN401 - any query of peewee
    """Run a query for images; a repetition, which no task lists, is in the task of the copy that it repeats."""
    found = records(database, query, ImageRecord)
    again = [image for image in found if image.repetition and image.task is None and image.sop]
    kept: dict[_Place, list[tuple[str, str | None]]] = {}
    for some in batches({image.sop or "" for image in again}, _AT_ONCE):
        copies = ImageRow.select(ImageRow.node, SeriesRow.folder, ImageRow.file, ImageRow.id, ImageRow.task).join(
            SeriesRow
        )
        copies = copies.where(ImageRow.sop.in_(some), ImageRow.repetition == False)  # noqa: E712 - an expression of peewee
        for *place, image_id, task in copies.tuples().execute(database):
            kept.setdefault(tuple(place), []).append((image_id, task))
    tasks = {image.id: _repeated(image, kept) for image in again}
    return [image.model_copy(update={"task": tasks[image.id]}) if image.id in tasks else image for image in found]


def _repeated(image: ImageRecord, kept: dict[_Place, list[tuple[str, str | None]]]) -> str | None:
    """Return the task of the last copy before a repetition."""
    copies = [copy for copy in kept.get((image.node, image.folder, image.file), []) if copy[0] <= image.id]
    return max(copies)[1] if copies else None
