"""What each type of event adds to the tables: one function per type, found through one table (`HANDLERS`).

A handler only adds rows to the batch. It never reads the database: what it says must hold whatever was recorded before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from mercure.bookkeeping import rows
from mercure.bookkeeping.instants import MINUTE, micros, optional_micros
from mercure.bookkeeping.rows import MetricKey, Rows, TaskRow
from mercure.bookkeeping.series_rows import add_image, add_series
from mercure.bookkeeping.text import KEY_CHARS, MAX_BYTES, TEXT_CHARS, clip, count_of, finite, json_text
from mercure.event_details import (
    AssociationClosed,
    AssociationOpened,
    AssociationRefused,
    Audit,
    ImageQuarantined,
    ImageReceived,
    ImageRefused,
    Metrics,
    SeriesCompleted,
    SeriesDecided,
    TaskAttempt,
    TaskChanged,
    TaskCreated,
    TaskDelivered,
    TaskFailed,
    TaskProcessed,
    TaskRetired,
)
from mercure.events import Event

Handler = Callable[[Rows, Event, Any], None]

PLANNED, CREATED, CHANGED, REMOVED, ENDED = "abcde"
"""Weights of what is told, from the lightest. A plan loses against the creation, the creation against any change (it may be told
again much later), changes among themselves follow their time, and that a task was delivered or processed holds for good."""

STATES: Final = ("planned", "waiting", "held", "deciding", "decided", "processed", "delivered", "discarded", "failed")
"""What the history says about a task. A retired task keeps what it ended as; `retired` says when its directory was removed."""

STATE_OF_STAGE: Final = {"success": "delivered", "discard": "discarded", "error": "failed", "routing": "deciding"}
"""What it means to stand in a stage; in the others a task is waiting."""


class UnusableError(ValueError):
    """The details cannot be used for the tables; the event itself is still recorded."""


def order(weight: str, event: Event) -> str:
    """Return the text by which one event takes precedence over another."""
    return f"{weight}{micros(event.time):018d}{event.id}"


def minute_of(event: Event) -> int:
    """Return the beginning of the minute in which an event happened."""
    moment = micros(event.time)
    return moment - moment % MINUTE


def task_of(event: Event) -> str:
    """Return the task that an event is about."""
    if not event.task:
        raise UnusableError(f"an event of type {event.type} names no task")
    return event.task


def key(text: str) -> str:
    """Return an identifier that may be a key."""
    if not 0 < len(text) <= KEY_CHARS:
        raise UnusableError(f"an identifier has 1 to {KEY_CHARS} characters, not {len(text)}")
    return text


def sender(calling_aet: str, address: str) -> str:
    """Name a sender as counters do."""
    return clip(f"{calling_aet}@{address}")


def state(row: TaskRow, name: str, weight: str, event: Event, reason: str | None = None, advice: str | None = None) -> TaskRow:
    """Set what has become of a task, since when and why."""
    row.state, row.state_order = name, order(weight, event)
    # A retirement says how the task ended, but not when or why: what was told before of that stays.
    row.since, row.since_order = micros(event.time), order(PLANNED if weight == REMOVED else weight, event)
    row.reason = None if reason is None else clip(reason, TEXT_CHARS)
    row.advice = None if advice is None else clip(advice, TEXT_CHARS)
    return row


def _association_opened(batch: Rows, event: Event, details: AssociationOpened) -> None:
    batch.associations.append(
        rows.AssociationRow(
            id=key(details.association),
            node=batch.node,
            address=clip(details.address),
            calling_aet=clip(details.calling_aet),
            called_aet=clip(details.called_aet),
            contexts=count_of(details.contexts),
            opened=micros(event.time),
        )
    )
    batch.count(minute_of(event), "associations.opened", sender(details.calling_aet, details.address))


def _association_closed(batch: Rows, event: Event, details: AssociationClosed) -> None:
    batch.associations.append(
        rows.AssociationRow(
            id=key(details.association),
            node=batch.node,
            address=clip(details.address),
            calling_aet=clip(details.calling_aet),
            called_aet=clip(details.called_aet),
            closed=micros(event.time),
            how=clip(details.how),
            images=count_of(details.images),
            bytes=count_of(details.bytes, MAX_BYTES),
            refused=count_of(details.refused),
            seconds=finite(details.seconds),
        )
    )
    batch.count(minute_of(event), "associations.closed", clip(details.how))


def _association_refused(batch: Rows, event: Event, details: AssociationRefused) -> None:
    batch.count(minute_of(event), "associations.refused", sender(details.calling_aet, details.address))


def _image_received(batch: Rows, event: Event, details: ImageReceived) -> None:
    add_image(batch, event, key(details.image), details, order(PLANNED, event))
    label = sender(details.calling_aet, details.address)
    batch.count(minute_of(event), "images.received", label)
    batch.count(minute_of(event), "bytes.received", label, count_of(details.bytes, MAX_BYTES))


def _image_refused(batch: Rows, event: Event, details: ImageRefused) -> None:
    batch.count(minute_of(event), "images.refused", sender(details.calling_aet, details.address))


def _image_quarantined(batch: Rows, event: Event, details: ImageQuarantined) -> None:
    batch.count(minute_of(event), "images.quarantined", sender(details.calling_aet, details.address))


def _series_completed(batch: Rows, event: Event, details: SeriesCompleted) -> None:
    task = task_of(event)
    folder = add_series(batch, event, details.identity, details.origin, order(CHANGED, event))
    listed = batch.image_list(details.images)
    for file, image, sop, size in listed.entries:
        if image is not None:
            batch.images.append(
                rows.ImageRow(id=key(image), node=batch.node, series=folder, file=file, sop=sop, bytes=size, task=task)
            )
    row = TaskRow(
        id=task,
        node=batch.node,
        series=folder,
        action="complete",
        stage="routing",
        late=details.late,
        completion=clip(details.reason),
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=order(CREATED, event),
    )
    batch.tasks.append(state(row, "deciding", CREATED, event))
    batch.count(minute_of(event), "series.completed", clip(details.reason))
    if details.late:
        batch.count(minute_of(event), "series.late", "")


def _series_decided(batch: Rows, event: Event, details: SeriesDecided) -> None:
    task = task_of(event)
    row = TaskRow(id=task, node=batch.node, decided=micros(event.time))
    row.discarded_by = None if details.discarded_by is None else clip(details.discarded_by)
    batch.tasks.append(state(row, "decided", CHANGED, event))
    for derived in details.derived:
        planned = TaskRow(id=key(derived), node=batch.node, parent=task)
        batch.tasks.append(state(planned, "planned", PLANNED, event))
    for outcome in details.rules:
        if outcome.fired:
            batch.count(minute_of(event), "rules.fired", clip(outcome.rule))
        if outcome.error is not None:
            batch.count(minute_of(event), "rules.failed", clip(outcome.rule))


def _task_created(batch: Rows, event: Event, details: TaskCreated) -> None:
    folder = add_series(batch, event, details.identity, details.origin, order(CREATED, event))
    listed = batch.image_list(details.images)
    told = order(CREATED, event)
    row = TaskRow(
        id=task_of(event),
        node=batch.node,
        parent=None if details.parent is None else key(details.parent),
        series=folder,
        action=details.action,
        stage=clip(details.stage),
        module=None if details.module is None else clip(details.module),
        rules=json_text([clip(rule) for rule in details.rules], TEXT_CHARS),
        priority=clip(details.priority),
        late=details.late,
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=told,
        target=None if details.target is None else clip(details.target),
        target_order=told,
    )
    reason = ", ".join(details.rules) if details.stage == "discard" else None
    batch.tasks.append(state(row, STATE_OF_STAGE.get(details.stage, "waiting"), CREATED, event, reason))
    batch.count(minute_of(event), "tasks.created", clip(details.target or details.module or details.action))


def _task_attempt(batch: Rows, event: Event, details: TaskAttempt) -> None:
    task, number, moment = task_of(event), count_of(details.number), micros(event.time)
    target = None if details.target is None else clip(details.target)
    module = None if details.module is None else clip(details.module)
    error = None if details.error is None else clip(details.error, TEXT_CHARS)
    batch.attempts.append(
        rows.AttemptRow(
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
    batch.count(minute_of(event), f"attempts.{details.outcome}", target or module or "")


def _task_delivered(batch: Rows, event: Event, details: TaskDelivered) -> None:
    listed = batch.image_list(details.images)
    told = order(ENDED, event)
    row = TaskRow(id=task_of(event), node=batch.node, delivered=micros(event.time))
    row.delivered_list, row.delivered_order = listed.digest, told
    # Where creation and rerouting are not known, this says at least where the images went.
    row.target, row.target_order = clip(details.target), order(PLANNED, event)
    batch.tasks.append(state(row, "delivered", ENDED, event))
    for name, value in (("tasks.delivered", 1), ("images.delivered", len(listed.entries)), ("bytes.delivered", listed.bytes)):
        batch.count(minute_of(event), name, clip(details.target), value)


def _task_processed(batch: Rows, event: Event, details: TaskProcessed) -> None:
    task = task_of(event)
    batch.tasks.append(state(TaskRow(id=task, node=batch.node), "processed", ENDED, event))
    for output in details.outputs:
        planned = TaskRow(id=key(output), node=batch.node, parent=task)
        batch.tasks.append(state(planned, "planned", PLANNED, event))
    batch.count(minute_of(event), "tasks.processed", clip(details.module))


def _task_failed(batch: Rows, event: Event, details: TaskFailed) -> None:
    row = TaskRow(id=task_of(event), node=batch.node)
    batch.tasks.append(state(row, "failed", CHANGED, event, details.reason, details.advice))
    batch.count(minute_of(event), "tasks.failed", clip(details.stage))


def _changed_to(name: str) -> Handler:
    def handler(batch: Rows, event: Event, details: TaskChanged) -> None:
        row = TaskRow(id=task_of(event), node=batch.node)
        if details.target is not None:
            row.target, row.target_order = clip(details.target), order(CHANGED, event)
        why = f"by {details.by}" + (f": {details.reason}" if details.reason else "")
        batch.tasks.append(state(row, name, CHANGED, event, why))

    return handler


def _task_retired(batch: Rows, event: Event, details: TaskRetired) -> None:
    row = TaskRow(id=task_of(event), node=batch.node, retired=micros(event.time))
    row.retired_from, row.retired_reason, row.retired_order = clip(details.stage), details.reason, order(REMOVED, event)
    if details.stage in STATE_OF_STAGE:
        state(row, STATE_OF_STAGE[details.stage], REMOVED, event)
    batch.tasks.append(row)
    batch.count(minute_of(event), "tasks.retired", clip(details.stage))


def _audit(batch: Rows, event: Event, details: Audit) -> None:
    batch.audit.append(
        rows.AuditRow(
            id=event.id,
            node=batch.node,
            time=micros(event.time),
            by=clip(details.by),
            verb=clip(details.verb),
            object=clip(details.object, TEXT_CHARS),
            task=event.task,
            before=json_text(details.before),
            after=json_text(details.after),
        )
    )


def _metrics(batch: Rows, event: Event, details: Metrics) -> None:
    minute = minute_of(event)
    for name, value in details.counters.items():
        batch.count(minute, clip(name), event.service, finite(value))
    for name, value in details.gauges.items():
        batch.gauge(MetricKey(minute, clip(name), event.service), order(CHANGED, event), finite(value))


HANDLERS: Final[dict[str, Handler]] = {
    "association.opened": _association_opened,
    "association.closed": _association_closed,
    "association.refused": _association_refused,
    "image.received": _image_received,
    "image.refused": _image_refused,
    "image.quarantined": _image_quarantined,
    "series.completed": _series_completed,
    "series.decided": _series_decided,
    "task.created": _task_created,
    "task.attempt": _task_attempt,
    "task.delivered": _task_delivered,
    "task.processed": _task_processed,
    "task.failed": _task_failed,
    "task.held": _changed_to("held"),
    "task.released": _changed_to("waiting"),
    "task.retried": _changed_to("waiting"),
    "task.rerouted": _changed_to("waiting"),
    "task.discarded": _changed_to("discarded"),
    "task.retired": _task_retired,
    "audit": _audit,
    "metrics": _metrics,
}
"""Types that have no handler are recorded as events and nothing else."""


def told_details(event: Event) -> dict[str, Any]:
    """Return the details of an event as they are kept: lists of images by their number, since the images have their own table."""
    images = event.details.get("images")
    if not isinstance(images, list):
        return event.details
    kept = event.details | {"images": len(images)}
    statuses = Counter(str(image.get("status")) for image in images if isinstance(image, dict) and image.get("status"))
    if statuses:
        kept["statuses"] = dict(statuses.most_common(10))
    return kept
