"""Lines of a difference between two configurations, and of problems in one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from appliance.control.rpc.client import Difference, Problem, api
from mercure.printable import printable
from tui.format import printable_lines
from tui.styles import Line
from tui.widgets.lines import marked

_SIGNS = {"added": ("+", "added"), "removed": ("-", "removed"), "changed": ("~", "notice"), "order": ("↕", "notice")}


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def difference_lines(differences: Iterable[Difference], columns: int) -> Iterator[Line]:
    """Write each place with its value before and after."""
    nothing = True
    for difference in differences:
        nothing = False
        sign, style = _SIGNS[difference.how]
        yield ((f" {sign} ", style), (printable(difference.place), "bold"), (f"  {difference.how}", "dim"))
        if difference.how in {"removed", "changed", "order"}:
            yield from _indented(_value(difference.before), columns, "removed")
        if difference.how in {"added", "changed", "order"}:
            yield from _indented(_value(difference.after), columns, "added")
    if nothing:
        yield ((" no difference", "dim"),)


def _indented(text: str, columns: int, style: str) -> Iterator[Line]:
    sign = "-" if style == "removed" else "+"
    for number, line in enumerate(printable_lines(text, columns - 8)):
        yield ((f"     {sign if number == 0 else ' '} ", style), (line, style))


def problem_lines(problems: Iterable[Problem], columns: int) -> Iterator[Line]:
    """Write what is wrong with a configuration: place, text, advice."""
    for problem in problems:
        text = f"{problem.place}: {problem.text}" if problem.place else problem.text
        yield from marked("‼", text, columns - 4, "bad")
        for line in printable_lines(problem.advice, columns - 4):
            yield (("  ", ""), (line, "notice"))


def finding_lines(finding: api.rules.RuleFinding, columns: int) -> Iterator[Line]:
    """Write what is wrong in a condition: where, what, the place under its text, advice."""
    glyph, style = ("‼", "bad") if finding.severity == "error" else ("▲", "warn")
    yield from marked(f" {glyph}", f"column {finding.column}: {finding.text}", columns - 4, style)
    for line in finding.caret.split("\n"):
        if line.strip():
            yield ((f"   {printable(line)}", "dim"),)
    for line in printable_lines(finding.advice, columns - 4):
        yield ((f"   {line}", "notice"),)
