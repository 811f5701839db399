"""Text for the screen: nothing that a terminal obeys, exact widths, ages, sizes, rates.

Everything that came from an image or a sender passes `printable` before it is drawn. Widths are those that Rich
counts, because Textual places by them; a second table of widths would disagree with it sooner or later.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len, set_cell_size

_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that move, hide or turn text, or that a terminal may not know."""
_ELLIPSIS: Final = "…"
_BARS: Final = "▁▂▃▄▅▆▇█"
_AGES: Final = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_TEN: Final = 10
_BYTE: Final = 0xFF
_SHORT: Final = 0xFFFF


def printable(text: str) -> str:
    r"""Write what a terminal would obey as an escape (``\x1b``, ``\u202e``), and keep all letters.

    Letters that run from right to left stay: only the invisible characters that turn the text around them are shown
    as what they are. Combining marks are kept to one for each letter, so that none climbs into other lines.
    """
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > 1:
            continue
        kept.append(_escape(ord(char)) if category in _OBEYED else char)
    return "".join(kept)


def _escape(code: int) -> str:
    if code <= _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _SHORT else f"\\U{code:08x}"


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return cell_len(text)


def fit(text: str, columns: int, *, right: bool = False) -> str:
    """Make a text exactly so many columns wide: cut with an ellipsis, or filled with spaces.

    Parameters
    ----------
    text : str
        Printable text.
    columns : int
        0 or more.
    right : bool
        Fill on the left: for numbers.
    """
    wide = cell_len(text)
    if wide > columns:
        return set_cell_size(text, columns - 1) + _ELLIPSIS if columns > 0 else ""
    space = " " * (columns - wide)
    return space + text if right else text + space


def wrap(text: str, columns: int) -> list[str]:
    """Break a printable text into lines of so many columns, at spaces where there are some."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            rest = word
            if line and cell_len(line) + 1 + cell_len(rest) <= columns:
                line = f"{line} {rest}"
                continue
            if line:
                lines.append(line)
            while cell_len(rest) > columns:
                head = set_cell_size(rest, columns).rstrip("\0")
                head = rest[: len(head)] if rest.startswith(head) else rest[: max(1, columns // 2)]
                lines.append(head)
                rest = rest[len(head) :]
            line = rest
        lines.append(line)
    return lines


def duration(seconds: float) -> str:
    """Write a duration in one unit: ``45 s``, ``3 min``, ``5 h``, ``12 d``."""
    whole = max(0, int(seconds))
    step, unit = next((step, unit) for least, step, unit in _AGES if whole >= least)
    return f"{whole // step} {unit}"


def size(count: float) -> str:
    """Write a number of bytes in one decimal unit: ``512 B``, ``1.5 MB``."""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < _TEN else f"{value:.0f} {_UNITS[unit]}"


def rate(per_second: float) -> str:
    """Write images per second: ``0``, ``0.4``, ``12``."""
    if per_second == 0:
        return "0"
    return f"{per_second:.1f}" if per_second < _TEN else f"{per_second:.0f}"


def moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here; empty without one."""
    return "" if instant is None else instant.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(instant: datetime | None) -> str:
    """Write the time of the day of an instant here."""
    return "" if instant is None else instant.astimezone().strftime("%H:%M:%S")


def when(instant: datetime | None) -> str:
    """Write an instant shortly, for tables: month, day and time."""
    return "" if instant is None else instant.astimezone().strftime("%m-%d %H:%M:%S")


def since(instant: datetime | None, now: datetime | None = None) -> str:
    """Write how long ago an instant was."""
    if instant is None:
        return ""
    return duration(((now or datetime.now(UTC)) - instant).total_seconds())


def spark(values: Sequence[float], columns: int) -> str:
    """Draw the last values as bars of eight heights; the highest of them is full, nothing is blank."""
    shown = list(values)[-columns:] if columns > 0 else []
    top = max(shown, default=0.0)
    bars = [" " if value <= 0 else _BARS[min(7, int(8 * value / top - 1e-9))] for value in shown]
    return "".join(bars).rjust(columns)
