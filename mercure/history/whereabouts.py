"""Whereabouts of the instances of a study: when each came, in which tasks it is, and what became of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from peewee import Database

from mercure.history.identifiers import folded
from mercure.history.instants import instant_of, micros
from mercure.history.models import EventRow, IdentifierRow, ImageRow, SeriesRow, TaskImageRow, TaskRow
from mercure.history.reader import Reader, batches, records
from mercure.history.records import EventRecord, TaskRecord
from mercure.history.timelines import tasks_of

MOST_IMAGES: Final = 50_000
"""Of one study that are read."""

_MOST_TASKS: Final = 2000
_MOST_REFUSALS: Final = 5000
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class TaskImages:
    """A task with the files it holds by name and their SOP Instance UIDs; and of these what was delivered.

    ``destinations`` are where it was delivered to, as far as a target group or an event names them.
    """

    task: TaskRecord
    files: Mapping[str, str] = field(default_factory=dict)
    delivered: frozenset[str] = frozenset()
    destinations: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyImages:
    """What is known of a study.

    Parameters
    ----------
    study_uid, accession, patient_id : str
        Which, and whose.
    received : mapping of str to tuple
        By SOP Instance UID its series, and when it came first.
    tasks : tuple of TaskImages
        All that hold images of it.
    nameless : int
        Images without a SOP Instance UID.
    cut : bool
        It has more images, or tasks, than were read.
    """

    study_uid: str
    accession: str = ""
    patient_id: str = ""
    received: Mapping[str, tuple[str, datetime | None]] = field(default_factory=dict)
    tasks: tuple[TaskImages, ...] = ()
    nameless: int = 0
    cut: bool = False


class Whereabouts(Reader):
    """The questions of a comparison with a target. Asked on all nodes: an exam may have come in at any."""

    def studies(self, exam: str) -> list[str]:
        """Return the studies of an exam, by its whole accession number or Study Instance UID."""
        wanted = folded(exam)
        if not wanted:
            return []
        named = _series_of(wanted, "accession")
        query = SeriesRow.select(SeriesRow.study_uid).where(SeriesRow.id.in_(named), SeriesRow.study_uid.is_null(False))
        with self.reading() as database:
            if list(_series_of(wanted, "study_uid").limit(1).tuples().execute(database)):
                return [exam.strip()]
            return list(dict.fromkeys(uid for (uid,) in query.order_by(SeriesRow.id).tuples().execute(database)))

    def studies_since(self, since: datetime, limit: int) -> list[str]:
        """Return the studies of which an image came since then, the first that came first."""
        query = SeriesRow.select(SeriesRow.study_uid).where(SeriesRow.last_received >= micros(since))
        query = query.where(SeriesRow.study_uid.is_null(False), SeriesRow.study_uid != "").order_by(SeriesRow.id)
        with self.reading() as database:
            found = dict.fromkeys(uid for (uid,) in query.tuples().execute(database))
        return list(found)[:limit]

    def study(self, study_uid: str) -> StudyImages:
        """Tell what is known of a study's instances."""
        series = _series_of(folded(study_uid), "study_uid")
        held = TaskRow.select().where((TaskRow.study_uid == study_uid) | tasks_of(series)).order_by(TaskRow.id)
        with self.reading() as database:
            found = records(database, held.limit(_MOST_TASKS + 1), TaskRecord)
            tasks = [task for task in found[:_MOST_TASKS] if task.study_uid in (study_uid, None)]
            others = {task.id for task in found} - {task.id for task in tasks}
            received, nameless, images = _received(database, series, others)
            who = next((task for task in tasks if task.accession or task.patient_id), None)
            return StudyImages(
                study_uid=study_uid,
                accession=(who.accession if who else "") or "",
                patient_id=(who.patient_id if who else "") or "",
                received=received,
                tasks=tuple(_with_images(database, tasks)),
                nameless=nameless,
                cut=len(found) > _MOST_TASKS or images > MOST_IMAGES,
            )

    def refusals(self, since: datetime) -> list[EventRecord]:
        """List the images that the receiver refused since then, the latest first."""
        query = EventRow.select().where(EventRow.type == "image.refused", EventRow.time >= micros(since))
        return self.fetch(query.order_by(EventRow.time.desc()).limit(_MOST_REFUSALS), EventRecord)


def _series_of(wanted: str, *kinds: str) -> Any:  # noqa: ANN401 - peewee's queries
    return IdentifierRow.select(IdentifierRow.series).where(
        IdentifierRow.folded == wanted, IdentifierRow.kind.in_(list(kinds))
    )


def _received(
    database: Database,
    series: Any,  # noqa: ANN401 - peewee's queries
    others: set[str],
) -> tuple[dict[str, tuple[str, datetime | None]], int, int]:
    """Return what came, without what tasks of another study took; how many have no UID; and how many were read."""
    query = ImageRow.select(ImageRow.sop, SeriesRow.series_uid, ImageRow.received, ImageRow.task)
    query = query.join(SeriesRow).where(ImageRow.series.in_(series)).order_by(ImageRow.id).limit(MOST_IMAGES + 1)
    found: dict[str, tuple[str, datetime | None]] = {}
    nameless = images = 0
    for sop, series_uid, received, task in query.tuples().execute(database):
        images += 1
        if task in others:
            continue
        if not sop:
            nameless += 1
        elif sop not in found:
            found[sop] = (series_uid or "", None if received is None else instant_of(received))
    return found, nameless, images


def _with_images(database: Database, tasks: Iterable[TaskRecord]) -> list[TaskImages]:
    """Add to tasks what they hold, and what of it was delivered, and where."""
    known = {task.id: task for task in tasks}
    lists: dict[str, tuple[int | None, int | None]] = {}
    destinations: dict[str, tuple[str, ...]] = {}
    for some in batches(known, _AT_ONCE):
        query = TaskRow.select(TaskRow.id, TaskRow.image_list, TaskRow.delivered_list).where(TaskRow.id.in_(some))
        lists |= {task: (held, given) for task, held, given in query.tuples().execute(database)}
        # By task alone: of a type there are millions.
        told = EventRow.select().where(EventRow.task.in_([task for task in some if known[task].delivered is not None]))
        for event in records(database, told, EventRecord):
            if event.type == "task.delivered":
                destinations[event.task or ""] = tuple(map(str, event.details.get("destinations", ())))
    entries = _entries(database, {number for both in lists.values() for number in both if number is not None})
    return [
        TaskImages(
            task=task,
            files=entries.get(lists[task.id][0] or 0, {}),
            delivered=frozenset(entries.get(lists[task.id][1] or 0, {}).values()),
            destinations=destinations.get(task.id, ()),
        )
        for task in known.values()
    ]


def _entries(database: Database, lists: Iterable[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for some in batches(lists, _AT_ONCE):
        query = TaskImageRow.select(TaskImageRow.list, TaskImageRow.file, TaskImageRow.sop)
        for number, file, sop in query.where(TaskImageRow.list.in_(some)).tuples().execute(database):
            found.setdefault(number, {})[file] = sop
    return found
