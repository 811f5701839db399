"""Timeline of a series: its tasks and every event, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from appliance.control.rpc.client import api
from appliance.presentation.figures import moment
from appliance.presentation.states import TASK
from appliance.presentation.wording import plural
from mercure.printable import printable
from tui.format import fit, printable_lines
from tui.styles import Line

_INDENT: Final = 43


def _sender(it: Mapping[str, Any]) -> str:
    return f"{it.get('calling_aet', '')} at {it.get('address', '')}"


def _count(it: Mapping[str, Any]) -> str:
    images = it.get("images", ())
    return plural(len(images) if isinstance(images, list | tuple) else int(images or 0), "image")


def _late(it: Mapping[str, Any]) -> str:
    return ", late" if it.get("late") else ""


def _by(it: Mapping[str, Any]) -> str:
    reason = it.get("reason")
    return f"by {it.get('by', '')}" + (f": {reason}" if reason else "")


def _rules(it: Mapping[str, Any]) -> str:
    rules = [rule for rule in it.get("rules", ()) if isinstance(rule, Mapping)]
    fired = ", ".join(str(rule.get("rule")) for rule in rules if rule.get("fired"))
    errors = "".join(f"; {rule.get('rule')}: {rule.get('error')}" for rule in rules if rule.get("error"))
    return (f"by {fired}" if fired else "no rule fired") + errors


def _attempt(it: Mapping[str, Any]) -> str:
    where = it.get("target") or it.get("module") or ""
    done = (
        f"{it.get('number', '')} at {where}: {it.get('outcome', '')}, {it.get('confirmed', 0)} of {it.get('sent', 0)}"
    )
    return f"{done} {it.get('error') or ''}"


def _study(it: Mapping[str, Any]) -> str:
    return f"{_count(it)}, {it.get('reason', '')}, rule {it.get('rule', '')}"


def _created(it: Mapping[str, Any]) -> str:
    return f"{it.get('action', '')} → {it.get('target') or it.get('module') or it.get('stage', '')}"


def _collided(it: Mapping[str, Any]) -> str:
    what = "used twice" if it.get("kind") == "twice" else "of another version"
    return f"{_count(it)} {what}, in task {it.get('other', '')} too"


def _superseded(it: Mapping[str, Any]) -> str:
    where = f"went into {it['module']}" if it.get("module") else f"are at {it.get('target', '')}"
    return f"{_count(it)}: newer ones {where}"


_WORDS: Final[Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], str]]]] = {
    "images.received": ("received", "good", lambda it: f"{_count(it)} from {_sender(it)}"),
    "image.received": ("received", "good", lambda it: f"{it.get('file', '')} from {_sender(it)}"),
    "image.truncated": ("not whole", "warn", lambda it: f"{it.get('reason', '')}"),
    "image.refused": ("refused", "bad", lambda it: f"{it.get('status', '')} {it.get('reason', '')}"),
    "image.quarantined": ("quarantined", "bad", lambda it: str(it.get("reason", ""))),
    "image.altered": ("altered", "bad", lambda it: f"{it.get('file', '')}: {it.get('text', '')}"),
    "series.completed": ("complete", "", lambda it: f"{_count(it)}, {it.get('reason', '')}{_late(it)}"),
    "study.completed": ("study complete", "", _study),
    "series.decided": ("decided", "", _rules),
    "release.learned": ("learned", "", lambda it: str(it.get("text", ""))),
    "images.collided": ("collided", "warn", _collided),
    "images.superseded": ("superseded", "warn", _superseded),
    "task.created": ("task", "", _created),
    "task.attempt": ("attempt", "warn", _attempt),
    "task.delivered": ("delivered", "good", lambda it: f"to {it.get('target', '')}, {_count(it)}"),
    "task.processed": ("processed", "good", lambda it: f"by {it.get('module', '')}"),
    "task.failed": ("failed", "bad", lambda it: f"{it.get('reason', '')} {it.get('advice', '')}"),
    "task.held": ("held", "warn", _by),
    "task.released": ("released", "", _by),
    "task.retried": ("retried", "", _by),
    "task.rerouted": ("rerouted", "", lambda it: f"to {it.get('target', '')} {_by(it)}"),
    "task.discarded": ("discarded", "warn", _by),
    "task.retired": ("retired", "dim", lambda it: f"from {it.get('stage', '')}: {it.get('reason', '')}"),
    "audit": ("audit", "dim", lambda it: f"{it.get('verb', '')} {it.get('object', '')} {_by(it)}"),
    "warning": ("warning", "warn", lambda it: f"{it.get('text', '')} {it.get('advice', '')}"),
}  # fmt: skip
"""How each type of event is told: word, style, and what comes after it."""


def timeline_lines(story: api.history.Story, columns: int) -> Iterator[Line]:
    """Write the tasks of a series with their state, then every event."""
    if story.tasks:
        yield ()
        yield ((" Result", "title"),)
    for task in story.tasks:
        look = TASK.get(task.state or "")
        state = look.span() if look else (task.state or "", "good" if task.delivered else "")
        target = task.target or task.module or task.action or ""
        last = f"  {task.last_error}" if task.last_error and not task.delivered else ""
        yield (
            (" ", ""),
            (fit(printable(target), 18), "bold"),
            (fit(printable(state[0]), 14), state[1]),
            (printable(f"{plural(task.images or 0, 'image')}{last}"), ""),
        )
    yield ()
    yield ((" Timeline", "title"),)
    for event in story.events:
        yield from _event(event.time, event.service, event.type, event.details, columns)
    if not story.events:
        yield ((" nothing is recorded", "dim"),)


def _event(time: Any, service: str, type: str, details: Mapping[str, Any], columns: int) -> Iterator[Line]:  # noqa: ANN401
    word, style, tell = _WORDS.get(type, (type, "", _plain))
    if type == "task.attempt" and details.get("outcome") == "success":
        style = ""
    pieces = printable_lines(tell(details).strip(), max(20, columns - _INDENT))
    head = f" {moment(time)} {fit(service, 10)} "
    for number, piece in enumerate(pieces or [""]):
        if number == 0:
            yield ((head, "dim"), (fit(word, 11), style), (" ", ""), (piece, ""))
        else:
            yield ((" " * (_INDENT + 1), ""), (piece, ""))


def _plain(details: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in details.items() if isinstance(value, str | int | float))
