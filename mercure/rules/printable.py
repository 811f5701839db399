"""Text that is safe to show: what comes from the network may hold escapes, control characters and megabytes."""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
_WIDE: Final = frozenset({"W", "F"})


def _escape(char: str) -> str:
    """Write one character that does not print as a backslash and its number."""
    number = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if number <= 0xFF:  # noqa: PLR2004 - the widths of Python's escapes
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004


def escaped(text: str, limit: int = 2000) -> str:
    """Escape what does not print, or changes the direction or place of print, and cut what is too long.

    Parameters
    ----------
    text : str
        Any text, from anywhere.
    limit : int
        Characters of `text` to keep.

    Returns
    -------
    str
        One line without control, format, private or unassigned characters and without lone surrogates.
    """
    kept = text[:limit]
    if not kept.isascii() or not kept.isprintable():
        kept = "".join(_escape(char) if unicodedata.category(char) in _HIDDEN else char for char in kept)
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
    if unicodedata.category(char) in {"Mn", "Me"}:
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
