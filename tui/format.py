"""Text for the screen in exact widths, and bars.

Everything that came from an image or a sender passes `printable` before it is drawn. Widths are those that Rich counts,
because Textual places by them; `mercure.printable.cells` would disagree with it sooner or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

from mercure.printable import printable

_ELLIPSIS: Final = "…"
_BARS: Final = "▁▂▃▄▅▆▇█"


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


def printable_lines(text: str, columns: int) -> list[str]:
    """Break any text, of one line or several, into printable lines of so many columns."""
    return [line for part in text.split("\n") for line in wrap(printable(part), columns)]


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


def spark(values: Sequence[float], columns: int) -> str:
    """Draw the last values as bars of eight heights; the highest of them is full, nothing is blank."""
    shown = list(values)[-columns:] if columns > 0 else []
    top = max(shown, default=0.0)
    bars = [" " if value <= 0 else _BARS[min(7, int(8 * value / top - 1e-9))] for value in shown]
    return "".join(bars).rjust(columns)
