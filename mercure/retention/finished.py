"""Finished tasks: an index in memory, the space that removing them frees, and the proof that they are over.

The index lets a turn of the cleaner read only what is new. The proof needs no history: while the history cannot be
reached, the events of a task's final state are emitted again and synced before the task is removed, so the history
learns them from the outbox later (``docs/reference/spool.md``, "Removed").
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sys import intern
from typing import Final

from mercure import durable
from mercure.events import EventWriter
from mercure.names import id_time
from mercure.scheduling.stage_index import FolderStamp, StageIndex, folder_stamp, task_stamps
from mercure.spool import Spool, Stage, Task, TaskError, image_files, image_refs, load_task
from mercure.spool.delivered import holder
from mercure.spool.layout import list_names
from mercure.spool.task import LEDGER_FILE
from mercure.spool.task_events import (
    discarded_key,
    failed_key,
    task_created,
    task_delivered,
    task_discarded,
    task_failed,
    task_processed,
)

FINISHED_STAGES: Final = (Stage.SUCCESS, Stage.DISCARD, Stage.ERROR)


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that has nothing before it, or waits for a person.

    The cleaner holds one for each finished task, and there may be a million of them: hence the slots, and what tasks
    have in common stands in memory once.

    Parameters
    ----------
    id : str
        The task.
    stage : Stage
        ``success``, ``discard`` or ``error``.
    finished : datetime
        Since when.
    parent : str or None
        The task that it was derived from.
    study, patient : str
        Its Study Instance UID and patient id.
    bytes : int
        Of its images.
    """

    id: str
    stage: Stage
    finished: datetime
    parent: str | None
    study: str = ""
    patient: str = ""
    bytes: int = 0


class FinishedTasks:
    """The index.

    Parameters
    ----------
    spool : Spool
        Where the tasks are.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._stages = {stage: self._index_of(stage) for stage in FINISHED_STAGES}

    def scan(self) -> list[Finished]:
        """Look at the finished stages; return their tasks, the longest finished first."""
        found: list[Finished] = []
        for stage, index in self._stages.items():
            with suppress(FileNotFoundError):  # the stage itself is not there
                index.compare(task_stamps(self._spool.stage(stage)))
            found += index.values()
        return sorted(found, key=lambda task: (task.finished, task.id))

    def _index_of(self, stage: Stage) -> StageIndex[FolderStamp, Finished]:
        def stamp(name: str) -> FolderStamp | None:
            return folder_stamp(self._spool.entry(stage, name))

        def read(name: str, _stamp: FolderStamp | None, _before: Finished | None) -> Finished | None:
            try:
                task = load_task(self._spool.entry(stage, name))
            except (FileNotFoundError, TaskError):
                # One that cannot be read is never removed: a person must look at it. `mercure verify` names it.
                return None
            if task.finished is None and stage is not Stage.ERROR:
                return None  # a person has it sent on its way again, and a crash came before it was moved
            study, patient = intern(task.identity.StudyInstanceUID), intern(task.identity.PatientID)
            parent = intern(task.parent) if task.parent else None
            return Finished(name, stage, task.finished or id_time(name), parent, study, patient, task.bytes)

        return StageIndex(stamp, read)


def families(tasks: Iterable[Finished]) -> list[list[Finished]]:
    """Put tasks that were derived from the same one together; the families keep the order of their first members."""
    found: dict[str, list[Finished]] = {}
    for task in tasks:
        found.setdefault(task.parent or task.id, []).append(task)
    return list(found.values())


def freed_bytes(directories: Sequence[Path]) -> int:
    """Return how many bytes are freed when all these tasks are removed; 0 for those that are gone.

    An image that another task links to takes its room until the last link goes.
    """
    links: Counter[int] = Counter()
    found: dict[int, os.stat_result] = {}
    for directory in directories:
        try:
            for image in image_files(directory):
                status = os.stat(directory / image.name)
                links[status.st_ino] += 1
                found[status.st_ino] = status
        except FileNotFoundError:
            continue
    return sum(status.st_size for inode, status in found.items() if links[inode] >= status.st_nlink)


_BEGINS_IN: Final = {
    "route": Stage.OUTGOING,
    "process": Stage.PROCESSING,
    "collect": Stage.STUDIES,
    "discard": Stage.DISCARD,
}


def tell_state(events: EventWriter, task: Task, stage: Stage, directory: Path) -> None:
    """Emit the events of a finished task's state; if they were emitted before, they are the same events."""
    series = task.identity.SeriesInstanceUID or None
    if task.action != "complete":
        created = task_created(task, _BEGINS_IN[task.action], image_refs(directory))
        events.emit(created, task=task.id, series=series, key="task.created")
    if stage is Stage.DISCARD and task.discarded is not None:
        key = discarded_key(task.discarded)
        events.emit(task_discarded(task.discarded), type="task.discarded", task=task.id, series=series, key=key)
    if stage is Stage.SUCCESS and task.action == "route":
        events.emit(task_delivered(task, directory), task=task.id, series=series, key="task.delivered")
    if stage is Stage.SUCCESS and task.action == "process":
        events.emit(task_processed(task), task=task.id, series=series, key="task.processed")
    if stage is Stage.ERROR:
        events.emit(task_failed(task), task=task.id, series=series, key=failed_key(task))


def is_over(task: Task, stage: Stage, directory: Path) -> bool:
    """Return whether a task proves that nothing is before it.

    It stands in ``success/`` or ``discard/`` and says since when: no other step leads there. A ledger that lacks one of
    its images contradicts that, and is for a person to look at.
    """
    if stage not in (Stage.SUCCESS, Stage.DISCARD) or task.finished is None:
        return False
    return stage is Stage.DISCARD or not (directory / LEDGER_FILE).exists() or has_whole_ledger(directory)


def has_whole_ledger(directory: Path) -> bool:
    """Return whether one destination has confirmed each image of a task."""
    try:
        task = load_task(directory)
    except (OSError, TaskError):
        return False
    files = {image.name for image in image_files(directory)}
    return bool(files) and files <= holder(directory, task, files).keys()


def sync_outbox(spool: Spool) -> None:
    """Sync the events of all services to stable storage.

    Raises
    ------
    OSError
        The disk refuses: what it tells of must stay.
    """
    folder = spool.stage(Stage.OUTBOX)
    for name in list_names(folder):
        try:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # read to its end and recorded: the history is back
        try:
            durable.step("fdatasync", folder / name)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    durable.sync_directory(folder)
