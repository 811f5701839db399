"""Styles by name; those of states are called as their tones (`appliance.presentation.states`).

Colours are the sixteen of the terminal, so they follow its own scheme, cost few bytes, and are dropped as a whole under
``NO_COLOR``. Nothing is told by colour alone: glyph and word say the same.
"""

from __future__ import annotations

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


_YOUNG: Final = 300.0
_OLD: Final = 3600.0


def age_style(seconds: float) -> str:
    """Return the style of an age: up to five minutes is usual, beyond an hour nobody should miss it."""
    return "" if seconds < _YOUNG else "warn" if seconds < _OLD else "stuck"
