"""What happened: series, images, tasks and events, found by what people know of an exam."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from appliance.control.api import history as api
from appliance.control.api.history import (
    AuditFound,
    ByExam,
    CountOver,
    Counts,
    EventsFound,
    FindEvents,
    FindTasks,
    FindText,
    ImagesFound,
    ListAudit,
    OneStory,
    OneTaskStory,
    SeriesFound,
    Story,
    TasksFound,
    TaskStory,
)
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.history.database import HistoryError
from mercure.history.exams import MOST_SERIES
from mercure.history.identifiers import folded, name_parts
from mercure.history.queries import History, Identifier, ResultPage
from mercure.history.reader import Reader
from mercure.history.records import EventRecord, SeriesRecord, TaskRecord
from mercure.history.tag_conditions import ConditionError, TagCondition, conditions_of

R = TypeVar("R", bound=Reader)
_FIND_AT_MOST: Final = 1000


@dataclass(frozen=True)
class Exam:
    """By what an exam is searched for; what is not given does not matter, what is given must all be so.

    Parameters
    ----------
    patient : str or None
        Beginning of the patient id, or of the patient name or a part of it; case does not matter.
    accession : str or None
        Beginning of the accession number.
    series, study : str or None
        Series or Study Instance UID.
    """

    patient: str | None = None
    accession: str | None = None
    series: str | None = None
    study: str | None = None

    @classmethod
    def of(cls, wanted: ByExam) -> Exam:
        """Take it from a request."""
        return cls(patient=wanted.patient, accession=wanted.accession, series=wanted.series, study=wanted.study)

    def __bool__(self) -> bool:
        """Tell whether anything is given."""
        return any((self.patient, self.accession, self.series, self.study))

    @property
    def narrowest(self) -> str:
        """What finds the fewest."""
        return self.series or self.study or self.accession or self.patient or ""

    @property
    def identifiers(self) -> dict[tuple[str, ...], str]:
        """What is given, by the kinds of identifier that it may be."""
        given = {
            ("series_uid",): self.series,
            ("study_uid",): self.study,
            ("accession",): self.accession,
            ("patient_id", "patient_name"): self.patient,
        }
        return {kinds: text for kinds, text in given.items() if text}

    def fits(self, record: SeriesRecord | TaskRecord) -> bool:
        """Tell whether a series, as its last image names it, or a task is one of them."""
        return (
            (self.series is None or record.series_uid == self.series)
            and (self.study is None or record.study_uid == self.study)
            and (self.accession is None or _begins(record.accession, self.accession))
            and (
                self.patient is None
                or _begins(record.patient_id, self.patient)
                or any(_begins(part, self.patient) for part in name_parts(record.patient_name or ""))
            )
        )


def _begins(value: str | None, text: str) -> bool:
    return folded(value or "").startswith(folded(text))


@carries_out(api.SERIES)
def series(session: Session, wanted: ByExam) -> SeriesFound:
    """Find series.

    Raises
    ------
    ControlError
        The history cannot be asked.
    """
    with asking(session) as history:
        found = _series(history, Exam.of(wanted), wanted.since, wanted.limit, conditions_of(wanted.tags))
        return SeriesFound(series=tuple(found))


@carries_out(api.IMAGES)
def images(session: Session, wanted: ByExam) -> ImagesFound:
    """Find images; of the series that fit, or of all."""
    exam, since, limit = Exam.of(wanted), wanted.since, wanted.limit
    with asking(session) as history:
        tags = conditions_of(wanted.tags)
        if not exam and not tags:
            return ImagesFound(images=tuple(history.images(ResultPage(limit=limit, since=since))))
        found = [
            image
            for record in _series(history, exam, since, limit, tags)
            if record.series_uid
            for image in history.images(ResultPage(limit=limit, since=since), series_uid=record.series_uid)
        ]
        return ImagesFound(images=tuple(found[:limit]))


@carries_out(api.TASKS)
def tasks(session: Session, wanted: FindTasks) -> TasksFound:
    """Find tasks; of the series that fit, or of all."""
    exam, limit, target, states = Exam.of(wanted), wanted.limit, wanted.target, wanted.states
    with asking(session) as history:
        page, tags = ResultPage(limit=limit, since=wanted.since), conditions_of(wanted.tags)
        if not exam and not tags:
            return TasksFound(tasks=tuple(history.tasks(page, states=states, target=target)))
        found = [
            task
            for record in _series(history, exam, None, limit, tags)
            if record.series_uid
            for task in history.tasks(page, states=states, target=target, series_uid=record.series_uid)
            if task.patient_id is None or Exam(patient=exam.patient).fits(task)
        ]
        return TasksFound(tasks=tuple(found[:limit]))


@carries_out(api.TASK)
def task_story(session: Session, wanted: OneTaskStory) -> TaskStory:
    """Tell all about one task.

    Raises
    ------
    ControlError
        The history does not know it, or cannot be asked.
    """
    task = wanted.task
    with asking(session) as history:
        record = history.task(task)
        if record is None:
            advice = "it may not be recorded yet; `mercure queue show` looks into the spool"
            raise ControlError("not-found", f"the history knows no task {task}", advice)
        return TaskStory(task=record, attempts=tuple(history.attempts(task)), events=tuple(history.task_timeline(task)))


@carries_out(api.EVENTS)
def events(session: Session, wanted: FindEvents) -> EventsFound:
    """Find events: of a task, of the series that fit in their order, or of all."""
    exam, limit = Exam.of(wanted), wanted.limit
    with asking(session) as history:
        tags = conditions_of(wanted.tags)
        if wanted.task is not None:
            found = history.task_timeline(wanted.task)
        elif exam or tags:
            uids = {record.series_uid for record in _series(history, exam, None, limit, tags) if record.series_uid}
            found = sorted(
                (event for uid in uids for event in history.series_timeline(uid)), key=lambda event: event.time
            )
        else:
            page = ResultPage(limit=limit, since=wanted.since)
            found = history.events(page, type=wanted.type, service=wanted.service)
        return EventsFound(events=tuple(event for event in found if _fits(event, wanted))[:limit])


@carries_out(api.FIND)
def find(session: Session, wanted: FindText) -> SeriesFound:
    """Find series by whatever identifies them, and by conditions on tags among the words.

    Raises
    ------
    ControlError
        The history cannot be asked, or does not keep such a tag.
    """
    with asking(session) as history:
        tags, rest = split_conditions(wanted.text)
        if not tags:
            return SeriesFound(series=tuple(history.find(wanted.text, limit=wanted.limit)))
        if not rest:
            return SeriesFound(series=tuple(history.series(ResultPage(limit=wanted.limit), tags=tags)))
        return SeriesFound(series=tuple(history.find(rest, limit=wanted.limit, tags=tags)))


def split_conditions(text: str) -> tuple[list[TagCondition], str]:
    """Part a text into conditions on tags and the rest; a value with blanks stands in quotes."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()  # a quote that is none
    found = [(word, TagCondition.parse(word)) for word in words]
    return [it for _, it in found if it is not None], " ".join(word for word, it in found if it is None)


