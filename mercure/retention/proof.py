"""What a finished task proves by itself, without a history: that nothing is before it any more, and what became of it.

When the history cannot be asked, what it would be told again is told and put onto stable storage before the task goes:
the history then learns of it from the outbox, as it would have (``docs/reference/spool.md``, "Removed").
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mercure import durable
from mercure.events import EventWriter
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

_BEGINS_IN: Final = {
    "route": Stage.OUTGOING,
    "process": Stage.PROCESSING,
    "collect": Stage.STUDIES,
    "discard": Stage.DISCARD,
}


def tell_state(events: EventWriter, task: Task, stage: Stage, directory: Path) -> None:
    """Emit the events of the state in which a finished task is; told before, they are the same events."""
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
    """Tell whether a task proves that nothing is before it.

    It stands in ``success/`` or ``discard/`` and says since when: no other step leads there. A ledger that lacks one of
    its images contradicts that, and is for a person to look at.
    """
    if stage not in (Stage.SUCCESS, Stage.DISCARD) or task.finished is None:
        return False
    return stage is Stage.DISCARD or not (directory / LEDGER_FILE).exists() or has_whole_ledger(directory)


def has_whole_ledger(directory: Path) -> bool:
    """Tell whether one destination has confirmed each image of a task."""
    try:
        task = load_task(directory)
    except (OSError, TaskError):
        return False
    files = {image.name for image in image_files(directory)}
    return bool(files) and files <= holder(directory, task, files).keys()


def sync_outbox(spool: Spool) -> None:
    """Put what all services have told onto stable storage.

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
