"""Event log: what a service tells the history is one line of its own log too, as far as somebody follows it there.

No patient data, as in the log of the receiver: UIDs, AE titles, targets and tasks, but no names, numbers of patients or
orders. The terminal UI words all events (``appliance/presentation/events.py``); a log needs few of them, with the cause
first, and a service knows no appliance.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mercure import event_details as of
from mercure.model import Record

_log = logging.getLogger("mercure.events")
_log.addHandler(logging.NullHandler())  # a command that logs nowhere would else print warnings on the terminal


@dataclass(frozen=True)
class LogForm:
    """How events of a type are logged; `text` is given the details."""

    level: int
    text: Callable[[Any], str]


def log_event(type: str, details: Record, task: str | None, series: str | None) -> None:
    """Log an event, where its type is one that is followed.

    Parameters
    ----------
    type : str
        Its type.
    details : Record
        Its details.
    task, series : str, optional
        What it is about.
    """
    form = FORMS.get(type)
    if form is None:
        return
    level = form.level
    if isinstance(details, of.TaskAttempt) and details.outcome == "success":
        level = logging.INFO
    study = identity.StudyInstanceUID if (identity := getattr(details, "identity", None)) else ""
    about = {"task": task, "series": series, "study": study, "target": getattr(details, "target", None)}
    _log.log(level, "%s", form.text(details).strip(), extra={name: value for name, value in about.items() if value})


def _count(number: int, word: str = "image") -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _attempt(it: of.TaskAttempt) -> str:
    where = it.target or it.module or "?"
    if it.outcome == "success":
        return f"attempt {it.number} at {where} ended well: {it.confirmed} of {_count(it.sent)} in {it.seconds:.1f} s"
    again = f"; next try {it.next_attempt:%Y-%m-%dT%H:%M:%SZ}" if it.next_attempt else ""
    cause = it.error or it.kind or it.outcome
    return f"{cause}: attempt {it.number} at {where}, {it.confirmed} of {it.sent} taken{again}"


def _decided(it: of.SeriesDecided) -> str:
    fired = ", ".join(rule.rule for rule in it.rules if rule.fired) or "no rule"
    end = f", discarded by {it.discarded_by}" if it.discarded_by else f", {_count(len(it.derived), 'task')}"
    errors = "".join(f"; {rule.rule} cannot be evaluated" for rule in it.rules if rule.error)
    return f"decided by {fired}{end}{errors}"


def _changed(what: str) -> Callable[[of.TaskChanged], str]:
    return lambda it: f"{what} by {it.by}{f', to {it.target}' if it.target else ''}"


def _created(it: of.TaskCreated) -> str:
    where = it.target or it.module or it.stage
    return f"task for {where} by {', '.join(it.rules) or 'no rule'}: {_count(len(it.images))}"


def _failed(it: of.TaskFailed) -> str:
    # Why a rule cannot be evaluated may quote the value of a tag.
    reason = "it could not be decided" if it.stage == "routing" else it.reason
    return f"{reason}: task failed in {it.stage}; {it.advice}"


FORMS: Final[Mapping[str, LogForm]] = {
    "series.completed": LogForm(logging.INFO, lambda it: f"series complete ({it.reason}): {_count(len(it.images))}"),
    "study.completed": LogForm(logging.INFO, lambda it: f"study complete ({it.reason}): {_count(len(it.images))}"),
    "series.decided": LogForm(logging.INFO, _decided),
    "task.created": LogForm(logging.INFO, _created),
    "task.attempt": LogForm(logging.WARNING, _attempt),
    "task.delivered": LogForm(
        logging.INFO, lambda it: f"delivered to {it.target}: {_count(len(it.images))} in {it.seconds:.1f} s"
    ),
    "task.processed": LogForm(logging.INFO, lambda it: f"processed by {it.module} in {it.seconds:.1f} s"),
    "task.failed": LogForm(logging.ERROR, _failed),
    "task.held": LogForm(logging.INFO, _changed("held")),
    "task.released": LogForm(logging.INFO, _changed("released")),
    "task.retried": LogForm(logging.INFO, _changed("retried")),
    "task.discarded": LogForm(logging.INFO, _changed("discarded")),
    "task.rerouted": LogForm(logging.INFO, _changed("rerouted")),
    "target.down": LogForm(logging.WARNING, lambda it: f"{it.error}: {it.target} is down"),
    "target.up": LogForm(logging.INFO, lambda it: f"{it.target} is up again, down since {it.since:%Y-%m-%dT%H:%M:%SZ}"),
    "module.down": LogForm(logging.WARNING, lambda it: f"{it.error}: module {it.module} cannot be run"),
    "module.up": LogForm(logging.INFO, lambda it: f"module {it.module} can be run again"),
    "module.failed": LogForm(logging.WARNING, lambda it: f"{it.reason}: run {it.number} of {it.module} {it.how}"),
    "module.finished": LogForm(logging.INFO, lambda it: f"run {it.number} of {it.module} ended in {it.seconds:.1f} s"),
}
"""By type. Images one by one are not among them: there may be thousands a second. Nor are warnings: their text may say
whose images it is about."""
