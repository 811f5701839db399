"""Labels of numbers, times and states: glyph, word and tone, never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from appliance.presentation.figures import duration
from appliance.presentation.states import HEALTH, Look, other
from appliance.presentation.states import Tone as StateTone
from mercure.clock import Clock

Tone = Literal["good", "warn", "bad", "calm"]

_GLYPHS: Final[dict[StateTone, str]] = {"good": "✓", "warn": "▲", "bad": "✗", "dim": "○"}
_CALM: Final = "⋯"
"""What is on its way."""


@dataclass(frozen=True)
class Sign:
    """A state as it is shown."""

    glyph: str
    word: str
    tone: Tone


def sign(look: Look | None, state: str = "") -> Sign:
    """Return how a state is shown; without a look, one that this program does not know."""
    if look is None:
        return Sign("?", other(state).word, "calm")
    glyph, tone = _GLYPHS.get(look.tone, _CALM), look.tone if look.tone in ("good", "warn", "bad") else "calm"
    return Sign(glyph, look.said or look.word, tone)


GOOD: Final = sign(HEALTH["well"])
WARN: Final = sign(HEALTH["watch"])
BAD: Final = sign(HEALTH["bad"])

HEADLINE: Final = {
    "well": "The router is well",
    "watch": "The router works, and something is being watched",
    "bad": "The router needs help",
}
"""Each state of the router, as the first line of the page says it."""

PLACE: Final[dict[str, str]] = {
    "target": "to {name}",
    "module": "processing by {name}",
    "study": "waiting for the other series of its study",
    "discard": "discarded by rule {name}",
    "router": "no target chosen",
}


@dataclass(frozen=True)
class Moment:
    """An instant as it is shown: how long ago, by the clock on the wall, and for machines."""

    ago: str
    clock: str
    iso: str


def moment(instant: datetime | None, now: datetime) -> Moment | None:
    """Say when something was, in the time zone of this machine."""
    if instant is None:
        return None
    local, today = instant.astimezone(), now.astimezone()
    form = "%H:%M" if local.date() == today.date() else "%d %b %H:%M" if local.year == today.year else "%d %b %Y"
    seconds = (now - instant).total_seconds()
    ago = f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"
    return Moment(ago=ago, clock=f"{local:{form}}", iso=instant.isoformat(timespec="seconds"))


def zone(clock: Clock) -> str:
    """Name the time zone in which the page shows times."""
    return clock.now().astimezone().tzname() or "UTC"
