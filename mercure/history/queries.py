"""Asking the history. Everybody but the bookkeeper reads through `History`, which cannot change anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from peewee import JOIN, Database, SqliteDatabase, fn

from mercure.history import models, timelines
from mercure.history.database import run_sql
from mercure.history.identifiers import folded
from mercure.history.instants import MINUTE, instant_of, micros
from mercure.history.models import (
    AssociationRow,
    EventRow,
    IdentifierRow,
    ImageRow,
    MetricsMinuteRow,
    NodeRow,
    SeriesRow,
    SeriesTagRow,
    TaskRow,
)
from mercure.history.reader import HistoryUnavailableError, Reader, batches, records
from mercure.history.records import (
    AssociationRecord,
    AttemptRecord,
    AuditRecord,
    CounterPoint,
    EventRecord,
    ImageRecord,
    NodeLag,
    SeriesRecord,
    TaskRecord,
    Unrecorded,
)
from mercure.history.series_tags import TagColumn, has_tables, tag_columns
from mercure.history.tag_conditions import TagCondition, narrowed

__all__ = ["History", "HistoryUnavailableError", "Identifier", "ResultPage"]

RECORDED_AS: Final = {
    "success": ("delivered", "processed"),
    "discard": ("discarded",),
    "error": ("failed",),
}
"""States of a task in the history while it is in one of the last stages."""

_TELLING: Final = {"success": "task.delivered", "discard": "task.created", "error": "task.failed"}
_ASKED_AT_ONCE: Final = 500
_FOUND_AT_ONCE: Final = 2000
_IMAGES_AT_ONCE: Final = 200
_LAST_CHARACTER: Final = "\U0010ffff"

_Place = tuple[str | None, ...]
"""Node, folder and file of an image."""


@dataclass(frozen=True)
class Identifier:
    """The whole of what identifies an exam: what was ever received under it is meant.

    Parameters
    ----------
    kind : str
        ``accession`` or ``study_uid``, as in the table ``identifiers``.
    text : str
        Upper and lower case mean the same.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class ResultPage:
    """A part of a long answer, newest first.

    Parameters
    ----------
    limit : int
        At most so many rows.
    offset : int
        Rows to leave out at the beginning.
    since, until : datetime, optional
        Aware instants: from `since` on, and before `until`.
    """

    limit: int = 100
    offset: int = 0
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, query: Any, column: Any) -> Any:  # noqa: ANN401 - peewee's queries and fields
        """Narrow a query down."""
        if self.since is not None:
            query = query.where(column >= micros(self.since))
        if self.until is not None:
            query = query.where(column < micros(self.until))
        return query.limit(self.limit).offset(self.offset)


_FIRST_PAGE: Final = ResultPage()


