"""Results as CSV: of a list its rows, of one thing its only row; what is nested stands as JSON in its cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from mercure.printable import json_text, printable

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet: what came from an image must be none."""


def csv_text(document: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a document as CSV with a head (RFC 4180)."""
    rows = _rows(document)
    names = list(dict.fromkeys(name for row in rows for name in row))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
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


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json_text(value)
    text = printable(value) if isinstance(value, str) else json_text(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
