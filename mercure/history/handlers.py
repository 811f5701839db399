"""What each type of event adds to the tables: one function per type, found through one table (`HANDLERS`).

A handler only adds rows to the batch. It never reads the database: what it says must hold whatever was recorded before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from mercure.event_details import (
    AssociationClosed,
    AssociationOpened,
    AssociationRefused,
    Audit,
    ContextRefused,
    ImageQuarantined,
    ImageReceived,
    ImageRefused,
    Metrics,
)
from mercure.events import Event
from mercure.history import task_handlers as tasks
from mercure.history.instants import micros
from mercure.history.rows import AssociationRow, AuditRow, MetricKey, Rows
from mercure.history.series_rows import add_image
from mercure.history.telling import CHANGED, PLANNED, UnusableError, key, minute_of, order, reason_kind, sender
from mercure.history.text import MAX_BYTES, TEXT_CHARS, clip, count_of, finite, json_text

Handler = Callable[[Rows, Event, Any], None]


def _association_opened(batch: Rows, event: Event, details: AssociationOpened) -> None:
    batch.associations.append(
        AssociationRow(
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
        AssociationRow(
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
    times = count_of(details.times)
    batch.count(minute_of(event), "associations.refused", sender(details.calling_aet, details.address), times)
    batch.count(minute_of(event), "refusals.association", reason_kind(details.reason), times)


def _context_refused(batch: Rows, event: Event, details: ContextRefused) -> None:
    label = sender(details.calling_aet, details.address)
    batch.count(minute_of(event), "contexts.refused", label, count_of(details.times))


def _image_received(batch: Rows, event: Event, details: ImageReceived) -> None:
    if not details.image:
        raise UnusableError("the image has no id")
    add_image(batch, event, key(details.image), details, order(PLANNED, event))
    label = sender(details.calling_aet, details.address)
    batch.count(minute_of(event), "images.received", label)
    batch.count(minute_of(event), "bytes.received", label, count_of(details.bytes, MAX_BYTES))


def _image_refused(batch: Rows, event: Event, details: ImageRefused) -> None:
    batch.count(minute_of(event), "images.refused", sender(details.calling_aet, details.address))
    batch.count(minute_of(event), "refusals.image", clip(details.status))


def _image_quarantined(batch: Rows, event: Event, details: ImageQuarantined) -> None:
    batch.count(minute_of(event), "images.quarantined", sender(details.calling_aet, details.address))


def _audit(batch: Rows, event: Event, details: Audit) -> None:
    batch.audit.append(
        AuditRow(
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
    "context.refused": _context_refused,
    "image.received": _image_received,
    "image.refused": _image_refused,
    "image.quarantined": _image_quarantined,
    "series.completed": tasks.series_completed,
    "series.decided": tasks.series_decided,
    "study.completed": tasks.study_completed,
    "task.created": tasks.task_created,
    "task.attempt": tasks.task_attempt,
    "task.delivered": tasks.task_delivered,
    "task.processed": tasks.task_processed,
    "task.failed": tasks.task_failed,
    "task.held": tasks.changed_to("held"),
    "task.released": tasks.changed_to("waiting"),
    "task.retried": tasks.changed_to("waiting"),
    "task.rerouted": tasks.changed_to("waiting"),
    "task.discarded": tasks.changed_to("discarded"),
    "task.retired": tasks.task_retired,
    "audit": _audit,
    "metrics": _metrics,
}
"""Types that have no handler are recorded as events and nothing else."""


def told_details(event: Event) -> dict[str, Any]:
    """Return the details of an event as they are kept: a list of images by its length, since images have a table."""
    images = event.details.get("images")
    if not isinstance(images, list):
        return event.details
    kept = event.details | {"images": len(images)}
    statuses = Counter(str(image.get("status")) for image in images if isinstance(image, dict) and image.get("status"))
    if statuses:
        kept["statuses"] = dict(statuses.most_common(10))
    return kept
