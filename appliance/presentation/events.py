"""Events in words: one sentence for each type, for the terminal UI's timeline and the command line's lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import ValidationError

from appliance.presentation.figures import duration, moment, size
from appliance.presentation.phrases import plural
from appliance.presentation.senders import said_of
from mercure import event_details as of
from mercure.model import Record
from mercure.task_verbs import TASK_VERBS

Tone = Literal["", "good", "warn", "bad", "dim"]
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Sentence:
    """An event in words: one word for what happened, how good it is, and the rest."""

    word: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class Form:
    """How events of a type are said; `text` is given the details, and how many images they name."""

    model: type[Record]
    word: str
    tone: Tone
    text: Callable[[Any, int], str]


class ImagesReceived(Record):
    """What a timeline tells of the images that came by one association."""

    address: str = ""
    calling_aet: str = ""
    images: int = 0


def sentence(type: str, details: Mapping[str, Any]) -> Sentence:
    """Say an event.

    Parameters
    ----------
    type : str
        Its type.
    details : mapping
        Its details as the history keeps them: instead of a list of images, their number. Details that are not as they
        should be, and those of a type that is not known here, are listed plainly.
    """
    form = FORMS.get(type)
    if form is None:
        return Sentence(type, "", _plain(details))
    images = details.get("images", ())
    number = len(images) if isinstance(images, list | tuple) else images
    field = form.model.model_fields.get("images")
    counted = field is not None and field.annotation is not int and isinstance(images, int)
    try:
        read = form.model.model_validate({**details, "images": ()} if counted else details)
    except ValidationError:
        return Sentence(form.word, form.tone, _plain(details))
    tone = "" if isinstance(read, of.TaskAttempt) and read.outcome == "success" else form.tone
    return Sentence(form.word, tone, form.text(read, number if isinstance(number, int) else 0).strip())


def _plain(details: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in details.items() if isinstance(value, str | int | float))


def _form(model: type[R], word: str, tone: Tone, text: Callable[[R, int], str]) -> Form:
    return Form(model, word, tone, text)


def _sender(calling_aet: str, address: str) -> str:
    return f"{calling_aet} at {address}"


def _images(number: int) -> str:
    return plural(number, "image")


def _task_changed(it: of.TaskChanged, number: int) -> str:
    to = (f"to {it.target} " if it.target else "") + (f"({it.undone} undone) " if it.undone else "")
    return f"{to}by {it.by}" + (f": {it.reason}" if it.reason else "")


def _kept(it: of.KeepChanged, number: int) -> str:
    what = it.task or (f"study {it.study}" if it.study else f"patient {it.patient}" if it.patient else it.keep)
    until = f", until {it.until:%Y-%m-%d %H:%M} UTC" if it.until else ""
    return f"{what}{until}" + (f" by {it.by}" if it.by else "") + (f": {it.reason}" if it.reason else "")


def _resent(it: of.TaskResent, number: int) -> str:
    where = f"to {', '.join(it.targets)} " if it.targets else "by the rules in force " if it.how == "anew" else ""
    return f"{where}by {it.by}, as {it.resent_as}" + (f": {it.reason}" if it.reason else "")


def _decided(it: of.SeriesDecided, number: int) -> str:
    fired = ", ".join(rule.rule for rule in it.rules if rule.fired)
    errors = "".join(f"; {rule.rule}: {rule.error}" for rule in it.rules if rule.error)
    return (f"by {fired}" if fired else "no rule fired") + errors


def _attempt(it: of.TaskAttempt, number: int) -> str:
    where = it.target or it.module or ""
    return f"{it.number} at {where}: {it.outcome}, {it.confirmed} of {it.sent} {it.error or ''}"


def _collided(it: of.ImagesCollided, number: int) -> str:
    what = "used twice" if it.kind == "twice" else "of another version"
    return f"{_images(number)} {what}, in task {it.other} too"


def _superseded(it: of.ImagesSuperseded, number: int) -> str:
    where = f"went into {it.module}" if it.module else f"are at {it.target}"
    return f"{_images(number)}: newer ones {where}"


def _service(it: of.ServiceChanged, number: int) -> str:
    return f"process {it.pid} {it.version}" + (f": {it.reason}" if it.reason else "")


def _disk(it: of.DiskSpace, number: int) -> str:
    return f"{size(it.free_bytes)} of {size(it.total_bytes)} free, floor {size(it.floor_bytes)}"


def _scrubbed(it: of.ScrubFinished, number: int) -> str:
    return f"{_images(number)}: {it.altered} altered, {it.unreadable} unreadable, {it.uncheckable} without a digest"


def _context_refused(it: of.ContextRefused, number: int) -> str:
    return f"{_sender(it.calling_aet, it.address)}, {it.what}: {it.reason} {it.abstract_syntax} {it.transfer_syntax}"


def _association_closed(it: of.AssociationClosed, number: int) -> str:
    refused = f", {it.refused} refused" if it.refused else ""
    return f"{_sender(it.calling_aet, it.address)}: {it.how}, {_images(number)}{refused} {it.reason}"


def _run(number: int, step: int, module: str) -> str:
    return f"{module}, step {step}, run {number}"


FORMS: Final[Mapping[str, Form]] = {
    "association.opened": _form(
        of.AssociationOpened, "opened", "", lambda it, _: _sender(it.calling_aet, it.address)
    ),
    "association.closed": _form(of.AssociationClosed, "closed", "", _association_closed),
    "association.refused": _form(
        of.AssociationRefused, "refused", "bad",
        lambda it, _: f"{_sender(it.calling_aet, it.address)}: {it.reason}, {plural(it.times, 'time')}",
    ),
    "context.refused": _form(of.ContextRefused, "refused", "bad", _context_refused),
    "sender.uncompressed": _form(
        of.SenderUncompressed, "uncompressed", "warn",
        lambda it, _: f"from now on for {_sender(it.calling_aet, it.address)}: it sent nothing in {it.transfer_syntax}",
    ),
    "images.received": _form(
        ImagesReceived, "received", "good",
        lambda it, number: f"{_images(number)} from {_sender(it.calling_aet, it.address)}",
    ),
    "image.received": _form(
        of.ImageReceived, "received", "good", lambda it, _: f"{it.file} from {_sender(it.calling_aet, it.address)}"
    ),
    "image.truncated": _form(of.ImageTruncated, "not whole", "warn", lambda it, _: it.reason),
    "sender.quota": _form(of.SenderQuota, "quota", "warn", lambda it, _: f"{it.sender} has used most of {it.quota}"),
    "sender.changed": _form(
        of.SenderChanged, "changed", "warn",
        lambda it, _: f"{it.sender}: since {moment(it.since)} {said_of(it.kind, it.value)}",
    ),
    "image.refused": _form(of.ImageRefused, "refused", "bad", lambda it, _: f"{it.status} {it.reason}"),
    "image.quarantined": _form(of.ImageQuarantined, "quarantined", "bad", lambda it, _: it.reason),
    "image.altered": _form(of.ImageAltered, "altered", "bad", lambda it, _: f"{it.file}: {it.text}"),
    "series.completed": _form(
        of.SeriesCompleted, "complete", "",
        lambda it, number: f"{_images(number)}, {it.reason}{', late' if it.late else ''}",
    ),
    "series.tags": _form(
        of.SeriesTags, "tags", "dim",
        lambda it, _: "; ".join(f"{keyword} {', '.join(values)}" for keyword, values in it.tags.items()),
    ),
    "study.completed": _form(
        of.StudyCompleted, "study complete", "", lambda it, number: f"{_images(number)}, {it.reason}, rule {it.rule}"
    ),
    "series.decided": _form(of.SeriesDecided, "decided", "", _decided),
    "rule.notified": _form(
        of.RuleNotified, "notified", "", lambda it, _: f"by {it.rule}: {it.contact} {it.comment}"
    ),
    "release.learned": _form(of.ReleaseLearned, "learned", "", lambda it, _: it.text),
    "images.collided": _form(of.ImagesCollided, "collided", "warn", _collided),
    "images.superseded": _form(of.ImagesSuperseded, "superseded", "warn", _superseded),
    "task.created": _form(
        of.TaskCreated, "task", "", lambda it, _: f"{it.action} → {it.target or it.module or it.stage}"
    ),
    "task.attempt": _form(of.TaskAttempt, "attempt", "warn", _attempt),
    "task.delivered": _form(
        of.TaskDelivered, "delivered", "good", lambda it, number: f"to {it.target}, {_images(number)}"
    ),
    "task.processed": _form(of.TaskProcessed, "processed", "good", lambda it, _: f"by {it.module}"),
    "task.failed": _form(of.TaskFailed, "failed", "bad", lambda it, _: f"{it.reason} {it.advice}"),
    **{
        verb.event: _form(
            of.TaskChanged, verb.event.partition(".")[2], "" if verb.state == "waiting" else "warn", _task_changed
        )
        for verb in TASK_VERBS.values()
    },
    "task.resent": _form(of.TaskResent, "sent again", "warn", _resent),
    "task.retired": _form(of.TaskRetired, "retired", "dim", lambda it, _: f"from {it.stage}: {it.reason}"),
    **{f"keep.{word}": _form(of.KeepChanged, word, "", _kept) for word in ("added", "removed", "ended")},
    "module.started": _form(
        of.ModuleStarted, "started", "", lambda it, number: f"{_run(it.number, it.step, it.module)}, {_images(number)}"
    ),
    "module.finished": _form(
        of.ModuleFinished, "finished", "good",
        lambda it, number: f"{_run(it.number, it.step, it.module)}, {_images(number)} in {duration(it.seconds)}",
    ),
    "module.failed": _form(
        of.ModuleFailed, "failed", "bad", lambda it, _: f"{_run(it.number, it.step, it.module)}: {it.how}, {it.reason}"
    ),
    "module.down": _form(of.ModuleDown, "down", "bad", lambda it, _: f"{it.module}: {it.error}"),
    "module.up": _form(of.ModuleUp, "up", "good", lambda it, _: f"{it.module}, after {plural(it.failures, 'failure')}"),
    "target.down": _form(of.TargetDown, "down", "bad", lambda it, _: f"{it.target}: {it.kind}, {it.error}"),
    "target.up": _form(of.TargetUp, "up", "good", lambda it, _: f"{it.target}, after {plural(it.failures, 'failure')}"),
    "service.started": _form(of.ServiceChanged, "started", "", _service),
    "service.stopped": _form(of.ServiceChanged, "stopped", "", _service),
    "config.loaded": _form(of.ConfigLoaded, "loaded", "", lambda it, _: f"revision {it.revision}"),
    "config.rejected": _form(of.ConfigRejected, "rejected", "bad", lambda it, _: it.reason),
    "config.saved": _form(
        of.ConfigSaved, "saved", "",
        lambda it, _: f"revision {it.revision} by {it.by}" + (f": {it.comment}" if it.comment else ""),
    ),
    "disk.low": _form(of.DiskSpace, "disk low", "bad", _disk),
    "disk.ok": _form(of.DiskSpace, "disk ok", "good", _disk),
    "scrub.finished": _form(of.ScrubFinished, "scrubbed", "", _scrubbed),
    "spool.recovered": _form(of.Recovered, "recovered", "", lambda it, _: it.what),
    "audit": _form(of.Audit, "audit", "dim", lambda it, _: f"{it.verb} {it.object} by {it.by}"),
    "notification.requested": _form(
        of.NotificationRequested, "requested", "", lambda it, _: f"by {it.module}: {it.text}"
    ),
    "notification.sent": _form(of.NotificationSent, "sent", "good", lambda it, _: f"by {it.channel}: {it.subject}"),
    "notification.given_up": _form(
        of.NotificationGivenUp, "given up", "bad", lambda it, _: f"{it.channel}: {it.error}: {it.subject}"
    ),
    "alert.raised": _form(of.AlertRaised, "raised", "bad", lambda it, _: f"{it.severity}: {it.text} {it.advice}"),
    "alert.cleared": _form(of.AlertCleared, "cleared", "good", lambda it, _: it.text),
    "metrics": _form(of.Metrics, "metrics", "dim", lambda it, _: plural(len(it.counters) + len(it.gauges), "figure")),
    "warning": _form(of.Warned, "warning", "warn", lambda it, _: f"{it.text} {it.advice}"),
}  # fmt: skip
"""By type of event, and by what a timeline sums up; a type that is not here is said by its details."""
