"""Text for people: tables that fit the terminal, sizes, times, and nothing that a terminal would obey."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that move, hide or turn text: controls, formats (the directions of writing among them),
surrogates, private use, unassigned, line and paragraph separators."""

_GAP: Final = "  "
_MARKS: Final = {"ok": "ok", "warning": "look", "failed": "FAILED", "not reached": "-", "unknown": "?"}
_ELLIPSIS: Final = "…"
_STEPS: Final = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_TEN: Final = 10


def printable(text: str) -> str:
    r"""Replace what a terminal would obey by an escape such as ``\x1b``: texts of images come from the network."""
    return "".join(_escape(char) if unicodedata.category(char) in _OBEYED else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - what two digits can write
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fitted(text: str, columns: int) -> str:
    """Cut a text to some columns, with an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept = ""
    for char in text:
        if width(kept + char) > columns - 1:
            break
        kept += char
    return kept + _ELLIPSIS


def padded(text: str, columns: int) -> str:
    """Fill a text up to some columns."""
    return text + " " * (columns - width(text))


def terminal_columns() -> int:
    """Return the width of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, whole: bool = False, columns: int | None = None
) -> list[str]:
    """Lay out rows under their heads.

    Parameters
    ----------
    head : sequence of str
        One for each column.
    rows : iterable of sequence of str
        Texts; they are made printable here.
    whole : bool
        False: the last column takes what is left of the line, and is cut there. True: where it does not fit, it goes
        below the others, because it is wanted whole: to be copied, or read.
    columns : int, optional
        The width of the line; the terminal's when absent.
    """
    texts = [[*head], *([printable(cell) for cell in row] for row in rows)]
    room = columns or terminal_columns()
    widths = [max(width(row[index]) for row in texts) for index in range(len(head))]
    if whole and sum(widths) + len(_GAP) * (len(head) - 1) > room:
        return [line for row in texts for line in _two_lines(row, widths, room)]
    return [_line(row, widths, room) for row in texts]


def _line(row: Sequence[str], widths: Sequence[int], room: int) -> str:
    cells = [padded(cell, wide) for cell, wide in zip(row[:-1], widths[:-1], strict=True)]
    return fitted(_GAP.join([*cells, row[-1]]).rstrip(), room)


def _two_lines(row: Sequence[str], widths: Sequence[int], room: int) -> list[str]:
    return [_line([*row[:-1], ""], widths, room), *wrapped(row[-1], room, indent=4)]


def wrapped(text: str, columns: int, *, indent: int = 0) -> list[str]:
    """Break a text into lines, at spaces where there are some; nothing for an empty one."""
    space = " " * indent
    return textwrap.wrap(text, columns, initial_indent=space, subsequent_indent=space, break_on_hyphens=False)


def found(outcome: str, name: str, text: str, advice: str) -> list[str]:
    """Write what a look at something found: a mark for its outcome, its name, what was found, and what to do below."""
    columns = terminal_columns()
    lines = wrapped(f"{_MARKS[outcome]:<7}{name}{printable(text)}", columns)
    return lines + (wrapped(f"       → {printable(advice)}", columns) if advice else [])


def pairs(items: Iterable[tuple[str, str]]) -> list[str]:
    """Lay out names and values, one pair to a line; values that are empty are left out."""
    shown = [(name, printable(value)) for name, value in items if value]
    wide = max((width(name) for name, _ in shown), default=0)
    return [f"{padded(name, wide)}{_GAP}{value}" for name, value in shown]


def duration(seconds: float) -> str:
    """Write a duration in one unit: ``45 s``, ``3 min``, ``5 h``, ``12 d``."""
    whole = max(0, int(seconds))
    step, unit = next((step, unit) for least, step, unit in _STEPS if whole >= least)
    return f"{whole // step} {unit}"


def size(count: int) -> str:
    """Write a number of bytes in one decimal unit: ``512 B``, ``1.5 MB``."""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < _TEN else f"{value:.0f} {_UNITS[unit]}"


def moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here, with its distance from UTC; empty without one."""
    if instant is None:
        return ""
    return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def short_moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here, for a table."""
    return "" if instant is None else instant.astimezone().strftime("%m-%d %H:%M:%S")