class History(Reader):
    """The questions that screens, commands and services ask."""

    def series(
        self,
        page: ResultPage = _FIRST_PAGE,
        *,
        series_uid: str | None = None,
        of: Identifier | None = None,
        modality: str | None = None,
        calling_aet: str | None = None,
        node: str | None = None,
        tags: Iterable[TagCondition] = (),
    ) -> list[SeriesRecord]:
        """List series, the last received first.

        Raises
        ------
        mercure.history.tag_conditions.ConditionError
            A tag is not kept, or cannot be compared with a value.
        """
        query = SeriesRow.select().order_by(SeriesRow.last_received.desc(), SeriesRow.id.desc())
        if of is not None:
            query = query.where(SeriesRow.id.in_(timelines.series_ids(of.text, of.kind)))
        if series_uid is not None:
            query = query.where(SeriesRow.id.in_(timelines.series_ids(series_uid)))
        given = {SeriesRow.modality: modality, SeriesRow.calling_aet: calling_aet, SeriesRow.node: node}
        with self.reading() as database:
            query = narrowed(_equal(query, given), database, tags)
            found = page.apply(query, SeriesRow.last_received).dicts().execute(database)
            return distinct_series(database, list(found))

    def tag_columns(self) -> list[TagColumn]:
        """Return the tags that are kept of series besides those that every series has."""
        with self.reading() as database:
            return tag_columns(database)

    def export(self, tags: Iterable[TagCondition], page: ResultPage, after: int = 0) -> list[tuple[int, SeriesRecord]]:
        """List series in the order in which they were first recorded, each with its number in it.

        Parameters
        ----------
        tags : iterable of TagCondition
            Only those for which these hold.
        page : ResultPage
            By when their last image came, and at most how many.
        after : int
            Only those behind this number.
        """
        query = SeriesRow.select().where(SeriesRow.id > after).order_by(SeriesRow.id)
        with self.reading() as database:
            wanted = page.apply(narrowed(query, database, tags), SeriesRow.last_received)
            rows = list(wanted.dicts().execute(database))
            kept = _tags_of(database, [row["id"] for row in rows])
            return [(row["id"], SeriesRecord.model_validate(row | {"tags": kept.get(row["id"], {})})) for row in rows]

    def tagged(self, tags: Iterable[TagCondition], node: str) -> list[tuple[str, str]]:
        """Return Study and Series Instance UID of the series of a router for which conditions hold."""
        with self.reading() as database:
            query = SeriesRow.select(SeriesRow.study_uid, SeriesRow.series_uid).where(SeriesRow.node == node)
            found = narrowed(query, database, tags).tuples().execute(database)
            return [(study or "", series or "") for study, series in found]

    def holds(self, series_uid: str, identifiers: Mapping[tuple[str, ...], str]) -> bool:
        """Return True if a series was ever seen under all of some identifiers.

        Parameters
        ----------
        series_uid : str
            Which series.
        identifiers : mapping of tuple of str to str
            By kinds of identifier (one of them is enough) its beginning; a UID is meant whole.
        """
        with self.reading() as database:
            return all(
                IdentifierRow.select(IdentifierRow.series)
                .where(IdentifierRow.series.in_(timelines.series_ids(series_uid)), IdentifierRow.kind.in_(kinds))
                .where(_beginning(folded(text), whole=kinds[0].endswith("_uid")))
                .limit(1)
                .tuples()
                .execute(database)
                for kinds, text in identifiers.items()
            )

    def find(self, text: str, *, limit: int = 100, tags: Iterable[TagCondition] = ()) -> list[SeriesRecord]:
        """Find series by the beginning of what identifies them, and for which conditions hold.

        Parameters
        ----------
        text : str
            Beginning of a patient id, of a patient name or one of its parts, of an accession number, or of a Study,
            Series or SOP Instance UID; upper and lower case mean the same.
        limit : int
            At most so many, the last received first.
        tags : iterable of TagCondition
            Must all hold.
        """
        with self.reading() as database:
            query = SeriesRow.select().where(SeriesRow.id.in_(found_series(database, text)))
            query = narrowed(query, database, tags)
            ordered = query.order_by(SeriesRow.last_received.desc(), SeriesRow.id.desc())
            return distinct_series(database, list(ordered.limit(limit).dicts().execute(database)))

    def images(
        self,
        page: ResultPage = _FIRST_PAGE,
        *,
        series_uid: str | None = None,
        of: Identifier | None = None,
        sop: str | None = None,
        task: str | None = None,
        node: str | None = None,
    ) -> list[ImageRecord]:
        """List images, the last received first; those of a task are all that it holds."""
        query = ImageRow.select(ImageRow, SeriesRow.series_uid, SeriesRow.folder).join(SeriesRow, JOIN.LEFT_OUTER)
        if of is not None:
            query = query.where(ImageRow.series.in_(timelines.series_ids(of.text, of.kind)))
        if series_uid is not None:
            query = query.where(ImageRow.series.in_(timelines.series_ids(series_uid)))
        if task is not None:
            held = models.TaskImageRow.select(models.TaskImageRow.image).join(
                TaskRow, on=TaskRow.image_list == models.TaskImageRow.list
            )
            query = query.where(ImageRow.id.in_(held.where(TaskRow.id == task)))
        query = _equal(query, {ImageRow.sop: sop, ImageRow.node: node}).order_by(ImageRow.id.desc())
        with self.reading() as database:
            return _distinct_images(database, page.apply(query, ImageRow.received))

    def tasks(
        self,
        page: ResultPage = _FIRST_PAGE,
        *,
        states: Sequence[str] = (),
        target: str | None = None,
        series_uid: str | None = None,
        study_uid: str | None = None,
        parent: str | None = None,
        node: str | None = None,
    ) -> list[TaskRecord]:
        """List tasks, the newest first."""
        query = TaskRow.select().order_by(TaskRow.id.desc())
        if states:
            query = query.where(TaskRow.state.in_(list(states)))
        if series_uid is not None:
            query = query.where(timelines.tasks_of(timelines.series_ids(series_uid)))
        given = {TaskRow.target: target, TaskRow.study_uid: study_uid, TaskRow.parent: parent, TaskRow.node: node}
        query = _equal(query, given)
        return self.fetch(page.apply(query, TaskRow.created), TaskRecord)

    def tasks_of(self, of: Identifier, page: ResultPage = _FIRST_PAGE) -> list[TaskRecord]:
        """List the tasks that hold images of an exam, the newest first."""
        query = TaskRow.select().where(timelines.tasks_of(timelines.series_ids(of.text, of.kind)))
        return self.fetch(page.apply(query.order_by(TaskRow.id.desc()), TaskRow.created), TaskRecord)

    def task(self, task: str) -> TaskRecord | None:
        """Return one task; None when the history does not know it."""
        found = self.fetch(TaskRow.select().where(TaskRow.id == task), TaskRecord)
        return found[0] if found else None

    def associations(self, associations: Iterable[str]) -> dict[str, AssociationRecord]:
        """Return connections of senders by their id: those that the history knows."""
        with self.reading() as database:
            found = [
                record
                for some in batches(associations, _ASKED_AT_ONCE)
                for record in records(
                    database, AssociationRow.select().where(AssociationRow.id.in_(some)), AssociationRecord
                )
            ]
        return {record.id: record for record in found}

    def attempts(self, task: str) -> list[AttemptRecord]:
        """List the attempts of a task, the first one first."""
        query = models.AttemptRow.select().where(models.AttemptRow.task == task)
        return self.fetch(query.order_by(models.AttemptRow.number), AttemptRecord)

    def events(
        self,
        page: ResultPage = _FIRST_PAGE,
        *,
        type: str | None = None,
        service: str | None = None,
        task: str | None = None,
        series_uid: str | None = None,
        node: str | None = None,
    ) -> list[EventRecord]:
        """List events, the latest first. ``image.received`` is not among them: see `images`.

        Parameters
        ----------
        page : ResultPage
            Which part.
        type : str, optional
            A type, or with a dot at its end all that begin so (``"task."``).
        service, task, series_uid, node : str, optional
            What the events are about.
        """
        query = EventRow.select().order_by(EventRow.time.desc(), EventRow.id.desc())
        if type is not None and type.endswith("."):
            query = query.where((EventRow.type >= type) & (EventRow.type < type + _LAST_CHARACTER))
        elif type is not None:
            query = query.where(EventRow.type == type)
        given = {EventRow.service: service, EventRow.task: task, EventRow.series: series_uid, EventRow.node: node}
        return self.fetch(page.apply(_equal(query, given), EventRow.time), EventRecord)

    def audit(
        self, page: ResultPage = _FIRST_PAGE, *, by: str | None = None, task: str | None = None
    ) -> list[AuditRecord]:
        """List what people changed, the latest first."""
        table = models.AuditRow
        query = table.select().order_by(table.time.desc(), table.id.desc())
        return self.fetch(page.apply(_equal(query, {table.by: by, table.task: task}), table.time), AuditRecord)

    def task_timeline(self, task: str) -> list[EventRecord]:
        """List all that happened to a task, in order."""
        with self.reading() as database:
            return timelines.of_task(database, task)

    def series_timeline(self, series_uid: str) -> list[EventRecord]:
        """List all that happened to a series, in order: its images by association, and the events of all its tasks."""
        with self.reading() as database:
            return timelines.of_series(database, series_uid)

    def counters(
        self,
        names: Sequence[str],
        since: datetime,
        until: datetime,
        *,
        step: int = 1,
        node: str | None = None,
    ) -> list[CounterPoint]:
        """Return counters over time.

        Parameters
        ----------
        names : sequence of str
            Which, e.g. ``["images.received"]`` (``docs/reference/history.md``).
        since, until : datetime
            Aware instants; `until` is not included.
        step : int
            Minutes that are summed up to one point; of gauges the highest value counts.
        node : str, optional
            Only this node.

        Returns
        -------
        list of CounterPoint
            In the order of time. A step in which nothing happened has no point.
        """
        table, width = MetricsMinuteRow, step * MINUTE
        begin = (table.minute / width * width).alias("begin")  # whole numbers in both databases
        gauge = fn.MAX(table.gauge_order)
        query = table.select(
            table.name, table.label, table.node, begin, fn.SUM(table.value), fn.MAX(table.value), gauge
        )
        query = query.where(table.name.in_(list(names)), table.minute >= micros(since), table.minute < micros(until))
        query = _equal(query, {table.node: node}).group_by(table.name, table.label, table.node, begin)
        with self.reading() as database:
            rows = list(query.order_by(begin, table.name, table.label, table.node).tuples().execute(database))
        return [
            CounterPoint(
                name=name, label=label, node=of, minute=instant_of(at), value=total if told is None else highest
            )
            for name, label, of, at, total, highest, told in rows
        ]

    def task_states(self, tasks: Iterable[str]) -> dict[str, str]:
        """Return the state of each task that the history knows."""
        states: dict[str, str] = {}
        with self.reading() as database:
            for some in batches(tasks, _ASKED_AT_ONCE):
                query = TaskRow.select(TaskRow.id, TaskRow.state).where(
                    TaskRow.id.in_(some), TaskRow.state.is_null(False)
                )
                states.update(query.tuples().execute(database))
        return states

    def unrecorded(self, tasks: Iterable[tuple[str, str]]) -> list[Unrecorded]:
        """List the finished tasks of the spool that the history does not know as such, and the events to write again.

        Parameters
        ----------
        tasks : iterable of (str, str)
            Task id and the stage in which it is: ``success``, ``discard`` or ``error``.
        """
        stages = dict(tasks)
        known: dict[str, tuple[str | None, str | None]] = {}
        with self.reading() as database:
            for some in batches(stages, _ASKED_AT_ONCE):
                query = TaskRow.select(TaskRow.id, TaskRow.state, TaskRow.facts_order).where(TaskRow.id.in_(some))
                known.update((task, (state, facts)) for task, state, facts in query.tuples().execute(database))
        found = []
        for task, stage in stages.items():
            state, facts = known.get(task, (None, None))
            missing = [] if facts is not None else ["task.created"]
            if state not in RECORDED_AS[stage] and _TELLING[stage] not in missing:
                missing.append(_TELLING[stage])
            if missing:
                found.append(Unrecorded(task=task, stage=stage, missing=tuple(missing)))
        return found

    def size_bytes(self) -> int:
        """Return the size of the history; on a server that of its whole database."""
        with self.reading() as database:
            if isinstance(database, SqliteDatabase):
                return int(database.pragma("page_count")) * int(database.pragma("page_size"))
            return int(run_sql(database, "SELECT pg_database_size(current_database())").fetchone()[0])

    def lag(self) -> list[NodeLag]:
        """Return how far the history of each node has come."""
        return self.fetch(NodeRow.select().order_by(NodeRow.node), NodeLag)


