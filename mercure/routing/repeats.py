"""Noticing that images came again with other content, before the task that holds them can be delivered."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mercure.events import EventWriter
from mercure.names import id_time
from mercure.spool import Spool, TagRecord, Task
from mercure.spool.images import text
from mercure.spool.instances import InstanceTable
from mercure.spool.notices import post
from mercure.spool.task_events import images_collided
from mercure.spool.versions import Collision, mark_across, register

MOST_TOLD: Final = 20
"""Of the tasks with which one collides so many are told: a sender that gives all images one UID must not flood us."""

_log = logging.getLogger(__name__)


def note_repeats(spool: Spool, events: EventWriter, directory: Path, task: Task, records: Sequence[TagRecord]) -> None:
    """Note a task among those that hold images of its series, and tell of other versions that still wait.

    Parameters
    ----------
    spool, events : Spool, EventWriter
        Where, and who is told.
    directory, task : Path, Task
        The task in ``routing/``.
    records : sequence of TagRecord
        Its tag records.

    Raises
    ------
    OSError
        As the disk says; nothing of the task may be derived.
    """
    found = register(spool, directory, task)
    found += _of_other_series(spool, task, records, found)
    for collision in found:
        key = f"images.collided:{collision.task}"  # each is told once
        series = task.identity.SeriesInstanceUID or None
        events.emit(images_collided(collision), task=task.id, series=series, key=key)
    twice = [collision for collision in found if not collision.same_unit]
    if twice:
        _notice(spool, task, twice)


def _of_other_series(
    spool: Spool, task: Task, records: Sequence[TagRecord], found: Sequence[Collision]
) -> list[Collision]:
    """Find UIDs that another series, study or patient used before, and see that those that wait leave in their order.

    What a module made is not looked at: whose it is, the module decides.
    """
    if task.processed_by:
        return []
    try:
        seen = InstanceTable(spool).note(task.id, records)
    except OSError as error:
        _log.warning("SOP Instance UIDs cannot be noted: %s", error, extra={"task": task.id})
        return []
    if not seen:
        return []
    others = {other.task: other.sops for other in seen}
    sops = {sop for used in others.values() for sop in used}
    series = {text(record, "SeriesInstanceUID") for record in records if text(record, "SOPInstanceUID") in sops}
    mark_across(spool, task.id, series - {""}, others)
    told = {id_time(collision.task) for collision in found}
    fresh = [Collision(name, used, False) for name, used in others.items() if id_time(name) not in told]
    return fresh[-MOST_TOLD:]


def _notice(spool: Spool, task: Task, twice: Sequence[Collision]) -> None:
    count = len({sop for collision in twice for sop in collision.sops})
    name = task.identity.SeriesInstanceUID or task.id
    words = (
        f"SOP Instance UIDs of series {name} are used twice: other images under them came in another series, or from "
        f"another sender, study or patient (images: {count}, tasks: {len(twice)})"
    )
    advice = (
        "both are delivered in the order received, and an archive may keep one of the two only: find out which is "
        "right, and tell the sender"
    )
    post(spool, "mixed", f"UIDs of {task.id}", words, advice, now=id_time(task.id))
