"""The themes: which colour each role has, and which theme a terminal can show.

A role has one colour and one meaning everywhere: the accent is for what can be entered or pressed, and for nothing
else; good, warn and bad are for states only, and always beside a glyph and a word; motion is what is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Theme:
    """Colours by role.

    A colour is ``#rrggbb``, the name of one of the terminal's sixteen, or empty: the terminal's own.

    Parameters
    ----------
    name, text : str
        What it is called, and what it is for, in a few words.
    dark : bool
        The ground is dark.
    ink, ground : str
        Text, and what it stands on.
    muted : str
        Labels, units, zeros: what is not read first; empty: the terminal's dim.
    line : str
        Borders of panes.
    accent, good, warn, bad, motion : str
        See above.
    bar, bar_ink : str
        The selected row; empty: reversed.
    """

    name: str
    text: str
    dark: bool = True
    ink: str = ""
    ground: str = ""
    muted: str = ""
    line: str = ""
    accent: str = ""
    good: str = ""
    warn: str = ""
    bad: str = ""
    motion: str = ""
    bar: str = ""
    bar_ink: str = ""

    @property
    def true_colour(self) -> bool:
        """Whether its colours are its own and not the terminal's."""
        return self.ground.startswith("#")

    def css_variables(self, frame: str) -> dict[str, str]:
        """Return its colours for the style sheet, and how borders are drawn."""
        roles = ("ink", "ground", "line", "accent", "warn", "bad", "bar")
        colours = {f"m-{role}": css_colour(getattr(self, role)) for role in roles}
        return {
            **colours,
            "m-muted": css_colour(self.muted or ("bright_black" if self.accent else "")),
            "m-frame": frame,
        }


def css_colour(colour: str) -> str:
    """Write a colour as Textual's style sheets and texts name it."""
    return colour if colour.startswith("#") else f"ansi_{colour or 'default'}"


THEMES: Final[Mapping[str, Theme]] = {
    theme.name: theme
    for theme in (
        Theme(
            "dark", "true colour, for a dark room",
            ink="#d7dde8", ground="#131821", muted="#8290a6", line="#35415a", accent="#5fb3f5", good="#7bd88f",
            warn="#f2c14e", bad="#ff6b6b", motion="#c792ea", bar="#2b4a6f", bar_ink="#ffffff",
        ),
        Theme(
            "light", "true colour, for a bright room", dark=False,
            ink="#1d2430", ground="#ffffff", muted="#5b6577", line="#c3cad6", accent="#0b62bd", good="#1a7f37",
            warn="#8a5c00", bad="#c21f2b", motion="#8250df", bar="#cfe4fb", bar_ink="#0a1626",
        ),
        Theme(
            "contrast", "true colour, black and white with strong colours",
            ink="#ffffff", ground="#000000", muted="#c9c9c9", line="#a8a8a8", accent="#66e0ff", good="#6cff8f",
            warn="#ffe066", bad="#ff9a9a", motion="#ffb3ff", bar="#ffffff", bar_ink="#000000",
        ),
        Theme(
            "16", "the sixteen colours of the terminal",
            line="bright_black", accent="cyan", good="green", warn="yellow", bad="red", motion="magenta",
        ),
        Theme(
            "16-light", "the sixteen colours of a terminal with a light ground", dark=False,
            line="bright_black", accent="blue", good="green", warn="magenta", bad="red", motion="blue",
        ),
        Theme("mono", "no colours"),
    )
}  # fmt: skip
"""The themes in the order in which the key takes one after the other."""

CHOICES: Final = ("auto", "dark", "light", "contrast", "16", "mono")
"""What a person can ask for; of the sixteen colours the background decides which theme it is."""

_TRUE_COLOUR: Final = frozenset({"truecolor", "24bit"})
"""What terminals that have it put into COLORTERM."""


def background(colours: str) -> str:
    """Return ``dark`` or ``light`` by what terminals put into COLORFGBG: ``15;0``, ``0;default;15``."""
    last = colours.rpartition(";")[2]
    return "light" if last in {"7", "15"} else "dark"


def chosen(asked: str, ground: str, environ: Mapping[str, str]) -> Theme:
    """Return the theme for a terminal.

    Parameters
    ----------
    asked : str
        One of `CHOICES`; ``auto``: what the terminal says that it can.
    ground : str
        ``dark`` or ``light``.
    environ : mapping
        The environment of the process: NO_COLOR counts before all else, COLORTERM says who has true colour.
    """
    if "NO_COLOR" in environ or asked == "mono":
        return THEMES["mono"]
    if asked == "auto" or asked not in CHOICES:
        asked = ground if environ.get("COLORTERM", "").casefold() in _TRUE_COLOUR else "16"
    return THEMES["16-light" if asked == "16" and ground == "light" else asked]


def after(theme: Theme) -> Theme:
    """Return the theme after this one."""
    names = [*THEMES]
    return THEMES[names[(names.index(theme.name) + 1) % len(names)]]
