"""Putting a task aside into ``error/``, where it is kept until a person decides."""

from __future__ import annotations

from mercure.events import EventWriter
from mercure.spool.claim import Claim
from mercure.spool.layout import Spool, Stage
from mercure.spool.move import move
from mercure.spool.task import Failure, Task, save_task
from mercure.spool.telling import failed_key, task_failed


def fail_task(spool: Spool, events: EventWriter, claim: Claim, task: Task, failure: Failure) -> None:
    """Put a claimed task into ``error/`` and tell of it.

    Raises
    ------
    OSError
        As the disk says; the task is still where it was, or moved and not told of (the cleaner tells it again).
    """
    failed = task.model_copy(update={"failure": failure, "finished": failure.at, "next_attempt": None})
    save_task(claim.path, failed)
    move(spool, claim, Stage.ERROR)
    events.emit(
        task_failed(failed), task=task.id, series=task.identity.SeriesInstanceUID or None, key=failed_key(failed)
    )
