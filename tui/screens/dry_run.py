"""Lines of a dry run, and of a rule explained on a series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.control.rpc.client import api
from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.format import fit, printable_lines
from tui.styles import Line


def dry_run_lines(rehearsal: Any, columns: int) -> Iterator[Line]:  # noqa: ANN401 - `Rehearsal`, by the API
    """Write how many series would go elsewhere, from where to where, and which."""
    yield ()
    changed = len(rehearsal.changes)
    last = "the last series" if rehearsal.series == 1 else f"the last {plural(rehearsal.series, 'series', 'series')}"
    yield ((f" {plural(changed, 'change')}" if changed else " No change", "bold"), (f" for {last}.", ""))
    for error in rehearsal.errors:
        for line in printable_lines(error, columns - 4):
            yield ((f" ‼ {line}", "bad"),)
    yield ()
    for move, count in sorted(rehearsal.moves.items(), key=lambda item: -item[1]):
        yield ((f" {count:6} ", "bold"), (printable(move), ""))
    yield ()
    for change in rehearsal.changes:
        who = change.identity
        what = " ".join(
            text for text in (who.PatientID, who.Modality, who.StudyDescription, who.SeriesDescription) if text
        )
        yield ((f" {fit(printable(what), max(20, columns - 16))}", ""), (f"  {plural(change.images, 'image')}", "dim"))
        yield (("   - ", "removed"), (printable(", ".join(change.before) or "nowhere"), "removed"))
        yield (("   + ", "added"), (printable(", ".join(change.after) or "nowhere"), "added"))


def explained_lines(explained: api.rules.Explained, columns: int) -> Iterator[Line]:
    """Write each part of a condition with the value that it had."""
    yield ()
    result = ("• match: the rule applies", "good") if explained.result else ("□ no match", "warn")
    yield ((f" {result[0]}", result[1]),)
    for line in printable_lines(explained.differs, columns - 4) if explained.differs else ():
        yield ((f" ‼ {line}", "warn"),)
    if explained.error:
        for line in printable_lines(explained.error, columns - 4):
            yield ((f" ‼ {line}", "bad"),)
    yield ()
    for line in printable_lines(explained.expression, columns - 2):
        yield ((f" {line}", "bold"),)
    yield ()
    half = max(20, columns // 2)
    for part in explained.parts:
        text = "  " * part.depth + printable(part.text)
        style = "dim" if part.outcome == "not reached" else "bad" if part.outcome == "error" else ""
        value = printable(part.value) if part.outcome == "value" else part.outcome + (f" {printable(part.value)}")
        mark = "►" if part.decided else " "
        yield ((f" {mark} {fit(text, half)} ", style), (fit(value, columns - half - 5), style or "busy"))
    yield ()
    yield ((" ► decided the outcome", "dim"),)
