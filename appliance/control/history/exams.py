"""Exams: the series of a study as one row, with where each one went and what keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from appliance.control.api import exams as api
from appliance.control.api.exams import (
    ExamEntry,
    ExamInFull,
    ExamList,
    ExamPlace,
    ListExams,
    OneExam,
    SeriesOfExam,
    TaskOfExam,
)
from appliance.control.api.traffic import StepTo
from appliance.control.errors import ControlError
from appliance.control.history.search import reading, split_conditions
from appliance.control.history.traffic import place_of, step_of
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.presentation.causes import CAUSE, Cause
from appliance.presentation.states import PLACE, TASK, PlaceState
from mercure.history.exams import MOST_SERIES, ExamQuery, Exams, ExamTask, FoundExam
from mercure.history.records import SeriesRecord

_THERE: Final = frozenset({"delivered", "processed"})
_BEHIND: Final[tuple[PlaceState, ...]] = ("failed", "held", "discarded")


@carries_out(api.LIST)
def list_exams(session: Session, wanted: ListExams) -> ExamList:
    """List exams.

    Raises
    ------
    ControlError
        The history cannot be asked; so for all functions here.
    """
    text = wanted.text.removeprefix("!")
    needle = text.casefold()
    tags, beginning = split_conditions(wanted.beginning)
    query = ExamQuery(
        text=text,
        inverse=wanted.text.startswith("!"),
        targets=tuple(name for name in session.config.targets if needle in name.casefold()),
        states=tuple(state for state in TASK if needle in state),
        beginning=beginning if tags else wanted.beginning,
        tags=tuple(tags),
        since=wanted.since,
        until=wanted.until,
        order=wanted.sort,
        backwards=wanted.backwards,
        limit=wanted.limit,
    )
    with reading(session, Exams) as history:
        total, found = history.find(query)
    return ExamList(total=total, exams=tuple(_entry(exam) for exam in found if exam.series))


@carries_out(api.SHOW)
def show_exam(session: Session, wanted: OneExam) -> ExamInFull:
    """Show an exam with its series.

    Raises
    ------
    ControlError
        There is none.
    """
    with reading(session, Exams) as history:
        found = history.show(wanted.node, wanted.exam)
    if found is None:
        raise ControlError("not-found", f"the history knows no exam {wanted.exam}", "it may not be recorded yet")
    of_series: defaultdict[str | None, list[ExamTask]] = defaultdict(list)
    for task in found.tasks:
        of_series[task.folder].append(task)
    return ExamInFull(
        exam=_entry(found),
        series=tuple(_series(record, of_series[record.folder]) for record in found.series[:MOST_SERIES]),
        together=tuple(_tasks(of_series[None])),
        cut=len(found.series) > MOST_SERIES,
    )


def _entry(found: FoundExam) -> ExamEntry:
    """Describe an exam as its last series names it."""
    last, series = found.series[0], found.series
    named = ("patient_id", "patient_name", "accession", "study_uid", "study_description", "study_date")
    known = {name: next(filter(None, (getattr(one, name) for one in series)), "") for name in named}
    keywords = sorted({keyword for one in series for keyword in one.tags})
    received = [one.first_received for one in series if one.first_received is not None]
    return ExamEntry(
        node=found.node,
        exam=found.study,
        **known,
        modalities=_distinct(one.modality for one in series),
        calling_aet=last.calling_aet or "",
        address=last.address or "",
        first_received=min(received, default=None),
        last_received=last.last_received,
        images=sum(one.images for one in series),
        bytes=sum(one.bytes for one in series),
        repetitions=sum(one.repetitions for one in series),
        series=_distinct(one.series_uid for one in series),
        descriptions=_distinct(one.series_description for one in series),
        tags={
            keyword: _distinct(value for one in series for value in one.tags.get(keyword, ())) for keyword in keywords
        },
        places=tuple(places_of(found.tasks)),
    )


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _series(record: SeriesRecord, tasks: Sequence[ExamTask]) -> SeriesOfExam:
    return SeriesOfExam(series=record, places=tuple(places_of(tasks)), tasks=tuple(_tasks(tasks)))


def _tasks(tasks: Iterable[ExamTask]) -> Iterator[TaskOfExam]:
    for task in tasks:
        step = step_of(task)
        if step is not None:
            error = "" if task.state in _THERE else task.reason or task.last_error or ""
            yield TaskOfExam(**step.model_dump(), task=task.id, cause=_cause(task), error=error)


def places_of(tasks: Iterable[ExamTask]) -> list[ExamPlace]:
    """Put together where images were to go, what is the farthest behind first."""
    by_place: dict[tuple[StepTo, str], list[ExamTask]] = {}
    for task in tasks:
        place = place_of(task)
        if place is not None:
            by_place.setdefault(place, []).append(task)
    found = (_place(*place, _that_count(tasks)) for place, tasks in by_place.items())
    return sorted(found, key=lambda place: (PLACE[place.state].rank, place.name))


def _that_count(tasks: Sequence[ExamTask]) -> list[ExamTask]:
    """Leave out what was discarded when the same images came once more."""
    last = {task.folder: task for task in tasks if task.state != "discarded"}
    return [task for task in tasks if task.state != "discarded" or task.id > _id(last.get(task.folder))]


def _id(task: ExamTask | None) -> str:
    return "" if task is None else task.id


def _place(to: StepTo, name: str, tasks: Sequence[ExamTask]) -> ExamPlace:
    by_state = {_state(task): task for task in reversed(tasks)}
    states = tuple(sorted(by_state, key=lambda state: PLACE[state].rank))
    return ExamPlace(
        to=to,
        name=name,
        state=states[0],
        states=states,
        images=sum(task.images or 0 for task in tasks),
        done=sum(task.images or 0 for task in tasks if task.state in _THERE),
        cause=_cause(by_state[states[0]]),
    )


def _state(task: ExamTask) -> PlaceState:
    """Tell how far a task is; one whose last attempt failed is tried again."""
    if task.state in _THERE:
        return "delivered"
    behind = next((state for state in _BEHIND if state == task.state), None)
    return behind or ("retrying" if task.kind else "waiting")


def _cause(task: ExamTask) -> Cause | None:
    """Say whose problem it is that a task does not go on; None where it does, and where that is not known."""
    if task.state in (*_THERE, "discarded"):
        return None
    if task.action == "process":
        return "module" if task.kind or task.state == "failed" else None
    if task.state == "failed" and task.target is None:
        return "rules"
    return next((cause for cause in CAUSE if cause == task.kind), None)