@carries_out(api.TIMELINE)
def timeline(session: Session, wanted: OneStory) -> Story:
    """Tell what happened to a series, a study or a task, in order."""
    if [wanted.task, wanted.series, wanted.study].count(None) != 2:  # noqa: PLR2004 - one of three is given
        raise ControlError("bad-parameters", "give one of 'task', 'series' and 'study'")
    with asking(session) as history:
        if wanted.study is not None:
            return _story_of_study(history, Identifier("study_uid", wanted.study))
        if wanted.series is not None:
            found = history.tasks(ResultPage(limit=1000), series_uid=wanted.series)
            return Story(events=tuple(history.series_timeline(wanted.series)), tasks=tuple(found))
        task = wanted.task or ""
        record = history.task(task)
        return Story(
            events=tuple(history.task_timeline(task)),
            tasks=(record,) if record else (),
            attempts=tuple(history.attempts(task)),
        )


def _story_of_study(history: History, study: Identifier) -> Story:
    """Tell what happened to all series of a study; what happened to tasks of the whole study is told once."""
    series = history.series(ResultPage(limit=MOST_SERIES), of=study)
    events = {
        (event.id, event.series): event
        for record in series
        if record.series_uid
        for event in history.series_timeline(record.series_uid)
    }
    tasks = history.tasks_of(study, ResultPage(limit=_FIND_AT_MOST))
    return Story(events=tuple(sorted(events.values(), key=lambda event: (event.time, event.id))), tasks=tuple(tasks))


@carries_out(api.COUNTERS)
def counters(session: Session, wanted: CountOver) -> Counts:
    """Tell counters over time."""
    with asking(session) as history:
        return Counts(points=tuple(history.counters(wanted.names, wanted.since, wanted.until, step=wanted.step)))


@carries_out(api.AUDIT)
def audit(session: Session, wanted: ListAudit) -> AuditFound:
    """List what people changed."""
    with asking(session) as history:
        page = ResultPage(limit=wanted.limit, since=wanted.since)
        return AuditFound(records=tuple(history.audit(page, by=wanted.by, task=wanted.task)))


def _fits(event: EventRecord, wanted: FindEvents) -> bool:
    type, service, since = wanted.type, wanted.service, wanted.since
    return (
        (type is None or event.type == type or (type.endswith(".") and event.type.startswith(type)))
        and (service is None or event.service == service)
        and (since is None or event.time >= since)
    )


def _series(
    history: History, exam: Exam, since: datetime | None, limit: int, tags: Sequence[TagCondition]
) -> Iterator[SeriesRecord]:
    found = (
        history.find(exam.narrowest, limit=_FIND_AT_MOST, tags=tags)
        if exam
        else history.series(ResultPage(limit=limit, since=since), tags=tags)
    )
    left = limit
    for record in found:
        if left and _is_of(history, exam, record) and (since is None or (record.last_received or since) >= since):
            left -= 1
            yield _as_asked(history, exam, record)


def _is_of(history: History, exam: Exam, record: SeriesRecord) -> bool:
    """Tell whether a series is one of those searched for; it may hold images of several patients or studies."""
    return exam.fits(record) or history.holds(record.series_uid or "", exam.identifiers)


def _as_asked(history: History, exam: Exam, record: SeriesRecord) -> SeriesRecord:
    """Return a series with the identity that was searched for, where it has several."""
    if exam.fits(record) or record.series_uid is None:
        return record
    tasks = history.tasks(ResultPage(limit=_FIND_AT_MOST), series_uid=record.series_uid)
    task = next((task for task in tasks if exam.fits(task)), None)
    if task is None:
        return record
    shown = ("patient_id", "patient_name", "accession", "study_uid")
    return record.model_copy(update={name: getattr(task, name) for name in shown})


def asking(session: Session) -> AbstractContextManager[History]:
    """Give the history to a block; what goes wrong with it comes out as a `ControlError`."""
    return reading(session, History)


@contextmanager
def reading(session: Session, kind: type[R]) -> Iterator[R]:
    """Do so with the kind of reader that is wanted."""
    try:
        with kind.open(session.root, session.config) as reader:
            yield reader
    except HistoryError as error:
        advice = "routing goes on without it; `mercure status` and `mercure queue list` do too"
        raise ControlError("failed", str(error), advice) from error
    except ConditionError as error:
        raise ControlError("invalid", str(error), error.advice) from error
