"""Precedence of events: which of several decides what a column says, whatever the order in which they are read."""

from __future__ import annotations

from typing import Any, Final

from mercure.events import Event
from mercure.history.instants import micros
from mercure.history.text import TEXT_CHARS, clip

PLANNED, CREATED, CHANGED, REMOVED, ENDED = "abcde"
"""Weights of events, from the lightest. A plan loses against the creation, the creation against any change (its event
may be written again much later), changes among themselves follow their time, and that a task was delivered or processed
holds for good."""

STATES: Final = (
    *("planned", "waiting", "held", "deciding", "decided", "collected"),
    *("processed", "delivered", "discarded", "failed"),
)
"""States of a task in the history. A retired one keeps what it ended as; `retired` says when its directory went."""

STATE_OF_STAGE: Final = {"success": "delivered", "discard": "discarded", "error": "failed", "routing": "deciding"}
"""State of a task that stands in a stage; in the others it is waiting."""


def order(weight: str, event: Event) -> str:
    """Return the text by which one event takes precedence over another.

    Within one microsecond (a clock may stand still) a decision comes before what follows from it.
    """
    return f"{weight}{micros(event.time):018d}{int(event.type != 'series.decided')}{event.id}"


def attempt_order(number: int, event: Event) -> str:
    """Return the precedence of an attempt: by its number first."""
    return f"{number:010d}{order(CHANGED, event)}"


def state(
    name: str, weight: str, event: Event, *, reason: str | None = None, advice: str | None = None
) -> dict[str, Any]:
    """Return the columns that say what has become of a task, since when and why."""
    return {
        "state": name,
        "state_order": order(weight, event),
        # A retirement says how the task ended, but not when or why: what an earlier event said of that stays.
        "since": micros(event.time),
        "since_order": order(PLANNED if weight == REMOVED else weight, event),
        "reason": None if reason is None else clip(reason, TEXT_CHARS),
        "advice": None if advice is None else clip(advice, TEXT_CHARS),
    }
