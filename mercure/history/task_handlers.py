"""What the events of series and tasks add to the tables."""

from __future__ import annotations

from collections.abc import Callable

from mercure.event_details import (
    SeriesCompleted,
    SeriesDecided,
    StudyCompleted,
    TaskAttempt,
    TaskChanged,
    TaskCreated,
    TaskDelivered,
    TaskFailed,
    TaskProcessed,
    TaskRetired,
)
from mercure.events import Event
from mercure.history.instants import micros, optional_micros
from mercure.history.rows import AttemptRow, ImageListRow, ImageRow, Rows, TaskRow
from mercure.history.series_rows import add_series, set_identity
from mercure.history.telling import (
    CHANGED,
    CREATED,
    ENDED,
    PLANNED,
    REMOVED,
    STATE_OF_STAGE,
    key,
    minute_of,
    order,
    state,
    task_of,
)
from mercure.history.text import MAX_BYTES, TEXT_CHARS, clip, count_of, finite, json_text


def series_completed(batch: Rows, event: Event, details: SeriesCompleted) -> None:
    """Take up a routing task, to which the images of its series belong from now on."""
    task = task_of(event)
    folder = add_series(batch, event, details.identity, details.origin, order(CHANGED, event))
    listed = batch.image_list(details.images)
    _take_images(batch, listed, folder, task)
    row = TaskRow(
        id=task,
        node=batch.node,
        series=folder,
        action="complete",
        stage="routing",
        late=details.late,
        completion=clip(details.reason),
        scope="series",
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=order(PLANNED, event),
    )
    set_identity(row, details.identity)
    batch.tasks.append(state(row, "deciding", CREATED, event))
    batch.count(minute_of(event), "series.completed", clip(details.reason))
    if details.late:
        batch.count(minute_of(event), "series.late", "")


def study_completed(batch: Rows, event: Event, details: StudyCompleted) -> None:
    """Take up a routing task that was made of the collected series of a study; they end with it."""
    task, listed = task_of(event), batch.image_list(details.images)
    row = TaskRow(
        id=task,
        node=batch.node,
        action="complete",
        stage="routing",
        rules=json_text([clip(details.rule)], TEXT_CHARS),
        late=details.late,
        completion=clip(details.reason if details.by is None else f"{details.reason} ({details.by})"),
        scope="study",
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=order(PLANNED, event),
    )
    set_identity(row, details.identity)
    batch.tasks.append(state(row, "deciding", CREATED, event))
    for member in filter(None, details.members):
        collected = TaskRow(id=key(member), node=batch.node, study_task=key(task))
        batch.tasks.append(state(collected, "collected", ENDED, event))
    batch.count(minute_of(event), "studies.completed", clip(details.reason))


def series_decided(batch: Rows, event: Event, details: SeriesDecided) -> None:
    """Take up a plan: the tasks that it names are known, even if their creation is never told."""
    task = task_of(event)
    row = TaskRow(id=task, node=batch.node, decided=micros(event.time))
    row.discarded_by = None if details.discarded_by is None else clip(details.discarded_by)
    batch.tasks.append(state(row, "decided", CHANGED, event))
    for derived in filter(None, details.derived):
        planned = TaskRow(id=key(derived), node=batch.node, parent=task)
        batch.tasks.append(state(planned, "planned", PLANNED, event))
    for outcome in details.rules:
        if outcome.fired:
            batch.count(minute_of(event), "rules.fired", clip(outcome.rule))
        if outcome.error is not None:
            batch.count(minute_of(event), "rules.failed", clip(outcome.rule))


def task_created(batch: Rows, event: Event, details: TaskCreated) -> None:
    """Take up a task in its first stage; a discarded series is a task of action ``discard`` itself."""
    task, listed, told = task_of(event), batch.image_list(details.images), order(CREATED, event)
    folder = None
    if details.scope == "series":
        folder = add_series(batch, event, details.identity, details.origin, told)
        if not details.parent:
            # The routed series itself, discarded: this may be told again when "completed" was lost.
            _take_images(batch, listed, folder, task)
    row = TaskRow(
        id=task,
        node=batch.node,
        parent=key(details.parent) if details.parent else None,
        series=folder,
        action=details.action,
        stage=clip(details.stage),
        module=None if details.module is None else clip(details.module),
        rules=json_text([clip(rule) for rule in details.rules], TEXT_CHARS),
        priority=clip(details.priority),
        late=details.late,
        scope=details.scope,
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=told,
        target=None if details.target is None else clip(details.target),
        target_order=told,
    )
    set_identity(row, details.identity)
    if details.stage == "discard":
        # It comes after "decided" of the same task, and outweighs it.
        state(row, "discarded", CHANGED, event, reason=", ".join(details.rules))
    else:
        state(row, "waiting", CREATED, event)
    batch.tasks.append(row)
    batch.count(minute_of(event), "tasks.created", clip(details.target or details.module or details.action))


