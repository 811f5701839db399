"""Failed tasks: put aside into ``error/``, where a person decides."""

from __future__ import annotations

import contextlib

from mercure.event_details import Warned
from mercure.events import EventWriter
from mercure.spool.claim import Claim
from mercure.spool.layout import Spool, Stage
from mercure.spool.move import move
from mercure.spool.task import Failure, Task, TaskError, load_task, save_task
from mercure.spool.task_events import failed_key, task_failed


def fail_task(spool: Spool, events: EventWriter, claim: Claim, task: Task, failure: Failure) -> None:
    """Put a claimed task into ``error/`` and emit its event.

    Raises
    ------
    OSError
        I/O failed; the task is still where it was, or was moved without its event (the cleaner emits it again).
    """
    failed = task.model_copy(update={"failure": failure, "finished": failure.at, "next_attempt": None})
    save_task(claim.path, failed)
    move(spool, claim, Stage.ERROR)
    events.emit(
        task_failed(failed), task=task.id, series=task.identity.SeriesInstanceUID or None, key=failed_key(failed)
    )


def put_aside_unreadable(spool: Spool, events: EventWriter, stage: Stage, name: str, reason: str) -> None:
    """Put a task whose model cannot be read into ``error/`` as it is; if it cannot be moved, warn once.

    Parameters
    ----------
    stage : Stage
        Where it stands.
    name, reason : str
        The task, and why its model cannot be read.
    """
    claim = Claim.take(spool.entry(stage, name))
    if claim is None:
        return
    with claim:
        advice = "it is put aside into error/ under the same name; send the series again"
        try:
            load_task(claim.path)
            return
        except TaskError:
            with contextlib.suppress(OSError):
                move(spool, claim, Stage.ERROR)
        except OSError:
            advice = "mend the disk or the rights of its folder; it is looked at again by itself"
        events.emit(Warned(text=f"task {name}: {reason}", advice=advice), task=name, key="unreadable")
