"""What the handlers of events share: precedence, keys, names of senders, and the states of a task."""

from __future__ import annotations

import hashlib
from typing import Final

from mercure.events import Event
from mercure.history.instants import MINUTE, micros
from mercure.history.rows import TaskRow
from mercure.history.text import KEY_CHARS, TEXT_CHARS, clip

PLANNED, CREATED, CHANGED, REMOVED, ENDED = "abcde"
"""Weights of what is told, from the lightest. A plan loses against the creation, the creation against any change (it
may be told again much later), changes among themselves follow their time, and that a task was delivered or processed
holds for good."""

STATES: Final = (
    *(
        "planned",
        "waiting",
        "held",
        "deciding",
        "decided",
        "collected",
        "processed",
        "delivered",
        "discarded",
        "failed",
    ),
)
"""What the history says about a task. A retired one keeps what it ended as; `retired` says when its directory went."""

STATE_OF_STAGE: Final = {"success": "delivered", "discard": "discarded", "error": "failed", "routing": "deciding"}
"""What it means to stand in a stage; in the others a task is waiting."""


_KIND_CHARS: Final = 80


class UnusableError(ValueError):
    """The details cannot be used for the tables; the event itself is still recorded."""


def order(weight: str, event: Event) -> str:
    """Return the text by which one event takes precedence over another.

    Within one microsecond (a clock may stand still) a decision comes before what follows from it.
    """
    return f"{weight}{micros(event.time):018d}{int(event.type != 'series.decided')}{event.id}"


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
    """Return an identifier as a key: itself, or its digest when no identifier of ours is that long."""
    if len(text) <= KEY_CHARS:
        return text
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:40]


def sender(calling_aet: str, address: str) -> str:
    """Name a sender as counters do."""
    return clip(f"{calling_aet}@{address}")


def reason_kind(reason: str) -> str:
    """Return what a reason says before it goes into the single case, so that reasons can be counted."""
    return clip(reason.partition(": ")[0], _KIND_CHARS)


def state(
    row: TaskRow, name: str, weight: str, event: Event, *, reason: str | None = None, advice: str | None = None
) -> TaskRow:
    """Set what has become of a task, since when and why."""
    row.state, row.state_order = name, order(weight, event)
    # A retirement says how the task ended, but not when or why: what was told before of that stays.
    row.since, row.since_order = micros(event.time), order(PLANNED if weight == REMOVED else weight, event)
    row.reason = None if reason is None else clip(reason, TEXT_CHARS)
    row.advice = None if advice is None else clip(advice, TEXT_CHARS)
    return row
