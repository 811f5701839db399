"""What comes and goes, in numbers, and where an exam is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from appliance.control.api import traffic as api
from appliance.control.api.traffic import (
    CountAll,
    ExamFound,
    ExamSeries,
    ExamStep,
    ExamTarget,
    FindExam,
    ListRefusals,
    ListSenders,
    RateOver,
    RatePoint,
    Rates,
    RefusalRecord,
    Refusals,
    Senders,
    StepTo,
    Totals,
)
from appliance.control.errors import ControlError
from appliance.control.history.search import reading
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.history.exams import ExamTask
from mercure.history.queries import History, ResultPage
from mercure.history.records import EventRecord, ExamRecord, SenderRecord, SeriesRecord, TaskRecord
from mercure.history.traffic import Traffic
from mercure.routing.pace import pace_of

_COUNTED: Final = {
    "images.received": "received",
    "bytes.received": "received_bytes",
    "images.delivered": "delivered",
    "images.refused": "refused",
    "attempts.failure": "failed_attempts",
    "attempts.partial": "failed_attempts",
}
"""The counters behind each figure of a point."""

_REFUSALS: Final = ("association.refused", "context.refused")
_MOST_REFUSALS: Final = 5000
"""Events of each type that are summed; what is earlier is cut."""

_ON_THE_WAY: Final = ("planned", "deciding", "decided")


@carries_out(api.SENDERS)
def senders(session: Session, wanted: ListSenders) -> Senders:
    """List who sends.

    Raises
    ------
    ControlError
        The history cannot be asked; so for all functions here.
    """
    now = session.clock.now()
    with reading(session, Traffic) as traffic:
        found = traffic.senders(session.config.name, now, wanted.hours, wanted.limit)
    return Senders(time=now, hours=wanted.hours, senders=tuple(_with_pace(session, sender) for sender in found))


def _with_pace(session: Session, sender: SenderRecord) -> SenderRecord:
    """Add the name of a sender, and what the router has learned of it."""
    name = session.config.sender_of(sender.calling_aet, sender.address)
    learned = pace_of(session.spool, name).seconds
    learned = min(learned, session.config.longest_release(sender.calling_aet, name))
    if learned <= session.config.completion_of(sender.calling_aet, name).after_release_seconds:
        return sender.model_copy(update={"name": name})
    return sender.model_copy(update={"name": name, "release_seconds": learned})


@carries_out(api.RATES)
def rates(session: Session, wanted: RateOver) -> Rates:
    """Tell what came and went in the last hours, in steps of some minutes that begin at whole ones of UTC."""
    hours, step = wanted.hours, wanted.step
    if hours * 60 % step:
        raise ControlError("bad-parameters", f"{hours} hours do not hold whole steps of {step} minutes", "take 60")
    now, width = session.clock.now(), timedelta(minutes=step)
    last = datetime.fromtimestamp(now.timestamp() // width.total_seconds() * width.total_seconds(), now.tzinfo)
    begins = [last - width * back for back in reversed(range(hours * 60 // step))]
    points = {begin: dict.fromkeys(_COUNTED.values(), 0) for begin in begins}
    with reading(session, Traffic) as traffic:
        for sum_ in traffic.sums(session.config.name, tuple(_COUNTED), begins[0], last + width, step):
            if sum_.begin in points:
                points[sum_.begin][_COUNTED[sum_.name]] += int(sum_.value)
    told = tuple(RatePoint(begin=begin, **counts) for begin, counts in points.items())
    return Rates(time=now, step=step, points=told)


@carries_out(api.TOTALS)
def totals(session: Session, wanted: CountAll) -> Totals:
    """Tell what every counter has come to."""
    with reading(session, Traffic) as traffic:
        return Totals(counters=tuple(traffic.totals(session.config.name, wanted.limit)))


@carries_out(api.REFUSALS)
def refusals(session: Session, wanted: ListRefusals) -> Refusals:
    """List what senders were refused while associations were negotiated, the last first."""
    now, hours, limit = session.clock.now(), wanted.hours, wanted.limit
    page = ResultPage(limit=_MOST_REFUSALS, since=now - timedelta(hours=hours))
    with reading(session, History) as history:
        found = [history.events(page, type=type_, node=session.config.name) for type_ in _REFUSALS]
    summed: dict[tuple[str, ...], RefusalRecord] = {}
    for event in sorted((event for events in found for event in events), key=lambda event: event.time, reverse=True):
        record = _refusal(event)
        key = (record.address, record.calling_aet, record.what, record.abstract_syntax, record.reason)
        later = summed.get(key)
        summed[key] = record if later is None else _together(later, record)
    cut = any(len(events) == _MOST_REFUSALS for events in found) or len(summed) > limit
    return Refusals(time=now, hours=hours, refusals=tuple(summed.values())[:limit], cut=cut)


def _refusal(event: EventRecord) -> RefusalRecord:
    details = {"what": "association", "reason": "", "times": 1} | event.details
    known = {name: details[name] for name in RefusalRecord.model_fields if name in details}
    return RefusalRecord.model_validate(known | {"first": event.time, "last": event.time})


def _together(later: RefusalRecord, earlier: RefusalRecord) -> RefusalRecord:
    return later.model_copy(update={"times": later.times + earlier.times, "first": earlier.first})


@carries_out(api.EXAM)
def exam(session: Session, wanted: FindExam) -> ExamFound:
    """Tell where an exam is."""
    with reading(session, Traffic) as traffic:
        found = traffic.exam(wanted.accession)
    together = tuple(step for task in found.tasks if task.scope == "study" for step in _steps(task))
    targets = (ExamTarget(name=it.target, images=it.images, delivered=it.delivered) for it in found.targets)
    series = (_series(record, found) for record in found.series)
    return ExamFound(series=tuple(series), targets=tuple(targets), together=together, cut=found.cut)


def _series(record: SeriesRecord, found: ExamRecord) -> ExamSeries:
    mine = [
        task
        for task in found.tasks
        if task.scope != "study" and task.series_uid == record.series_uid and task.node == record.node
    ]
    return ExamSeries(
        modality=record.modality or "",
        description=record.series_description or "",
        images=found.distinct.get((record.node, record.folder), record.images),
        first_received=record.first_received,
        last_received=record.last_received,
        steps=tuple(step for task in mine for step in _steps(task)),
    )


def _steps(task: TaskRecord) -> Iterator[ExamStep]:
    step = step_of(task)
    if step is not None:
        yield step


def place_of(task: TaskRecord | ExamTask) -> tuple[StepTo, str] | None:
    """Tell where the images of a task are to go; None: it has only become others."""
    if task.target is not None:
        return "target", task.target
    if task.module is not None:
        return "module", task.module
    if task.state == "discarded":
        return "discard", task.discarded_by or ""
    if task.action == "collect":
        return ("study", "") if task.state != "collected" else None
    if task.state not in (*_ON_THE_WAY, "processed") or (task.state == "deciding" and task.decided is None):
        return "router", ""
    return None


def step_of(task: TaskRecord | ExamTask) -> ExamStep | None:
    """Tell what a person wants to know of a task; nothing of one that has only become others."""
    place = place_of(task)
    if place is None:
        return None
    to, name = place
    delivered = task.state == "delivered"
    return ExamStep.model_validate(
        {
            "to": to,
            "name": name,
            "state": task.state or "waiting",
            "images": task.images or 0,
            "at": task.delivered if delivered else task.since or task.created,
            "attempts": task.attempts or 0,
            "next_attempt": None if delivered else task.next_attempt,
        }
    )
