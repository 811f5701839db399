"""Exams: the series of a study on one node as one row, found, ordered and counted by the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from peewee import JOIN, SQL, Case, Database, fn

from mercure.history.identifiers import folded
from mercure.history.instants import micros
from mercure.history.models import AttemptRow, IdentifierRow, SeriesRow, TaskRow
from mercure.history.queries import distinct_series, found_series, tagged_series
from mercure.history.reader import Reader, batches
from mercure.history.records import ExamOrder, SeriesRecord
from mercure.history.tag_conditions import TagCondition

MOST_SERIES: Final = 200
"""Series of one exam in an answer; a study rarely has more than some dozens."""

_ASKED_AT_ONCE: Final = 500
_STUDY: Final = fn.COALESCE(fn.NULLIF(SeriesRow.study_uid, SQL("''")), SeriesRow.folder)
"""What is the same for all series of an exam: a series without a Study Instance UID is an exam of its own."""

_SEARCHED: Final = (
    SeriesRow.patient_id,
    SeriesRow.patient_name,
    SeriesRow.accession,
    SeriesRow.modality,
    SeriesRow.calling_aet,
    SeriesRow.study_description,
    SeriesRow.series_description,
    SeriesRow.study_uid,
    SeriesRow.series_uid,
)
"""In what a text is looked for."""

_BEHIND: Final = (("failed",), ("held",), ("waiting", "planned"))
"""States of a task that is not where it should be, the worst first."""

Key = tuple[str, str]
"""Node, and Study Instance UID or the folder of a series without one."""


@dataclass(frozen=True)
class ExamQuery:
    """Which exams are wanted, and in which order.

    Parameters
    ----------
    text : str
        Looked for in what identifies and describes the series; case does not matter.
    inverse : bool
        Those that do not contain it.
    targets, states : tuple of str
        Targets and states that count as containing it.
    beginning : str
        The beginning of an identifier of one of its series, as `History.find` takes it; empty: any.
    tags : tuple of TagCondition
        Conditions that all hold for one of its series.
    since, until : datetime, optional
        Aware instants: a series of it was received from `since` on, and before `until`.
    order : ExamOrder
        By what.
    backwards : bool
        The largest first.
    limit : int
        At most so many.
    """

    text: str = ""
    inverse: bool = False
    targets: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    beginning: str = ""
    tags: tuple[TagCondition, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    order: ExamOrder = "received"
    backwards: bool = True
    limit: int = 500


class ExamTask(NamedTuple):
    """What is known of a task for a list of exams, as in `TaskRecord`.

    `folder` is that of its series, None of a task of a whole study; `kind` why its last attempt failed, None: it did
    not.
    """

    id: str
    node: str
    folder: str | None
    study_uid: str | None
    scope: str | None
    action: str | None
    target: str | None
    module: str | None
    state: str | None
    discarded_by: str | None
    images: int | None
    created: datetime | None
    since: datetime | None
    decided: datetime | None
    delivered: datetime | None
    attempts: int | None
    next_attempt: datetime | None
    reason: str | None
    last_error: str | None
    kind: str | None


@dataclass
class FoundExam:
    """One exam: its series, the last received first, and the tasks that hold their images, the oldest first."""

    node: str
    study: str
    series: list[SeriesRecord] = field(default_factory=list)
    tasks: list[ExamTask] = field(default_factory=list)


class Exams(Reader):
    """The questions of the list of exams."""

    def find(self, wanted: ExamQuery) -> tuple[int, list[FoundExam]]:
        """List exams; also returned is how many there are in all."""
        with self.reading() as database:
            rows = list(_grouped(database, wanted).tuples().execute(database))
            keys = {(node, study): row_id for node, study, row_id, _ in rows}
            return rows[0][-1] if rows else 0, _in_full(database, keys)

    def show(self, node: str, study: str) -> FoundExam | None:
        """Return one exam; None: there is none."""
        with self.reading() as database:
            query = SeriesRow.select(SeriesRow.id).where(SeriesRow.node == node, SeriesRow.folder == study)
            rows = [row_id for (row_id,) in query.tuples().execute(database)]
            found = _in_full(database, {(node, study): rows[0] if rows else 0})
        return found[0] if found and found[0].series else None


# --- which exams ------------------------------------------------------------------------------------------------------


def _grouped(database: Database, wanted: ExamQuery) -> Any:  # noqa: ANN401 - peewee's queries
    """Make the query for node, study, row of one series, and number of all exams."""
    latest = fn.MAX(SeriesRow.last_received)
    query = SeriesRow.select(SeriesRow.node, _STUDY, fn.MAX(SeriesRow.id), fn.COUNT(SQL("*")).over())
    query = query.group_by(SeriesRow.node, _STUDY)
    for bound, after in ((wanted.since, True), (wanted.until, False)):
        if bound is not None:
            column, instant = SeriesRow.last_received, micros(bound)
            query = query.where(column >= instant if after else column < instant)
    if wanted.beginning or wanted.tags:
        found = found_series(database, wanted.beginning)
        if wanted.tags and (found or not wanted.beginning):
            found = tagged_series(database, wanted.tags, found)
        query = query.where(SeriesRow.id.in_(_of_same_exams(database, found)))
        query = query.having(_any(SeriesRow.id.in_(found)) == 1)
    if wanted.text:
        query = query.having(_any(_contains(wanted)) == (0 if wanted.inverse else 1))
    first = _ORDERS[wanted.order]()
    first = first.desc() if wanted.backwards else first.asc()
    return query.order_by(first, latest.desc(), fn.MAX(SeriesRow.id).desc()).limit(wanted.limit)


def _any(condition: Any) -> Any:  # noqa: ANN401 - peewee's expressions
    """Return 1 for a group in which something holds for a row."""
    return fn.MAX(Case(None, [(condition, 1)], 0))


def _of_same_exams(database: Database, found: Sequence[int]) -> list[int]:
    """Return the series of all studies of which some series are; one without a study is alone."""
    same = {*found}
    member = IdentifierRow.alias()
    for some in batches(found, _ASKED_AT_ONCE):
        studies = member.select(member.folded).where(member.series.in_(some), member.kind == "study_uid")
        query = IdentifierRow.select(IdentifierRow.series).where(
            IdentifierRow.folded.in_(studies), IdentifierRow.kind == "study_uid"
        )
        same |= {row_id for (row_id,) in query.tuples().execute(database)}
    return sorted(same)


def _contains(wanted: ExamQuery) -> Any:  # noqa: ANN401 - peewee's expressions
    """Make the condition that a series contains the text, or that one of its tasks is of a target or state named so."""
    text = wanted.text
    # SQLite knows the two cases of ASCII letters alone.
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}
    condition = None
    for column in _SEARCHED:
        for spelled in spellings:
            there = column.contains(spelled)
            condition = there if condition is None else condition | there
    named = TaskRow.target.in_(wanted.targets) if wanted.targets else None
    if wanted.states:
        in_state = TaskRow.state.in_(wanted.states) & TaskRow.target.is_null(False)
        named = in_state if named is None else named | in_state
    return condition if named is None else condition | _has_task(named)


def _has_task(condition: Any) -> Any:  # noqa: ANN401 - peewee's expressions
    """Make the condition that a task of a series, or of its whole study, is so."""
    alone = TaskRow.select(TaskRow.series).where(condition, TaskRow.series.is_null(False))
    together = TaskRow.select(TaskRow.study_uid).where(
        condition, TaskRow.scope == "study", TaskRow.study_uid.is_null(False)
    )
    return SeriesRow.id.in_(alone) | SeriesRow.study_uid.in_(together)


def _how_far() -> Any:  # noqa: ANN401 - peewee's expressions
    ranks = [(_has_task(TaskRow.state.in_(states)), rank) for rank, states in enumerate(_BEHIND)]
    return fn.MIN(Case(None, ranks, len(_BEHIND)))


def _largest(column: Any) -> Callable[[], Any]:  # noqa: ANN401 - peewee's columns
    return lambda: fn.MAX(fn.COALESCE(column, ""))


_ORDERS: Final[dict[ExamOrder, Callable[[], Any]]] = {
    "received": lambda: fn.MAX(SeriesRow.last_received),
    "patient": _largest(SeriesRow.patient_id),
    "accession": _largest(SeriesRow.accession),
    "exam": _largest(SeriesRow.study_description),
    "series": lambda: fn.COUNT(SeriesRow.id),
    "images": lambda: fn.SUM(SeriesRow.images),
    "from": _largest(SeriesRow.calling_aet),
    "delivered": _how_far,
}


# --- what is in them --------------------------------------------------------------------------------------------------


def _in_full(database: Database, keys: dict[Key, int]) -> list[FoundExam]:
    """Add series and tasks to exams that are known by one series each."""
    exams = {key: FoundExam(*key) for key in keys}
    of_series: dict[int, FoundExam] = {}
    rows = _series_rows(database, keys)
    for row_id, record in zip((row["id"] for row in rows), distinct_series(database, rows), strict=True):
        exam = exams.get((record.node, record.study_uid or record.folder))
        if exam is not None:
            of_series[row_id] = exam
            exam.series.append(record)
    folders = {row["id"]: row["folder"] for row in rows}
    for exam, task in _tasks(database, of_series, folders, exams):
        exam.tasks.append(task)
    for exam in exams.values():
        exam.tasks.sort()
    return list(exams.values())


def _series_rows(database: Database, keys: dict[Key, int]) -> list[dict[str, Any]]:
    """Return the rows of all series of some exams, the last received first."""
    found: dict[int, dict[str, Any]] = {}
    for some in batches((folded(study) for _, study in keys), _ASKED_AT_ONCE):
        same = IdentifierRow.select(IdentifierRow.series).where(
            IdentifierRow.folded.in_(some), IdentifierRow.kind == "study_uid"
        )
        found |= _by_id(database, SeriesRow.id.in_(same))
    for ids in batches((row_id for row_id in keys.values() if row_id not in found), _ASKED_AT_ONCE):
        found |= _by_id(database, SeriesRow.id.in_(ids))
    return sorted(found.values(), key=_when_received, reverse=True)


def _when_received(row: dict[str, Any]) -> tuple[int, int]:
    received = row["last_received"]
    return micros(received) if received else 0, row["id"]


def _by_id(database: Database, condition: Any) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - peewee's expressions
    return {row["id"]: row for row in SeriesRow.select().where(condition).dicts().execute(database)}


def _tasks(
    database: Database, of_series: dict[int, FoundExam], folders: dict[int, str], exams: dict[Key, FoundExam]
) -> Iterable[tuple[FoundExam, ExamTask]]:
    """Yield the tasks of some series, and those of their whole studies."""
    for ids in batches(of_series, _ASKED_AT_ONCE):
        for series, *values in _task_rows(TaskRow.series.in_(ids)).tuples().execute(database):
            yield of_series[series], _task(folders[series], values)
    studies = {exam.study for exam in of_series.values()}
    for some in batches(studies, _ASKED_AT_ONCE):
        together = TaskRow.study_uid.in_(some) & (TaskRow.scope == "study")
        for _, *values in _task_rows(together).tuples().execute(database):
            task = _task(None, values)
            if (task.node, task.study_uid or "") in exams:
                yield exams[task.node, task.study_uid or ""], task


def _task(folder: str | None, values: Sequence[Any]) -> ExamTask:
    task_id, node, *others = values
    return ExamTask(task_id, node, folder, *others)


def _task_rows(condition: Any) -> Any:  # noqa: ANN401 - peewee's queries and expressions
    columns = [getattr(TaskRow, name) for name in ExamTask._fields if name not in ("folder", "kind")]
    last = (AttemptRow.task == TaskRow.id) & (AttemptRow.number == TaskRow.attempts)
    query = TaskRow.select(TaskRow.series, *columns, AttemptRow.kind).join(AttemptRow, JOIN.LEFT_OUTER, on=last)
    return query.where(condition)
