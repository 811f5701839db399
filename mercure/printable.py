"""Text that is safe to show: the one rule for what our programs write to a log, a terminal, a message or a page.

Texts come from the network and from modules. They may hold what a terminal obeys (C0, DEL, C1), what turns or hides the
text around it (marks of direction, format characters), halves of pairs, and megabytes. Every way out asks `is_hidden`;
ways differ only in what stands instead. The receiver has the same rule in C++ (`getdcmtags/src/tags/printable.cc`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any, Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode in which nothing is seen, or which move, hide or turn what is: controls, formats (the marks of
direction among them), surrogates, private use, unassigned, separators of lines and paragraphs."""
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
LONGEST_LINE: Final = 1000
"""Characters of a line in a message."""
_WIDE: Final = frozenset({"W", "F"})
_MARKS: Final = frozenset({"Mn", "Me"})


def is_hidden(char: str) -> bool:
    """Return whether a character must not be written as it is."""
    return unicodedata.category(char) in _HIDDEN


def cleaned(text: str, instead: Callable[[str], str]) -> str:
    """Write something else instead of each character that must not be written as it is.

    Parameters
    ----------
    text : str
        Any text, from anywhere.
    instead : callable
        What is written for such a character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(instead(char) if is_hidden(char) else char for char in text)


def escape(char: str) -> str:
    r"""Write a character as a backslash and its number, such as ``\x1b`` or ``\u202e``."""
    number = ord(char)
    if number <= 0xFF:  # noqa: PLR2004 - the widths of Python's escapes
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004


def printable(text: str) -> str:
    r"""Write a text for a terminal: what must not be written as it is becomes an escape (``\x1b``, ``\u202e``).

    Letters that run from right to left stay: only the invisible characters that turn the text around them are escaped.
    Combining marks are kept to one for each letter, so that none climbs into other lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return cleaned(_one_mark_each(text), escape)


def _one_mark_each(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in _MARKS else 0
        if marks <= 1:
            kept.append(char)
    return "".join(kept)


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Make one line of a text for a message: blanks for what must not be written, none twice, cut with an ellipsis."""
    plain = " ".join(cleaned(text[: 4 * longest], lambda _: " ").split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def json_text(value: Any, **how: Any) -> str:  # noqa: ANN401 - what json.dumps takes
    """Write JSON for a log or a terminal: ASCII, and without DEL, which is ASCII and is obeyed."""
    return json.dumps(value, **how).replace("\x7f", r"\u007f")


def escaped(text: str, limit: int = 2000) -> str:
    """Write a text on one line as a rule would: escapes for what must not be written as it is; cut what is too long.

    Parameters
    ----------
    text : str
        Any text, from anywhere.
    limit : int
        Characters of `text` to keep.
    """
    kept = cleaned(text[:limit], lambda char: _SHORT.get(char) or escape(char))
    return kept if len(text) <= limit else f"{kept}…"


def quoted(text: str, limit: int) -> str:
    """Write a text as a rule would: in double quotes, with escapes, at most `limit` characters of it."""
    inner = escaped(text[:limit].replace("\\", "\\\\").replace('"', '\\"'), limit * 2)
    more = f"… ({len(text):,} characters)" if len(text) > limit else ""
    return f'"{inner}"{more}'


def cells(text: str) -> int:
    """Count the columns that a text takes in a terminal: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def fitted(text: str, width: int) -> str:
    """Cut a text to `width` terminal columns with an ellipsis, or fill it with blanks to as many."""
    size = cells(text)
    if size <= width:
        return text + " " * (width - size)
    short = text[: fitting(text, width - 1)] + "…"
    return short + " " * (width - cells(short))


def fitting(text: str, width: int) -> int:
    """Return how many characters of a text fit into some terminal columns."""
    used = 0
    for number, char in enumerate(text):
        used += _cells(char)
        if used > width:
            return number
    return len(text)
