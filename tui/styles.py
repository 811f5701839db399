"""Styles by name; those of states are called as their tones (`appliance.presentation.states`).

The colours are those of the theme in use (`tui.themes`). Nothing is told by colour alone: glyph and word say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.style import Style

from tui.themes import THEMES, Theme

Span = tuple[str, str]
"""A piece of a line: printable text and the name of its style."""
Line = tuple[Span, ...]


def _ink(role: str = "ink", *, bold: bool | None = None) -> Callable[[Theme], Style]:
    """Make what makes a style of a theme: the colour of a role."""
    return lambda theme: Style(color=getattr(theme, role) or None, bgcolor=theme.ground or None, bold=bold)


def _muted(theme: Theme) -> Style:
    return Style(color=theme.muted, bgcolor=theme.ground) if theme.muted else Style(dim=True)


def _bar(theme: Theme) -> Style:
    if not theme.bar:
        return Style(reverse=True, bold=True)
    return Style(color=theme.bar_ink, bgcolor=theme.bar, bold=True)


def _shout(role: str) -> Callable[[Theme], Style]:
    """Make what makes a style that nobody misses: on the colour of a role."""

    def made(theme: Theme) -> Style:
        colour = getattr(theme, role)
        if theme.true_colour:
            return Style(color=theme.ground, bgcolor=colour, bold=True)
        return Style(color=colour or None, bold=True, reverse=True)

    return made


_MADE: Final[dict[str, Callable[[Theme], Style]]] = {
    "": _ink(),
    "pad": lambda theme: Style(bgcolor=theme.ground or None),
    "dim": _muted,
    "bold": _ink(bold=True),
    "title": _ink("accent", bold=True),
    "head": lambda theme: _muted(theme) + Style(bold=True) if theme.muted else Style(underline=True),
    "line": _ink("line"),
    "good": _ink("good"),
    "busy": _ink("motion"),
    "warn": _ink("warn"),
    "bad": _ink("bad", bold=True),
    "stuck": _shout("bad"),
    "key": _ink("accent", bold=True),
    "here": _bar,
    "tab": _shout("accent"),
    "bar": _bar,
    "banner": _shout("bad"),
    "notice": _ink("warn", bold=True),
    "added": _ink("good"),
    "removed": _ink("bad"),
}

STYLES: Final[dict[str, Style]] = {}
"""The styles of the theme in use."""


def use(theme: Theme) -> None:
    """Take the colours of a theme; what is drawn from then on has them."""
    STYLES.update({name: made(theme) for name, made in _MADE.items()})


use(THEMES["16"])

_YOUNG: Final = 300.0
_OLD: Final = 3600.0


def age_style(seconds: float) -> str:
    """Return the style of an age: up to five minutes is usual, beyond an hour nobody should miss it."""
    return "" if seconds < _YOUNG else "warn" if seconds < _OLD else "stuck"
