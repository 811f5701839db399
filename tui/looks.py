"""How things look: styles by name, and every state as glyph, word and colour.

Colours are the sixteen of the terminal, so they follow its own scheme, cost few bytes, and are dropped as a whole under
``NO_COLOR``. Nothing is told by colour alone: glyph and word say the same. The glyphs are those that the Linux console
draws too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.style import Style

Span = tuple[str, str]
"""A piece of a line: printable text and the name of its style."""
Line = tuple[Span, ...]

STYLES: Final[dict[str, Style]] = {
    "": Style(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "title": Style(bold=True, color="cyan"),
    "head": Style(underline=True),
    "good": Style(color="green"),
    "busy": Style(color="cyan"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "stuck": Style(color="red", bold=True, reverse=True),
    "key": Style(bold=True, color="cyan"),
    "here": Style(reverse=True, bold=True),
    "bar": Style(reverse=True),
    "banner": Style(color="red", bold=True, reverse=True),
    "notice": Style(color="yellow", bold=True),
    "added": Style(color="green"),
    "removed": Style(color="red"),
}


_ON_LIGHT: Final = {"cyan": "blue", "yellow": "magenta"}
"""Colours that are hard to read on a light background, and what stands for them there."""


def for_light() -> None:
    """Take the colours for a light background, before anything is drawn."""
    for name, style in STYLES.items():
        colour = style.color.name if style.color else ""
        STYLES[name] = style + Style(color=_ON_LIGHT.get(colour, colour) or None)


@dataclass(frozen=True)
class Look:
    """How a state looks; `rank` puts the worst first (0)."""

    glyph: str
    word: str
    style: str
    rank: int

    def span(self) -> Span:
        """Return glyph and word as a piece of a line."""
        return (f"{self.glyph} {self.word}", self.style)


QUEUE: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "retrying": Look("↕", "retrying", "warn", 1),
    "held": Look("■", "held", "warn", 2),
    "waiting": Look("∙", "waiting", "", 3),
    "running": Look("►", "running", "busy", 4),
    "deciding": Look("○", "deciding", "busy", 5),
    "collecting": Look("≡", "collecting", "", 6),
    "arriving": Look("↓", "arriving", "good", 7),
    "discarded": Look("□", "discarded", "dim", 8),
}
"""The states of the queue."""

PROCESS: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "retrying": Look("↕", "retrying", "bad", 1),
    "unknown": Look("?", "unknown", "warn", 2),
    "ended": Look("□", "ended", "warn", 3),
    "stopped": Look("■", "stopped", "warn", 4),
    "stopping": Look("▼", "stopping", "busy", 5),
    "starting": Look("▲", "starting", "busy", 6),
    "running": Look("•", "running", "good", 7),
}
"""The states of a process."""

SEVERITY: Final[dict[str, Look]] = {
    "critical": Look("‼", "critical", "bad", 0),
    "warning": Look("▲", "warning", "warn", 1),
    "watch": Look("▲", "watch", "warn", 2),
}

DISK: Final[dict[str, Look]] = {
    "refusing": Look("‼", "refusing images", "bad", 0),
    "low": Look("▲", "low", "warn", 1),
    "filling": Look("▲", "filling", "warn", 1),
    "ok": Look("•", "ok", "good", 2),
}

TARGET: Final[dict[str, Look]] = {
    "down": Look("‼", "down", "bad", 0),
    "failed": Look("▲", "has failed tasks", "warn", 1),
    "unwell": Look("▲", "answers not", "warn", 2),
    "disabled": Look("□", "disabled", "dim", 3),
    "unused": Look("○", "not used yet", "dim", 4),
    "up": Look("•", "up", "good", 5),
}

OUTCOME: Final[dict[str, Look]] = {
    "success": Look("•", "success", "good", 2),
    "partial": Look("▲", "partial", "warn", 1),
    "failure": Look("‼", "failure", "bad", 0),
}

STEP: Final[dict[str, Look]] = {
    "failed": Look("‼", "failed", "bad", 0),
    "warning": Look("▲", "look", "warn", 1),
    "not reached": Look("□", "not reached", "dim", 2),
    "ok": Look("•", "ok", "good", 3),
}
"""The outcomes of a step of the self-test."""

_YOUNG: Final = 300.0
_OLD: Final = 3600.0


def age_style(seconds: float) -> str:
    """Return the style of an age: up to five minutes is usual, beyond an hour nobody should miss it."""
    return "" if seconds < _YOUNG else "warn" if seconds < _OLD else "stuck"


def other(state: str) -> Look:
    """Return the look of a state of a newer router that this table does not know."""
    return Look("?", state, "warn", 0)
