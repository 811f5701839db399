"""Event handlers: what each type of event adds to the tables, one function per type (`HANDLERS`).

A handler only adds rows to the batch. It never reads the database: what it says must hold whatever was recorded before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from mercure.event_details import (
    AssociationClosed,
    AssociationOpened,
    AssociationRefused,
    Audit,
    ContextRefused,
    Identity,
    ImageQuarantined,
    ImageReceived,
    ImageRefused,
    Metrics,
    Origin,
    SeriesCompleted,
    SeriesDecided,
    SeriesTags,
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
from mercure.history.instants import MINUTE, micros, optional_micros
from mercure.history.models import (
    AssociationRow,
    AttemptRow,
    AuditRow,
    ImageRow,
    MetricsMinuteRow,
    SeriesTagRow,
    TaskRow,
)
from mercure.history.precedence import (
    CHANGED,
    CREATED,
    ENDED,
    PLANNED,
    REMOVED,
    STATE_OF_STAGE,
    attempt_order,
    order,
    state,
)
from mercure.history.rows import ListedImages, Rows
from mercure.history.series_tags import tag_rows
from mercure.history.text import KEY_CHARS, MAX_BYTES, NAME_CHARS, TEXT_CHARS, clip, count_of, finite, json_text
from mercure.names import safe_name
from mercure.spool.images import MOST_VALUES
from mercure.task_verbs import TASK_VERBS

Handler = Callable[[Rows, Event, Any], None]
_FromSender = AssociationOpened | AssociationRefused | ContextRefused | ImageReceived | ImageRefused | ImageQuarantined

_KIND_CHARS: Final = 80
_SEARCHED: Final = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession": "AccessionNumber",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
}
_OF_SERIES: Final = {
    **_SEARCHED,
    "modality": "Modality",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "study_date": "StudyDate",
}
_OF_TASK: Final = {**_SEARCHED, "modality": "Modality", "series_description": "SeriesDescription"}
_NOT_OF_IMAGE: Final = dict.fromkeys(("patient_name", "study_description", "series_description", "study_date"), "")


class UnusableError(ValueError):
    """The details cannot be used for the tables; the event itself is still recorded."""


# --- connections and images ---------------------------------------------------------------------------------------


def _association_opened(batch: Rows, event: Event, details: AssociationOpened) -> None:
    batch.add(
        AssociationRow,
        id=key(details.association),
        **_sender_columns(details),
        contexts=count_of(details.contexts),
        opened=micros(event.time),
    )
    minute, sender = _minute_of(event), _sender(details)
    batch.count(minute, "associations.opened", sender)
    batch.learn(minute, sender, "called", details.called_aet)
    batch.learn(minute, sender, "implementation", details.implementation_uid)
    batch.learn(minute, sender, "version", details.implementation_version)
    if details.certificate_ends:
        batch.learn(minute, sender, "certificate", f"{details.certificate_ends} {details.certificate_subject}")


def _association_closed(batch: Rows, event: Event, details: AssociationClosed) -> None:
    batch.add(
        AssociationRow,
        id=key(details.association),
        **_sender_columns(details),
        closed=micros(event.time),
        how=clip(details.how),
        images=count_of(details.images),
        bytes=count_of(details.bytes, MAX_BYTES),
        refused=count_of(details.refused),
        seconds=finite(details.seconds),
    )
    batch.count(_minute_of(event), "associations.closed", clip(details.how))


def _association_refused(batch: Rows, event: Event, details: AssociationRefused) -> None:
    times = count_of(details.times)
    batch.count(_minute_of(event), "associations.refused", _sender(details), times)
    # What a reason says before it goes into the single case, so that reasons can be counted.
    kind = clip(details.reason.partition(": ")[0], _KIND_CHARS)
    batch.count(_minute_of(event), "refusals.association", kind, times)


def _context_refused(batch: Rows, event: Event, details: ContextRefused) -> None:
    batch.count(_minute_of(event), "contexts.refused", _sender(details), count_of(details.times))


def _image_received(batch: Rows, event: Event, details: ImageReceived) -> None:
    if not details.image:
        raise UnusableError("the image has no id")
    folder, moment, planned = clip(details.folder), micros(event.time), order(PLANNED, event)
    association, size, new = clip(details.association), count_of(details.bytes, MAX_BYTES), not details.repetition
    batch.add(
        ImageRow,
        id=key(details.image),
        series=folder,
        association=association,
        received=moment,
        file=clip(details.file),
        sop=clip(details.sop),
        sop_class=clip(details.sop_class),
        transfer_syntax=clip(details.transfer_syntax),
        bytes=size,
        repetition=details.repetition,
        durable=details.durable,
    )
    says = _said_by_image(batch, folder, details)
    times = {"identity_order": planned, "origin_order": planned, "first_received": moment, "last_received": moment}
    counts = {"images": int(new), "bytes": size if new else 0, "repetitions": int(not new)}
    batch.add_series(folder, {**says, **times, **counts})
    known = batch.of[AssociationRow]
    if not known or known[-1]["id"] != association:
        batch.add(AssociationRow, id=association, **_sender_columns(details))
    minute, label = moment - moment % MINUTE, _sender(details)
    batch.count(minute, "images.received", label)
    batch.count(minute, "bytes.received", label, size)
    batch.learn(minute, label, "class", details.sop_class)
    batch.learn(minute, label, "syntax", details.transfer_syntax)


def _said_by_image(batch: Rows, folder: str, details: ImageReceived) -> dict[str, str]:
    """Return what an image says of its series, and make the series findable by it."""
    identity = (details.patient, details.accession, details.study, details.series)
    sender = (details.address, details.calling_aet, details.called_aet)
    known = (folder, *identity, details.modality, *sender)
    said = batch.said.get(known)
    if said is None:
        kinds = ("patient_id", "accession", "study_uid", "series_uid")
        for kind, value in zip(kinds, identity, strict=True):
            batch.identify(folder, kind, value)
        said = batch.said[known] = {
            **dict(zip(kinds, map(clip, identity), strict=True)),
            **_NOT_OF_IMAGE,
            "modality": clip(details.modality),
            **_sender_columns(details),
        }
    return said


def _image_refused(batch: Rows, event: Event, details: ImageRefused) -> None:
    batch.count(_minute_of(event), "images.refused", _sender(details))
    batch.count(_minute_of(event), "refusals.image", clip(details.status))


def _image_quarantined(batch: Rows, event: Event, details: ImageQuarantined) -> None:
    batch.count(_minute_of(event), "images.quarantined", _sender(details))


# --- series, studies and their tasks ------------------------------------------------------------------------------


def _series_completed(batch: Rows, event: Event, details: SeriesCompleted) -> None:
    """Take up a routing task, to which the images of its series belong from now on."""
    task = _task_of(event)
    folder = _add_series(batch, event, details.identity, details.origin, order(CHANGED, event))
    listed = batch.image_list(details.images)
    _take_images(batch, listed, folder, task)
    batch.add(
        TaskRow,
        id=task,
        series=folder,
        **_routed(event, details, listed),
        completion=clip(details.reason),
        scope="series",
    )
    batch.count(_minute_of(event), "series.completed", clip(details.reason))
    if details.late:
        batch.count(_minute_of(event), "series.late", "")


def _series_tags(batch: Rows, event: Event, details: SeriesTags) -> None:
    """Add what images of a series say by the tags of ``history.tags``; what they said before stays."""
    folder = folder_of(event.series or "", Origin(associations=(details.association,)), event.task or event.id)
    batch.add_series(folder, {})
    some = {keyword: values[:MOST_VALUES] for keyword, values in details.tags.items()}
    batch.of[SeriesTagRow] += tag_rows(folder, some)


def _study_completed(batch: Rows, event: Event, details: StudyCompleted) -> None:
    """Take up a routing task that was made of the collected series of a study; they end with it."""
    task, listed = _task_of(event), batch.image_list(details.images)
    batch.add(
        TaskRow,
        id=task,
        **_routed(event, details, listed),
        rules=json_text([clip(details.rule)], TEXT_CHARS),
        completion=clip(details.reason if details.by is None else f"{details.reason} ({details.by})"),
        scope="study",
    )
    for member in filter(None, details.members):
        batch.add(TaskRow, id=key(member), study_task=key(task), **state("collected", ENDED, event))
    batch.count(_minute_of(event), "studies.completed", clip(details.reason))


def _routed(event: Event, details: SeriesCompleted | StudyCompleted, listed: ListedImages) -> dict[str, Any]:
    """Return what the tasks of a series and of a study have in common when the router takes them."""
    return {
        "action": "complete",
        "stage": "routing",
        "late": details.late,
        "images": len(listed.entries),
        "bytes": count_of(details.bytes, MAX_BYTES),
        "image_list": listed.digest,
        "created": micros(event.time),
        "facts_order": order(PLANNED, event),
        **_identity(details.identity, _OF_TASK),
        **state("deciding", CREATED, event),
    }


def _series_decided(batch: Rows, event: Event, details: SeriesDecided) -> None:
    """Take up a plan: the tasks that it names are known, even if no event of their creation arrives."""
    task = _task_of(event)
    batch.add(
        TaskRow,
        id=task,
        decided=micros(event.time),
        discarded_by=_optional(details.discarded_by),
        **state("decided", CHANGED, event),
    )
    for derived in filter(None, details.derived):
        batch.add(TaskRow, id=key(derived), parent=task, **state("planned", PLANNED, event))
    for outcome in details.rules:
        if outcome.fired:
            batch.count(_minute_of(event), "rules.fired", clip(outcome.rule))
        if outcome.error is not None:
            batch.count(_minute_of(event), "rules.failed", clip(outcome.rule))


def _task_created(batch: Rows, event: Event, details: TaskCreated) -> None:
    """Take up a task in its first stage; a discarded series is a task of action ``discard`` itself."""
    task, listed, created = _task_of(event), batch.image_list(details.images), order(CREATED, event)
    folder = None
    if details.scope == "series":
        folder = _add_series(batch, event, details.identity, details.origin, created)
        if not details.parent:
            # The routed series itself, discarded: this event is written again when "completed" was lost.
            _take_images(batch, listed, folder, task)
    became = (
        # It comes after "decided" of the same task, and outweighs it.
        state("discarded", CHANGED, event, reason=", ".join(details.rules))
        if details.stage == "discard"
        else state("waiting", CREATED, event)
    )
    batch.add(
        TaskRow,
        id=task,
        parent=key(details.parent) if details.parent else None,
        series=folder,
        action=details.action,
        stage=clip(details.stage),
        module=_optional(details.module),
        rules=json_text([clip(rule) for rule in details.rules], TEXT_CHARS),
        priority=clip(details.priority),
        late=details.late,
        scope=details.scope,
        images=len(listed.entries),
        bytes=count_of(details.bytes, MAX_BYTES),
        image_list=listed.digest,
        created=micros(event.time),
        facts_order=created,
        target=_optional(details.target),
        target_order=created,
        **_identity(details.identity, _OF_TASK),
        **became,
    )
    batch.count(_minute_of(event), "tasks.created", clip(details.target or details.module or details.action))


def _task_attempt(batch: Rows, event: Event, details: TaskAttempt) -> None:
    """Add one more try, and when the next one is due."""
    task, number, moment = _task_of(event), count_of(details.number), micros(event.time)
    target, module, error = _optional(details.target), _optional(details.module), _optional(details.error, TEXT_CHARS)
    next_attempt = optional_micros(details.next_attempt)
    batch.add(
        AttemptRow,
        task=task,
        number=number,
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
        next_attempt=next_attempt,
        event_order=order(CHANGED, event),
    )
    batch.add(
        TaskRow,
        id=task,
        attempts=number,
        last_attempt=moment,
        last_error=error,
        next_attempt=next_attempt,
        attempt_order=attempt_order(number, event),
        target=target,
        target_order=None if target is None else order(PLANNED, event),
    )
    kind, label = ("runs", module) if module is not None else ("attempts", target or "")
    batch.count(_minute_of(event), f"{kind}.{details.outcome}", label)
    batch.count(_minute_of(event), f"{kind}.seconds", label, finite(details.seconds))


def _task_delivered(batch: Rows, event: Event, details: TaskDelivered) -> None:
    """Note that every image is at the target."""
    listed, target = batch.image_list(details.images), clip(details.target)
    batch.add(
        TaskRow,
        id=_task_of(event),
        delivered=micros(event.time),
        delivered_list=listed.digest,
        delivered_order=order(ENDED, event),
        # Where creation and rerouting are not known, this says at least where the images went.
        target=target,
        target_order=order(PLANNED, event),
        **state("delivered", ENDED, event),
    )
    counts = {"tasks.delivered": 1, "images.delivered": len(listed.entries), "bytes.delivered": listed.bytes}
    for name, value in counts.items():
        batch.count(_minute_of(event), name, target, value)


def _task_processed(batch: Rows, event: Event, details: TaskProcessed) -> None:
    """Note that the module ended well; its results are tasks of their own."""
    task = _task_of(event)
    batch.add(TaskRow, id=task, **state("processed", ENDED, event))
    for output in filter(None, details.outputs):
        batch.add(TaskRow, id=key(output), parent=task, **state("planned", PLANNED, event))
    batch.count(_minute_of(event), "tasks.processed", clip(details.module))


def _task_failed(batch: Rows, event: Event, details: TaskFailed) -> None:
    """Note that the task waits for a person."""
    failed = state("failed", CHANGED, event, reason=details.reason, advice=details.advice)
    batch.add(TaskRow, id=_task_of(event), **failed)
    batch.count(_minute_of(event), "tasks.failed", clip(details.stage))


def _changed_to(name: str) -> Handler:
    """Make the handler of a change that a person made: the task is in state `name` then."""

    def handler(batch: Rows, event: Event, details: TaskChanged) -> None:
        why = f"by {details.by}" + (f": {details.reason}" if details.reason else "")
        batch.add(
            TaskRow,
            id=_task_of(event),
            target=_optional(details.target),
            target_order=None if details.target is None else order(CHANGED, event),
            **state(name, CHANGED, event, reason=why),
        )

    return handler


def _task_retired(batch: Rows, event: Event, details: TaskRetired) -> None:
    """Note that the directory goes: what the task ended as is then in the history only."""
    ended = STATE_OF_STAGE.get(details.stage)
    batch.add(
        TaskRow,
        id=_task_of(event),
        retired=micros(event.time),
        retired_from=clip(details.stage),
        retired_reason=details.reason,
        retired_order=order(REMOVED, event),
        **({} if ended is None else state(ended, REMOVED, event)),
    )
    batch.count(_minute_of(event), "tasks.retired", clip(details.stage))


# --- people and figures -------------------------------------------------------------------------------------------


def _audit(batch: Rows, event: Event, details: Audit) -> None:
    batch.add(
        AuditRow,
        id=event.id,
        time=micros(event.time),
        by=clip(details.by),
        verb=clip(details.verb),
        object=clip(details.object, TEXT_CHARS),
        task=event.task,
        before=json_text(details.before),
        after=json_text(details.after),
    )


def _metrics(batch: Rows, event: Event, details: Metrics) -> None:
    minute, label, latest = _minute_of(event), event.service, order(CHANGED, event)
    for name, value in details.counters.items():
        batch.count(minute, clip(name), label, finite(value))
    for name, value in details.gauges.items():
        batch.add(
            MetricsMinuteRow, minute=minute, name=clip(name), label=label, value=finite(value), gauge_order=latest
        )


HANDLERS: Final[dict[str, Handler]] = {
    "association.opened": _association_opened,
    "association.closed": _association_closed,
    "association.refused": _association_refused,
    "context.refused": _context_refused,
    "image.received": _image_received,
    "image.refused": _image_refused,
    "image.quarantined": _image_quarantined,
    "series.completed": _series_completed,
    "series.tags": _series_tags,
    "series.decided": _series_decided,
    "study.completed": _study_completed,
    "task.created": _task_created,
    "task.attempt": _task_attempt,
    "task.delivered": _task_delivered,
    "task.processed": _task_processed,
    "task.failed": _task_failed,
    **{verb.event: _changed_to(verb.state) for verb in TASK_VERBS.values()},
    "task.retired": _task_retired,
    "audit": _audit,
    "metrics": _metrics,
}
"""Types that have no handler are recorded as events and nothing else."""


# --- what several handlers need -----------------------------------------------------------------------------------


def kept_details(event: Event) -> dict[str, Any]:
    """Return the details of an event as they are kept: a list of images by its length, since images have a table."""
    images = event.details.get("images")
    if not isinstance(images, list):
        return event.details
    kept = event.details | {"images": len(images)}
    statuses = Counter(str(image.get("status")) for image in images if isinstance(image, dict) and image.get("status"))
    if statuses:
        kept["statuses"] = dict(statuses.most_common(10))
    return kept


def key(text: str) -> str:
    """Return an identifier as a key: itself, or its digest when no identifier of ours is that long."""
    if len(text) <= KEY_CHARS:
        return text
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:40]


def folder_of(series: str, origin: Origin, otherwise: str) -> str:
    """Return the name under which the receiver grouped a series (``docs/reference/spool.md``, "Names")."""
    if series:
        return safe_name(series)
    return clip(f"none-{origin.associations[0] if origin.associations else otherwise}")


def _minute_of(event: Event) -> int:
    moment = micros(event.time)
    return moment - moment % MINUTE


def _task_of(event: Event) -> str:
    if not event.task:
        raise UnusableError(f"an event of type {event.type} names no task")
    return event.task


def _optional(text: str | None, limit: int = NAME_CHARS) -> str | None:
    return None if text is None else clip(text, limit)


def _sender(details: _FromSender) -> str:
    """Name a sender as counters do."""
    return clip(f"{details.calling_aet}@{details.address}")


def _sender_columns(details: AssociationOpened | AssociationClosed | ImageReceived) -> dict[str, str]:
    return {
        "address": clip(details.address),
        "calling_aet": clip(details.calling_aet),
        "called_aet": clip(details.called_aet),
    }


def _identity(identity: Identity, columns: dict[str, str]) -> dict[str, str]:
    return {column: clip(getattr(identity, keyword)) for column, keyword in columns.items()}


def _add_series(batch: Rows, event: Event, identity: Identity, origin: Origin, precedence: str) -> str:
    """Add the series of a task, and return its folder."""
    folder = folder_of(event.series or identity.SeriesInstanceUID, origin, event.task or event.id)
    said = {
        **_identity(identity, _OF_SERIES),
        "identity_order": precedence,
        "address": clip(origin.address),
        "calling_aet": clip(origin.calling_aet),
        "called_aet": clip(origin.called_aet),
        "origin_order": precedence,
        "first_received": optional_micros(origin.first_received),
        "last_received": optional_micros(origin.last_received),
    }
    batch.add_series(folder, said)
    for kind, keyword in _SEARCHED.items():
        batch.identify(folder, kind, getattr(identity, keyword))
    return folder


def _take_images(batch: Rows, listed: ListedImages, folder: str, task: str) -> None:
    for file, image, sop, size in listed.entries:
        if image is not None:
            batch.add(ImageRow, id=key(image), series=folder, file=file, sop=sop, bytes=size, task=task)
