"""Noticing that images came again with other content, before the task that holds them can be delivered."""

from __future__ import annotations

from pathlib import Path

from mercure.events import EventWriter
from mercure.names import id_time
from mercure.spool import Spool, Task
from mercure.spool.notices import post
from mercure.spool.telling import images_collided
from mercure.spool.versions import register


def note_repeats(spool: Spool, events: EventWriter, directory: Path, task: Task) -> None:
    """Note a task among those that hold images of its series, and tell of other versions that still wait.

    Parameters
    ----------
    spool, events : Spool, EventWriter
        Where, and who is told.
    directory, task : Path, Task
        The task in ``routing/``.

    Raises
    ------
    OSError
        As the disk says; nothing of the task may be derived.
    """
    found = register(spool, directory, task)
    for collision in found:
        key = f"images.collided:{collision.task}"  # each is told once
        series = task.identity.SeriesInstanceUID or None
        events.emit(images_collided(collision), task=task.id, series=series, key=key)
    twice = [collision for collision in found if not collision.same_unit]
    if twice:
        count = len({sop for collision in twice for sop in collision.sops})
        name = task.identity.SeriesInstanceUID or task.id
        text = (
            f"SOP Instance UIDs of series {name} are used twice, by another sender, study or patient than in tasks "
            f"that still wait (images: {count}, tasks: {len(twice)})"
        )
        advice = (
            "both are delivered in the order received, and an archive may keep one of the two only: find out which is "
            "right, and tell the sender"
        )
        post(spool, "mixed", f"UIDs of {task.id}", text, advice, now=id_time(task.id))