def found_series(database: Database, text: str) -> list[int]:
    """Find series by the beginning of what identifies them, as `History.find`, and return the keys of their rows."""
    wanted = folded(text)
    if not wanted:
        return []
    beyond = wanted + _LAST_CHARACTER
    named = IdentifierRow.select(IdentifierRow.series).limit(_FOUND_AT_ONCE)
    named = named.where((IdentifierRow.folded >= wanted) & (IdentifierRow.folded < beyond))
    # People search for an image by its whole UID or nearly so; a prefix that thousands share means their series.
    holding = ImageRow.select(ImageRow.series).limit(_IMAGES_AT_ONCE)
    holding = holding.where((ImageRow.sop >= wanted) & (ImageRow.sop < beyond) & ImageRow.series.is_null(False))
    return sorted({found for query in (named, holding) for (found,) in query.tuples().execute(database)})


def tagged_series(database: Database, tags: Iterable[TagCondition], among: Sequence[int] = ()) -> list[int]:
    """Return the keys of the rows for which conditions hold: among some, else of the last ones received."""
    query = SeriesRow.select(SeriesRow.id).order_by(SeriesRow.last_received.desc()).limit(_FOUND_AT_ONCE)
    if among:
        query = query.where(SeriesRow.id.in_(among))
    return [number for (number,) in narrowed(query, database, tags).tuples().execute(database)]


