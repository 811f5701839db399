"""Lines of a dry run, and of a rule explained on a series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.control.rpc.client import api
from appliance.presentation.wording import plural
from mercure.printable import printable
from tui.format import fit, wrap
from tui.styles import Line


def dry_run_lines(rehearsal: Any, columns: int) -> Iterator[Line]:  # noqa: ANN401 - `Rehearsal`, by the API
    """Write how many series would go elsewhere, from where to where, and which."""
    yield ()
    yield (
        (f" {len(rehearsal.changes)}", "bold"),
        (f" of the last {plural(rehearsal.series, 'series', 'series')} would be treated otherwise.", ""),
    )
    for error in rehearsal.errors:
        for line in wrap(printable(error), columns - 4):
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
        yield ((f" {fit(printable(what), max(20, columns - 12))}", ""), (f"{change.images:5} im.", "dim"))
        yield (("   - ", "removed"), (printable(", ".join(change.before) or "nowhere"), "removed"))
        yield (("   + ", "added"), (printable(", ".join(change.after) or "nowhere"), "added"))


def explained_lines(explained: api.rules.Explained, columns: int) -> Iterator[Line]:
    """Write each part of a condition with the value that it had."""
    yield ()
    result = ("• it is so: the rule acts", "good") if explained.result else ("□ it is not so", "warn")
    yield ((f" {result[0]}", result[1]),)
    for line in wrap(printable(explained.differs), columns - 4) if explained.differs else ():
        yield ((f" ‼ {line}", "warn"),)
    if explained.error:
        for line in wrap(printable(explained.error), columns - 4):
            yield ((f" ‼ {line}", "bad"),)
    yield ()
    for line in wrap(printable(explained.expression), columns - 2):
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