def task_attempt(batch: Rows, event: Event, details: TaskAttempt) -> None:
    """Add one more try, and when the next one is due."""
    task, number, moment = task_of(event), count_of(details.number), micros(event.time)
    target = None if details.target is None else clip(details.target)
    module = None if details.module is None else clip(details.module)
    error = None if details.error is None else clip(details.error, TEXT_CHARS)
    batch.attempts.append(
        AttemptRow(
            task=task,
            number=number,
            node=batch.node,
            time=moment,
            target=target,
            module=module,
            outcome=details.outcome,
            kind=details.kind,
            error=error,
            images=count_of(details.images),
            sent=count_of(details.sent),
            confirmed=count_of(details.confirmed),
            bytes=count_of(details.bytes, MAX_BYTES),
            seconds=finite(details.seconds),
            next_attempt=optional_micros(details.next_attempt),
            event_order=order(CHANGED, event),
        )
    )
    row = TaskRow(id=task, node=batch.node, attempts=number, last_attempt=moment, last_error=error)
    row.target, row.target_order = target, None if target is None else order(PLANNED, event)
    row.next_attempt = optional_micros(details.next_attempt)
    row.attempt_order = f"{number:010d}{order(CHANGED, event)}"
    batch.tasks.append(row)
    kind, label = ("runs", module) if module is not None else ("attempts", target or "")
    batch.count(minute_of(event), f"{kind}.{details.outcome}", label)
    batch.count(minute_of(event), f"{kind}.seconds", label, finite(details.seconds))


def task_delivered(batch: Rows, event: Event, details: TaskDelivered) -> None:
    """Note that every image is at the target."""
    listed = batch.image_list(details.images)
    told = order(ENDED, event)
    row = TaskRow(id=task_of(event), node=batch.node, delivered=micros(event.time))
    row.delivered_list, row.delivered_order = listed.digest, told
    # Where creation and rerouting are not known, this says at least where the images went.
    row.target, row.target_order = clip(details.target), order(PLANNED, event)
    batch.tasks.append(state(row, "delivered", ENDED, event))
    counts = {"tasks.delivered": 1, "images.delivered": len(listed.entries), "bytes.delivered": listed.bytes}
    for name, value in counts.items():
        batch.count(minute_of(event), name, clip(details.target), value)


def task_processed(batch: Rows, event: Event, details: TaskProcessed) -> None:
    """Note that the module ended well; its results are tasks of their own."""
    task = task_of(event)
    batch.tasks.append(state(TaskRow(id=task, node=batch.node), "processed", ENDED, event))
    for output in filter(None, details.outputs):
        planned = TaskRow(id=key(output), node=batch.node, parent=task)
        batch.tasks.append(state(planned, "planned", PLANNED, event))
    batch.count(minute_of(event), "tasks.processed", clip(details.module))


def task_failed(batch: Rows, event: Event, details: TaskFailed) -> None:
    """Note that the task waits for a person."""
    row = TaskRow(id=task_of(event), node=batch.node)
    batch.tasks.append(state(row, "failed", CHANGED, event, reason=details.reason, advice=details.advice))
    batch.count(minute_of(event), "tasks.failed", clip(details.stage))


def changed_to(name: str) -> Callable[[Rows, Event, TaskChanged], None]:
    """Make the handler of a change that a person made: the task is in state `name` then."""

    def handler(batch: Rows, event: Event, details: TaskChanged) -> None:
        row = TaskRow(id=task_of(event), node=batch.node)
        if details.target is not None:
            row.target, row.target_order = clip(details.target), order(CHANGED, event)
        why = f"by {details.by}" + (f": {details.reason}" if details.reason else "")
        batch.tasks.append(state(row, name, CHANGED, event, reason=why))

    return handler


def task_retired(batch: Rows, event: Event, details: TaskRetired) -> None:
    """Note that the directory goes: what the task ended as is then in the history only."""
    row = TaskRow(id=task_of(event), node=batch.node, retired=micros(event.time))
    row.retired_from, row.retired_reason, row.retired_order = clip(details.stage), details.reason, order(REMOVED, event)
    if details.stage in STATE_OF_STAGE:
        state(row, STATE_OF_STAGE[details.stage], REMOVED, event)
    batch.tasks.append(row)
    batch.count(minute_of(event), "tasks.retired", clip(details.stage))


def _take_images(batch: Rows, listed: ImageListRow, folder: str, task: str) -> None:
    for file, image, sop, size in listed.entries:
        if image is not None:
            batch.images.append(
                ImageRow(id=key(image), node=batch.node, series=folder, file=file, sop=sop, bytes=size, task=task)
            )
