"""``history.*`` and ``audit.list``."""

from __future__ import annotations

from appliance.control.api import history as api
from appliance.control.errors import ControlError
from appliance.control.history import search
from appliance.control.history.search import Exam
from appliance.control.verbs import Asked, carries_out
from mercure.history.queries import Page


def _exam(wanted: api.ByExam) -> Exam:
    return Exam(patient=wanted.patient, accession=wanted.accession, series=wanted.series, study=wanted.study)


@carries_out(api.SERIES)
def series(asked: Asked, wanted: api.ByExam) -> api.SeriesFound:
    """Find series."""
    return search.series(asked.session, _exam(wanted), since=wanted.since, limit=wanted.limit)


@carries_out(api.IMAGES)
def images(asked: Asked, wanted: api.ByExam) -> api.ImagesFound:
    """Find images."""
    return search.images(asked.session, _exam(wanted), since=wanted.since, limit=wanted.limit)


@carries_out(api.TASKS)
def tasks(asked: Asked, wanted: api.FindTasks) -> api.TasksFound:
    """Find tasks."""
    return search.tasks(
        asked.session,
        _exam(wanted),
        since=wanted.since,
        limit=wanted.limit,
        target=wanted.target,
        states=wanted.states,
    )


@carries_out(api.TASK)
def task(asked: Asked, wanted: api.OneTaskStory) -> api.TaskStory:
    """Tell all about a task."""
    return search.task_story(asked.session, wanted.task)


@carries_out(api.EVENTS)
def events(asked: Asked, wanted: api.FindEvents) -> api.EventsFound:
    """Find events."""
    return search.events(
        asked.session,
        _exam(wanted),
        task=wanted.task,
        type=wanted.type,
        service=wanted.service,
        since=wanted.since,
        limit=wanted.limit,
    )


@carries_out(api.FIND)
def find(asked: Asked, wanted: api.FindText) -> api.SeriesFound:
    """Find series by whatever identifies them."""
    with search.asking(asked.session) as past:
        return api.SeriesFound(series=tuple(past.find(wanted.text, limit=wanted.limit)))


@carries_out(api.TIMELINE)
def timeline(asked: Asked, wanted: api.OneStory) -> api.Story:
    """Tell what happened, in order."""
    with search.asking(asked.session) as past:
        if wanted.series is not None and wanted.task is None:
            found = past.tasks(Page(limit=1000), series_uid=wanted.series)
            return api.Story(events=tuple(past.series_timeline(wanted.series)), tasks=tuple(found))
        if wanted.task is None or wanted.series is not None:
            raise ControlError("bad-parameters", "give either 'task' or 'series'")
        record = past.task(wanted.task)
        return api.Story(
            events=tuple(past.task_timeline(wanted.task)),
            tasks=(record,) if record else (),
            attempts=tuple(past.attempts(wanted.task)),
        )


@carries_out(api.COUNTERS)
def counters(asked: Asked, wanted: api.CountOver) -> api.Counts:
    """Tell counters over time."""
    with search.asking(asked.session) as past:
        return api.Counts(points=tuple(past.counters(wanted.names, wanted.since, wanted.until, step=wanted.step)))


@carries_out(api.AUDIT)
def audit(asked: Asked, wanted: api.ListAudit) -> api.AuditFound:
    """List what people changed."""
    with search.asking(asked.session) as past:
        page = Page(limit=wanted.limit, since=wanted.since)
        return api.AuditFound(records=tuple(past.audit(page, by=wanted.by, task=wanted.task)))
