"""The page that ``make interop`` writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.interop import syntaxes
from tests.interop.cells import AS_IT_IS, AT_THE_SECOND_TRY, MARKS, OTHER
from tests.interop.refusals import BY_SENDER, BY_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.interop.cells import Cell
    from tests.interop.matrix import Matrix
    from tests.interop.receivers import Receiver

_HEAD: Final = """# Interoperability

Made by `make interop`; do not edit. Each sender sent each file to the router's receiver, and what the receiver stored
went on to each receiver by the router's sender, as the dispatcher starts it. {triples} more ways, drawn by lot, lead
from a sender through the router to a receiver.

A sender's cell is good when the stored data set is, bit by bit, what was on the wire, in the syntax that was
negotiated, with the digest of just these bytes. A receiver's cell is good when the target has the very bytes, or, where
it takes none of them as they are, the same elements, no new error by `dciodvfy`, and the same pixels: for a lossless
source those of a decoder that is none of ours (pydicom with pylibjpeg, or GDCM), sample by sample; for a lossy one
within 1 of such a decoder, within 2 where colours were converted to RGB. Anything else is refused for a numbered reason
of a table that was there before the run, or the run fails and this page is not written.

| | cells | as it is | converted | refused |
| --- | ---: | ---: | ---: | ---: |
"""

_LEGEND: Final = """
`{as_it_is}` as it is, bit by bit ·
{marks} ·
`{other}` another syntax of the sender's choice · `{second}` at the second try · `-` left out here

| | refused because |
| --- | --- |
"""


def page(matrix: Matrix, receivers: Sequence[Receiver], versions: Mapping[str, str]) -> str:
    """Return it; only a run without trouble gets this far."""
    parts = [
        _HEAD.format(triples=len(matrix.triples)),
        _row("senders to the router", _counted(matrix.brought.values())),
        _row("the router to receivers", _counted(matrix.delivered.values())),
        _row("through the router", _counted(matrix.triples.values())),
        _legend(),
        "\n".join(["", f"With {', '.join(f'{name} {version}' for name, version in versions.items())}.", ""]),
        *(f"Left out: {text}.\n" for text in matrix.left_out),
        _differences(matrix),
    ]
    senders = list(dict.fromkeys(sender for _, sender in matrix.brought))
    parts.append(_table(matrix, "From senders to the router", senders, matrix.brought))
    families: dict[str, list[str]] = {}
    for receiver in receivers:
        families.setdefault(receiver.family, []).append(receiver.name)
    for family, names in families.items():
        parts.append(_table(matrix, f"From the router to {family}", names, matrix.delivered))
    return "".join([*parts, _triples(matrix)])


def _row(*cells: object) -> str:
    flat = [part for cell in cells for part in (cell if isinstance(cell, tuple) else (cell,))]
    return f"| {' | '.join(str(part) for part in flat)} |\n"


def _counted(cells: Iterable[Cell]) -> tuple[int, int, int, int]:
    kinds = Counter(_kind(cell) for cell in cells)
    return kinds.total(), kinds["as it is"], kinds["converted"], kinds["refused"]


def _kind(cell: Cell) -> str:
    if cell.mark.isdecimal():
        return "refused"
    return "as it is" if cell.mark.startswith(AS_IT_IS) else "converted"


def _legend() -> str:
    marks = " · ".join(f"`{mark}` as {syntaxes.NAMES[syntax]}" for syntax, mark in MARKS.items())
    lines = [_LEGEND.format(as_it_is=AS_IT_IS, marks=marks, other=OTHER, second=AT_THE_SECOND_TRY)]
    lines += [_row(refusal.number, refusal.text) for refusal in BY_TARGET]
    lines += [_row(number, text) for number, text in BY_SENDER.items()]
    return "".join(lines)


def _differences(matrix: Matrix) -> str:
    """Tell the greatest difference of a sample for each lossy syntax."""
    names = {sample.name: sample for sample in matrix.samples}
    lossy = [(names[file], cell.far) for (file, _), cell in matrix.delivered.items() if names[file].is_lossy]
    worst: dict[str, tuple[int, str]] = {}
    for sample, far in lossy:
        worst[sample.syntax_name] = max(worst.get(sample.syntax_name, (0, sample.name)), (far, sample.name))
    lines = ["\nThe greatest difference of a sample to the nearest of two decoders; lossless sources have none.\n\n"]
    lines.append("| lossy syntax | difference | file |\n| --- | ---: | --- |\n")
    return "".join([*lines, *(_row(name, far, file if far else "") for name, (far, file) in worst.items())])


def _table(matrix: Matrix, title: str, names: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> str:
    words = [name.split(" ", 1)[1] if name.startswith(("storescp ", "Orthanc, ")) else name for name in names]
    lines = [f"\n## {title}\n\n", _row("file", "syntax", *words), _row("---", "---", *[":-:"] * len(names))]
    for sample in matrix.samples:
        found = [cells.get((sample.name, name)) for name in names]
        lines.append(_row(sample.name, sample.syntax_name, *(cell.mark if cell else "-" for cell in found)))
    return "".join(lines)


def _triples(matrix: Matrix) -> str:
    lines = ["\n## Through the router\n\n", _row("sender", "file", "receiver", ""), _row("---", "---", "---", ":-:")]
    lines += [_row(*which, cell.mark) for which, cell in matrix.triples.items()]
    return "".join(lines)
