"""Sanitizing of text from the network: `clean` sees every text that the templates and metrics show.

Escaping is the template engine's work (Jinja2, autoescape on); what it cannot know is done here: control characters,
marks that turn the direction of writing for the rest of the page, and texts without an end.
"""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from mercure.printable import cleaned

MOST_CHARACTERS: Final = 300
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text that is one line, shows what it holds and ends.

    Parameters
    ----------
    text : str
        Anything.
    most : int
        Characters at most; a longer one ends with an ellipsis.
    """
    cut = text[: most + 1]
    shown = cleaned(cut, _instead)
    return shown if len(cut) <= most else shown[: most - 1] + "…"


def _instead(character: str) -> str:
    return " " if character.isspace() else REPLACEMENT


def finalize(value: Any) -> Any:  # noqa: ANN401 - what a template may show
    """Clean what a template shows (Jinja2 calls this for every expression); our own markup stays as it is."""
    if value is None:
        return ""
    return value if isinstance(value, (Markup, int, float)) else clean(str(value))
