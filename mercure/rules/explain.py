"""Explanation of a result: every part of the rule with its value, and which parts decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from mercure.printable import cells, escaped, fitted, fitting
from mercure.rules.compiler import Trace
from mercure.rules.errors import RuleError, TextPlace
from mercure.rules.kinds import shown
from mercure.rules.terms import ConditionalTerm, Constant, LogicalTerm, NegationTerm, Quantifier, Term

Outcome = Literal["value", "error", "not reached"]

_LONGEST_VALUE: Final = 200
_NARROWEST: Final = 60
_DEEPEST: Final = 12
"""Levels that are indented; what is deeper stays there."""


@dataclass(frozen=True, slots=True)
class ExplanationPart:
    """A part of a rule with its value.

    Parameters
    ----------
    text : str
        As it stands in the rule, on one line.
    start, end : int
        Offsets in the rule in characters; `end` is not included.
    columns : str
        First and last column from 1, for people: ``1-13``; in a rule of several lines with the line: ``2:1-13``.
    outcome : {"value", "error", "not reached"}
        Whether it came to a value.
    value : str
        The value, escaped and bounded; the message of an error; empty when it was not reached.
    note : str
        A remark, such as at which image a question was decided.
    decided : bool
        Whether the result hung on it.
    parts : tuple of ExplanationPart
        What it is made of; literals are left out.
    """

    text: str
    start: int
    end: int
    columns: str
    outcome: Outcome
    value: str
    note: str
    decided: bool
    parts: tuple[ExplanationPart, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The account of one evaluation.

    Parameters
    ----------
    text : str
        The rule.
    result : bool
        What it said.
    error : RuleError or None
        Why it could not say.
    part : ExplanationPart
        The whole rule, with its parts.
    title : str
        The rule, for the first line.
    """

    text: str
    result: bool
    error: RuleError | None
    part: ExplanationPart
    title: str = "rule"

    def render(self, width: int = 80) -> str:
        """Write the explanation for a terminal.

        Parameters
        ----------
        width : int
            Columns to use, at least 60.
        """
        width = max(width, _NARROWEST)
        lines = [*_wrapped(f"{self.title:<8}", escaped(" ".join(self.text.split())), width), f"result  {self.result}"]
        if self.error is not None:
            lines += _wrapped("error   ", str(self.error), width)
        lines += ["", *self._table(width)]
        return "\n".join(line.rstrip() for line in lines)

    def _table(self, width: int) -> Iterator[str]:
        rows = list(_walk(self.part, 0))
        columns = max(7, *(len(part.columns) for part, _ in rows))
        room = width - columns - 4
        for_values = min(max(12, *(cells(_value(part)) for part, _ in rows)), room * 2 // 5)
        for_parts = room - for_values - 1
        yield f"  {'columns':<{columns}}  {fitted('part (* decided)', for_parts)} value"
        for part, depth in rows:
            indent = "  " * min(depth, _DEEPEST)
            mark = "*" if part.decided else " "
            source = fitted(indent + part.text, for_parts)
            yield f"{mark} {part.columns:<{columns}}  {source} {fitted(_value(part), for_values)}"
            if part.note:
                yield f"{' ' * (columns + 4)}{indent}  ({part.note})"


def explanation(text: str, term: Term, trace: Trace, result: bool, error: RuleError | None) -> Explanation:
    """Put together what was traced.

    Parameters
    ----------
    text, term
        The rule and its tree.
    trace
        What the evaluation came by.
    result, error
        What came of it.
    """
    decided = {id(part) for part in _deciding(term, trace)}
    return Explanation(text, result, error, _part(text, term, trace, decided))


def _part(text: str, term: Term, trace: Trace, decided: set[int]) -> ExplanationPart:
    place = TextPlace(text, term.start, term.end)
    value = trace.values.get(id(term), None) if not isinstance(term, Constant) else term.value
    outcome: Outcome = "value"
    described = ""
    if value is None:
        outcome = "not reached"
    elif isinstance(value, RuleError):
        outcome, described = "error", str(value)
    else:
        described = shown(value, _LONGEST_VALUE)
    below = tuple(_part(text, child, trace, decided) for child in term.children if not isinstance(child, Constant))
    note = trace.notes.get(id(term), "")
    source = escaped(place.source)
    return ExplanationPart(
        source, term.start, term.end, _columns(place), outcome, described, note, id(term) in decided, below
    )


def _columns(place: TextPlace) -> str:
    """Name the columns of a part."""
    columns = f"{place.column}-{place.end_column}"
    return f"{place.line}:{columns}" if "\n" in place.text.strip() else columns


def _deciding(term: Term, trace: Trace) -> Iterator[Term]:
    """Yield the parts on which the value of a term hung, the term itself first."""
    yield term
    match term:
        case LogicalTerm(operands=operands):
            reached = [operand for operand in operands if _reached(operand, trace)]
            last = reached[-1:] if _stopped(term, trace) else reached
            for operand in last:
                yield from _deciding(operand, trace)
        case NegationTerm(operand=operand):
            yield from _deciding(operand, trace)
        case ConditionalTerm(test=test, then=then, otherwise=otherwise):
            for part in (test, then, otherwise):
                if _reached(part, trace):
                    yield from _deciding(part, trace)
        case Quantifier(condition=condition) if _reached(condition, trace):
            yield from _deciding(condition, trace)


def _reached(term: Term, trace: Trace) -> bool:
    return isinstance(term, Constant) or id(term) in trace.values


def _stopped(term: LogicalTerm, trace: Trace) -> bool:
    """Return whether one operand alone decided: a false one of an ``and``, a true one of an ``or``, or an error."""
    value = trace.values.get(id(term))
    return isinstance(value, RuleError) or bool(value) is (term.word == "or")


def _walk(part: ExplanationPart, depth: int) -> Iterator[tuple[ExplanationPart, int]]:
    yield part, depth
    for child in part.parts:
        yield from _walk(child, depth + 1)


def _value(part: ExplanationPart) -> str:
    return part.value if part.outcome == "value" else {"error": "error", "not reached": "-"}[part.outcome]


def _wrapped(title: str, text: str, width: int) -> list[str]:
    """Break a text into lines under a title."""
    lines, room = [], width - len(title)
    rest = text
    while cells(rest) > room:
        fits = fitting(rest, room)
        blank = rest.rfind(" ", 0, fits)
        cut = blank if blank > fits // 2 else fits
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip()
    lines.append(rest)
    return [f"{title if number == 0 else ' ' * len(title)}{line}" for number, line in enumerate(lines)]
