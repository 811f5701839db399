"""Task events that can be emitted again, because they are made from the task's files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mercure.event_details import (
    ImageRef,
    ImagesCollided,
    TaskChanged,
    TaskCreated,
    TaskDelivered,
    TaskFailed,
    TaskProcessed,
)
from mercure.spool.delivered import holder, place_of
from mercure.spool.images import image_refs
from mercure.spool.layout import Stage
from mercure.spool.task import Hold, Task
from mercure.spool.versions import Collision

NAMED_IMAGES: Final = 20
"""UIDs named in an event; of further ones only the number is given."""


def task_created(task: Task, stage: Stage, images: tuple[ImageRef, ...]) -> TaskCreated:
    """Return the event of a task in its first stage."""
    if task.action == "complete" and not task.part:
        raise ValueError(f"task {task.id} is a series in routing, not a derived task")
    return TaskCreated(
        stage=stage.value,
        action=task.action,
        scope=task.scope,
        parent=task.parent,
        target=task.target,
        module=task.module,
        rules=tuple(fired.rule for fired in task.rules),
        priority=task.priority,
        identity=task.identity,
        origin=task.origin,
        images=images,
        bytes=task.bytes,
        late=task.late,
    )


def task_delivered(task: Task, directory: Path) -> TaskDelivered:
    """Return the event that one destination confirmed every image, with the status of each."""
    ledger = holder(directory, task)
    images = tuple(
        image.model_copy(update={"status": ledger[image.file].status}) if image.file in ledger else image
        for image in image_refs(directory)
    )
    return TaskDelivered(
        target=task.target or "",
        destinations=tuple(sorted({place_of(line) for line in ledger.values()})),
        images=images,
        bytes=task.bytes,
        seconds=sum(attempt.seconds for attempt in task.attempts),
        attempts=task.attempts_made,
    )


def images_collided(collision: Collision) -> ImagesCollided:
    """Return the event that another waiting task holds other versions of a task's images."""
    return ImagesCollided(
        other=collision.task,
        sops=collision.sops[:NAMED_IMAGES],
        images=len(collision.sops),
        kind="version" if collision.same_unit else "twice",
    )


def task_processed(task: Task) -> TaskProcessed:
    """Return the event that all modules of a task succeeded and their result is in the spool."""
    seconds = sum(attempt.seconds for attempt in task.attempts if attempt.outcome == "success")
    return TaskProcessed(module=", ".join(task.done), seconds=round(seconds, 3), outputs=task.outputs)


def task_failed(task: Task) -> TaskFailed:
    """Return the event that a task is in ``error/``."""
    failure = task.failure
    if failure is None:
        return TaskFailed(stage=Stage.ERROR.value, reason="unknown: its model holds no reason", advice="inspect it")
    return TaskFailed(stage=failure.stage, reason=failure.reason, advice=failure.advice)


def failed_key(task: Task) -> str:
    """Return the key of this failure among all of a task: a person may retry it, and it may fail again."""
    return f"task.failed:{task.attempts_made}:{task.failure.at if task.failure else None}"


def task_discarded(by: Hold) -> TaskChanged:
    """Return the event that a person discarded a task (`Task.discarded`)."""
    return TaskChanged(by=by.by, reason=by.reason or None)


def discarded_key(by: Hold) -> str:
    """Return the key of this discarding among all of a task: a person may retry it, and discard it again."""
    return f"task.discarded:{by.at}"
