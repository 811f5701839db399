"""How numbers, times and states are said: glyph, word and tone, never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from mercure.clock import Clock

Tone = Literal["good", "warn", "bad", "calm"]

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


@dataclass(frozen=True)
class Sign:
    """A state as it is shown."""

    glyph: str
    word: str
    tone: Tone


GOOD: Final = Sign("✓", "well", "good")
WARN: Final = Sign("▲", "look at it", "warn")
BAD: Final = Sign("✗", "not well", "bad")

HEALTH: Final[dict[str, tuple[Sign, str]]] = {
    "well": (GOOD, "The router is well"),
    "watch": (WARN, "The router works, and something is being watched"),
    "bad": (BAD, "The router needs help"),
}
"""Each state of the router, as the first line of the page says it."""

SEVERITY: Final[dict[str, Sign]] = {
    "critical": Sign("✗", "critical", "bad"),
    "warning": Sign("▲", "warning", "warn"),
    "watch": Sign("▲", "watch", "warn"),
}

STAGE: Final[dict[str, str]] = {
    "incoming": "Arriving",
    "routing": "Being decided",
    "studies": "Waiting for the rest of the study",
    "processing": "Being processed",
    "outgoing": "On the way to targets",
    "error": "Failed, waiting for a person",
    "quarantine": "Unreadable, kept aside",
    "success": "Delivered, kept for now",
    "discard": "Discarded, kept for now",
}
"""What an entry in each stage is, to somebody who does not know the spool."""

STEP: Final[dict[str, Sign]] = {
    "delivered": Sign("✓", "delivered", "good"),
    "processed": Sign("✓", "processed", "good"),
    "waiting": Sign("⋯", "on its way", "calm"),
    "planned": Sign("⋯", "on its way", "calm"),
    "deciding": Sign("⋯", "being decided", "calm"),
    "held": Sign("▲", "held by a person", "warn"),
    "failed": Sign("✗", "failed, a person must look", "bad"),
    "discarded": Sign("○", "discarded", "calm"),
}
"""What has become of a task, by the states of the history."""

PLACE: Final[dict[str, str]] = {
    "target": "to {name}",
    "module": "processing by {name}",
    "study": "waiting for the other series of its study",
    "discard": "discarded by rule {name}",
    "router": "no target chosen",
}


def other(state: str) -> Sign:
    """Return how a state looks that this program does not know."""
    return Sign("?", state, "calm")


def size(octets: float) -> str:
    """Say a size in the unit that makes it short."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if octets < 1000 or unit == "TB":  # noqa: PLR2004 - units are a thousand apart
            break
        octets /= 1000
    return f"{octets:.0f} {unit}" if octets >= 10 or unit == "B" else f"{octets:.1f} {unit}"  # noqa: PLR2004


def duration(seconds: float) -> str:
    """Say how long something took or waits, in its largest unit."""
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * length or (seconds >= length and length != _MINUTE):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


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
