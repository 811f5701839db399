"""Lines and tables that fit the terminal."""

from __future__ import annotations

import csv
import io
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mercure.printable import cells, json_text, printable

_GAP: Final = "  "
_MARKS: Final = {"ok": "ok", "warning": "look", "failed": "FAILED", "not reached": "-", "unknown": "?"}
_ELLIPSIS: Final = "…"


def fitted(text: str, columns: int) -> str:
    """Cut a text to some columns, with an ellipsis where something is missing."""
    if cells(text) <= columns:
        return text
    kept = ""
    for char in text:
        if cells(kept + char) > columns - 1:
            break
        kept += char
    return kept + _ELLIPSIS


def padded(text: str, columns: int) -> str:
    """Fill a text up to some columns."""
    return text + " " * (columns - cells(text))


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
    widths = [max(cells(row[index]) for row in texts) for index in range(len(head))]
    if whole and sum(widths) + len(_GAP) * (len(head) - 1) > room:
        return [line for row in texts for line in _two_lines(row, widths, room)]
    return [_line(row, widths, room) for row in texts]


def _line(row: Sequence[str], widths: Sequence[int], room: int) -> str:
    padded_cells = [padded(cell, wide) for cell, wide in zip(row[:-1], widths[:-1], strict=True)]
    return fitted(_GAP.join([*padded_cells, row[-1]]).rstrip(), room)


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
    wide = max((cells(name) for name, _ in shown), default=0)
    return [f"{padded(name, wide)}{_GAP}{value}" for name, value in shown]


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet: what came from an image must be none."""


def csv_text(document: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a document as CSV with a head (RFC 4180)."""
    rows = _rows(document)
    names = list(dict.fromkeys(name for row in rows for name in row))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([csv_cell(row.get(name)) for name in names] for row in rows)
    return written.getvalue()


def _rows(document: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - any JSON
    lists = [value for value in document.values() if isinstance(value, list) and _of_rows(value)]
    if lists:
        return list(lists[0])
    empty = any(value == [] for value in document.values())
    return [] if empty and len(document) <= _FEW else [document]


_FEW: Final = 5
"""A document of so few members with an empty list is a list without rows."""


def _of_rows(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(row, Mapping) for row in value)


def csv_cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a value as a spreadsheet reads it: no formula, whatever an image says."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json_text(value)
    text = printable(value) if isinstance(value, str) else json_text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