def _beginning(wanted: str, *, whole: bool) -> Any:  # noqa: ANN401 - peewee's expressions
    if whole:
        return IdentifierRow.folded == wanted
    return (IdentifierRow.folded >= wanted) & (IdentifierRow.folded < wanted + _LAST_CHARACTER)


def _equal(query: Any, given: dict[Any, str | None]) -> Any:  # noqa: ANN401 - peewee's queries
    for column, value in given.items():
        if value is not None:
            query = query.where(column == value)
    return query


# --- images that came several times: each counts once in its series, and is where its first copy is ------------


def distinct_series(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[SeriesRecord]:
    """Make records of whole rows of series; of those that may hold an image twice, count the distinct ones.

    The receiver knows an image again while its series is in ``incoming/``; what comes again later is counted once more
    in the series' own row.
    """
    again = _may_repeat(database, {row["id"]: row["images"] for row in rows})
    counted = _count_distinct(database, again)
    tags = _tags_of(database, [row["id"] for row in rows])
    return [
        SeriesRecord.model_validate({**row, **counted.get(row["id"], {}), "tags": tags.get(row["id"], {})})
        for row in rows
    ]


def _tags_of(database: Database, series: Sequence[int]) -> dict[int, dict[str, tuple[str, ...]]]:
    """Return the tags that are kept of some series, in the order of keywords and values."""
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    if not series or not has_tables(database):
        return found
    for some in batches(series, _ASKED_AT_ONCE):
        query = SeriesTagRow.select(SeriesTagRow.series, SeriesTagRow.keyword, SeriesTagRow.value)
        query = query.where(SeriesTagRow.series.in_(some)).order_by(SeriesTagRow.keyword, SeriesTagRow.value)
        for number, keyword, value in query.tuples().execute(database):
            tags = found.setdefault(number, {})
            tags[keyword] = (*tags.get(keyword, ()), value)
    return found


def _may_repeat(database: Database, received: dict[int, int]) -> list[int]:
    """Return the series that were taken several times, or that got images after they were taken."""
    found = []
    for some in batches(received, _ASKED_AT_ONCE):
        query = TaskRow.select(TaskRow.series, fn.COUNT(TaskRow.id), fn.SUM(TaskRow.images)).group_by(TaskRow.series)
        query = query.where(TaskRow.series.in_(some), TaskRow.action == "complete")
        for series_id, tasks, images in query.tuples().execute(database):
            if tasks > 1 or received[series_id] > (images or 0):
                found.append(series_id)
    return found


def _count_distinct(database: Database, wanted: Iterable[int]) -> dict[int, dict[str, int]]:
    """Count the images of series by their SOP Instance UID; one without is an image of its own."""
    counted: dict[int, dict[str, int]] = {}
    name = fn.COALESCE(fn.NULLIF(ImageRow.sop, ""), ImageRow.id)
    for some in batches(wanted, _ASKED_AT_ONCE):
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


def _distinct_images(database: Database, query: Any) -> list[ImageRecord]:  # noqa: ANN401 - any query of peewee
    """Run a query for images; a repetition, which no task lists, is in the task of the copy that it repeats."""
    found = records(database, query, ImageRecord)
    again = [image for image in found if image.repetition and image.task is None and image.sop]
    kept: dict[_Place, list[tuple[str, str | None]]] = {}
    for some in batches({image.sop or "" for image in again}, _ASKED_AT_ONCE):
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
