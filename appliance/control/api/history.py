"""What happened."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Verb
from mercure.history.records import (
    AttemptRecord,
    AuditRecord,
    CounterPoint,
    EventRecord,
    ImageRecord,
    SeriesRecord,
    TaskRecord,
)
from mercure.model import Model

Conditions = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=20)]
"""Conditions on tags, which must all hold (``docs/reference/history.md``)."""


class SeriesFound(Model):
    """Series, the last received first."""

    series: tuple[SeriesRecord, ...]


class ImagesFound(Model):
    """Images, the last received first."""

    images: tuple[ImageRecord, ...]


class TasksFound(Model):
    """Tasks, the newest first."""

    tasks: tuple[TaskRecord, ...]


class TaskStory(Model):
    """One task: its result, its attempts, and all that happened to it, in order."""

    task: TaskRecord
    attempts: tuple[AttemptRecord, ...]
    events: tuple[EventRecord, ...]


class EventsFound(Model):
    """Events: of a task or a series in their order, else the latest first."""

    events: tuple[EventRecord, ...]


class ByExam(Model):
    """By what an exam is looked for; what is given must all be so. Case does not matter.

    `patient`: beginning of the id, the name or a part of the name; `accession`: beginning of the number; `series` and
    `study`: the UIDs. `since`: not before. `tags`: conditions on what ``history.tags`` names, such as
    ``SliceThickness<2`` or ``ContrastBolusAgent=*``.
    """

    patient: str | None = None
    accession: str | None = None
    series: str | None = None
    study: str | None = None
    since: AwareDatetime | None = None
    tags: Conditions = ()
    limit: Annotated[int, Field(ge=1, le=10_000)] = 50


class FindTasks(ByExam):
    """Tasks of exams, for a target, in one of some states of the history."""

    target: str | None = None
    states: tuple[str, ...] = ()


class FindEvents(ByExam):
    """Events of a task or of exams, of a type (``task.`` stands for all that begin so) and of a service."""

    task: str | None = None
    type: str | None = None
    service: str | None = None


class FindText(Model):
    """The beginning of whatever identifies an exam: patient, accession number, or a UID; also conditions on tags."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=1000)] = 50


class ExportSeries(Model):
    """Which series are exported: their last image came in that time, and the conditions on tags hold.

    `patients`: with patient id, name and accession number; that is audited. `after` is what the part before ended with.
    """

    tags: Conditions = ()
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    patients: bool = False
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=5000)] = 2000


class ExportColumn(Model):
    """A column of an export: a DICOM keyword, or what the router knows; a `moment` is in UTC."""

    name: str
    kind: Literal["text", "number", "date", "time", "moment"]


class SeriesExported(Model):
    """A part of an export, each row with a value for each column; `after` is null in the last part."""

    columns: tuple[ExportColumn, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    after: int | None = None


class OneStory(Model):
    """A task, or a series or a study by its UID."""

    task: str | None = None
    series: str | None = None
    study: str | None = None


class Story(Model):
    """All that happened to a task, a series or a study, in order; with its tasks, or the attempts of the task."""

    events: tuple[EventRecord, ...]
    tasks: tuple[TaskRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()


class OneTaskStory(Model):
    """A task, by its whole id."""

    task: str


class CountOver(Model):
    """Which counters (``docs/reference/history.md``), over which time, summed over so many minutes to a point."""

    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    since: AwareDatetime
    until: AwareDatetime
    step: Annotated[int, Field(ge=1, le=1440)] = 1


class Counts(Model):
    """Points in the order of time; a step in which nothing happened has none."""

    points: tuple[CounterPoint, ...]


class ListAudit(Model):
    """What people changed: all, or by one of them, or on one task."""

    by: str | None = None
    task: str | None = None
    since: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100


class AuditFound(Model):
    """What people changed, the latest first."""

    records: tuple[AuditRecord, ...]


SERIES: Final = Verb("history.series", ByExam, SeriesFound, "viewer", "Find series, the last received first.")
IMAGES: Final = Verb("history.images", ByExam, ImagesFound, "viewer", "Find images, the last received first.")
TASKS: Final = Verb("history.tasks", FindTasks, TasksFound, "viewer", "Find tasks, the newest first.")
TASK: Final = Verb("history.task", OneTaskStory, TaskStory, "viewer", "Tell what became of a task.")
EVENTS: Final = Verb(
    "history.events",
    FindEvents,
    EventsFound,
    "viewer",
    "Find events, the latest first; of a task or an exam in their order.",
)
FIND: Final = Verb(
    "history.find", FindText, SeriesFound, "viewer", "Find series by the beginning of whatever identifies them."
)
EXPORT: Final = Verb(
    "history.export",
    ExportSeries,
    SeriesExported,
    "viewer",
    "Export series with the tags that the history keeps, part by part; with patients for operators only.",
)
TIMELINE: Final = Verb(
    "history.timeline", OneStory, Story, "viewer", "Tell all that happened to a task, a series or a study."
)
COUNTERS: Final = Verb("history.counters", CountOver, Counts, "viewer", "Tell counters over time.")
AUDIT: Final = Verb("audit.list", ListAudit, AuditFound, "viewer", "List what people changed, the latest first.")
