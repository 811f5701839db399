"""Labels of states: glyph, word and tone, never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from appliance.presentation.states import HEALTH, SEVERITY, TARGET, TASK, Look
from appliance.presentation.states import Tone as StateTone
from appliance.status_page.language import Words

Tone = Literal["good", "warn", "bad", "calm"]
Table = Literal["health", "severity", "target", "task"]

_GLYPHS: Final[dict[StateTone, str]] = {"good": "✓", "warn": "▲", "bad": "✗", "dim": "○"}
_CALM: Final = "⋯"
"""What is on its way."""

_UNKNOWN: Final = "?"
_LOOKS: Final[dict[Table, dict[str, Look]]] = {
    "health": HEALTH,
    "severity": SEVERITY,
    "target": TARGET,
    "task": TASK,
}


@dataclass(frozen=True)
class Sign:
    """A state as it is shown."""

    glyph: str
    word: str
    tone: Tone


def sign(words: Words, table: Table, state: str) -> Sign:
    """Return how a state is shown, also one of a newer router that no table knows."""
    look = _LOOKS[table].get(state)
    if look is None:
        return Sign(_UNKNOWN, state, "calm")
    glyph, tone = _GLYPHS.get(look.tone, _CALM), look.tone if look.tone in ("good", "warn", "bad") else "calm"
    return Sign(glyph, words(f"{table}.{state}"), tone)


def on_its_way(words: Words) -> Sign:
    """Return the sign of what is neither here nor there yet."""
    return Sign(_CALM, words("task.waiting"), "calm")


def unknown(words: Words) -> Sign:
    """Return the sign of what was not found."""
    return Sign(_UNKNOWN, words("exam.unknown"), "calm")
