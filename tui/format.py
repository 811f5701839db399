"""Text for the screen in exact widths, and bars.

Everything that came from an image or a sender passes `printable` before it is drawn. Widths are those that Rich counts,
because Textual places by them; `mercure.printable.cells` would disagree with it sooner or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

from appliance.presentation.phrases import count
from mercure.printable import printable

_ELLIPSIS: Final = "…"
_BARS: Final = "▁▂▃▄▅▆▇█"
_PARTS: Final = "▏▎▍▌▋▊▉"
_RISING: Final = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_FALLING: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The dots of the left and the right half of a braille cell, as a bar grows upwards and downwards."""


def number(value: int, style: str = "") -> tuple[str, str]:
    """Write a number for a table, and its style; zero is a quiet dot."""
    return (count(value), style) if value else ("·", "dim")


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


def progress_bar(share: float, columns: int) -> tuple[str, str]:
    """Draw how much of something is done, in eighths of a column; return what is done, and what is not."""
    eighths = round(8 * columns * max(0.0, min(1.0, share)))
    full, part = divmod(eighths, 8)
    done = "█" * full + (_PARTS[part - 1] if part else "")
    return done, " " * (columns - len(done))


def area(values: Sequence[float], columns: int, rows: int, top: float, *, down: bool = False) -> list[str]:
    """Draw values over their time as a filled braille graph, two to a column and four steps to a row.

    Parameters
    ----------
    values : sequence of float
        From the oldest to the newest; spread over the whole width.
    columns, rows : int
        How large.
    top : float
        The value that fills the height.
    down : bool
        Hang from above instead of standing on the ground.
    """
    wide = 2 * columns
    spread = [values[at * len(values) // wide] for at in range(wide)] if values else [0.0] * wide
    steps = [min(4 * rows, max(int(value > 0), round(4 * rows * value / top))) if top > 0 else 0 for value in spread]
    lines = []
    for row in range(rows):
        below = row if down else rows - 1 - row
        lines.append("".join(_braille(steps[at : at + 2], below, down=down) for at in range(0, wide, 2)))
    return lines


def _braille(pair: Sequence[int], row: int, *, down: bool) -> str:
    dots = 0
    for half, steps in enumerate(pair):
        for dot in (_FALLING if down else _RISING)[half][: max(0, min(4, steps - 4 * row))]:
            dots |= dot
    return chr(0x2800 + dots) if dots else " "
