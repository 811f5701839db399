"""The queue as a table of age by target: where it is stuck is seen at once, however much there is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from appliance.control.rpc.client import api
from mercure.printable import printable
from tui.format import fit
from tui.styles import Line, Span

AGES: Final = tuple(zip(api.queue.SHAPE_SECONDS, ("< 1 min", "5 min", "20 min", "1 h", "6 h", "1 d"), strict=True))
OLDER: Final = "older"
_NAME: Final = 16
_CELL: Final = 8
_STUCK: Final = 3600
_LATE: Final = 300


def shape_lines(shape: Sequence[api.queue.ShapeRow], rows: int) -> Iterator[Line]:
    """Write the table: a head, and at most so many targets, those with the oldest tasks first."""
    counts = {row.name: Counter(dict(enumerate(row.counts))) for row in shape}
    oldest = {row.name: row.oldest_seconds for row in shape}
    heads = [*(title for _, title in AGES), OLDER, "all"]
    yield ((fit(" age by target", _NAME), "head"), *((fit(head, _CELL, right=True), "head") for head in heads))
    names = sorted(counts, key=lambda name: (-oldest[name], name))
    shown = names if len(names) <= rows else names[: rows - 1]
    for name in shown:
        yield _row(name, counts[name])
    if len(shown) < len(names):
        rest = sum((counts[name] for name in names[len(shown) :]), Counter[int]())
        yield _row(f"{len(names) - len(shown)} others", rest)


def _row(name: str, counts: Counter[int]) -> Line:
    cells: list[Span] = [(fit(" " + printable(name), _NAME), "bold")]
    begin = 0
    for number, end in enumerate([*(end for end, _ in AGES), 0]):
        count = counts[number]
        style = "dim" if not count else "stuck" if begin >= _STUCK else "warn" if begin >= _LATE else ""
        cells.append((fit(str(count) if count else "∙", _CELL, right=True), style))
        begin = end
    cells.append((fit(str(counts.total()), _CELL, right=True), "bold"))
    return tuple(cells)
