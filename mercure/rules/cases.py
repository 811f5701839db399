"""Cases in which a rule is true, false or fails: the rule as alternatives of simple conditions.

Only what is certain is claimed. A case is a set of demands such as "this comparison is true and that one fails"; it is
impossible when two demands on one part contradict each other, or when no value of a tag meets all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mercure.rules.terms import (
    ComparisonTerm,
    ConditionalTerm,
    Constant,
    LogicalTerm,
    NegationTerm,
    Term,
    key_of,
)

_MOST: Final = 256
"""Cases that are looked at; a rule with more is not judged."""


class CaseOutcome(Enum):
    """What evaluating a part can come to."""

    TRUE = "true"
    FALSE = "false"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Demand:
    """A part that is no ``and``, ``or``, ``not`` or ``if``, and what it must come to."""

    term: Term
    outcome: CaseOutcome


Case = dict[tuple[object, ...], Demand]
"""Demands that hold together, by what tells their parts apart."""


class TooManyCases(Exception):
    """A rule has more alternatives than are looked at."""


def cases_of(term: Term, outcome: CaseOutcome) -> list[Case]:
    """Return all cases in which a term has an outcome.

    Raises
    ------
    TooManyCases
        There are more than are looked at.
    """
    found = list(_distinct(_cases(term, outcome)))
    if len(found) > _MOST:
        raise TooManyCases
    return found


def combined(one: Iterable[Case], other: Iterable[Case]) -> list[Case]:
    """Return the cases that are of both sorts; those that contradict themselves are left out.

    Raises
    ------
    TooManyCases
        There are more than are looked at.
    """
    found = []
    others = list(other)
    for case in one:
        for further in others:
            if all(key not in case or case[key].outcome is demand.outcome for key, demand in further.items()):
                found.append(case | further)
            if len(found) > _MOST:
                raise TooManyCases
    return found


def _distinct(cases: Iterable[Case]) -> Iterator[Case]:
    seen = set()
    for case in cases:
        identity = frozenset((key, demand.outcome) for key, demand in case.items())
        if identity not in seen:
            seen.add(identity)
            yield case


def _cases(term: Term, outcome: CaseOutcome) -> list[Case]:
    match term:
        case Constant(value=value):
            return [{}] if outcome is (CaseOutcome.TRUE if value else CaseOutcome.FALSE) else []
        case NegationTerm(operand=operand):
            return cases_of(operand, _OPPOSITE[outcome])
        case LogicalTerm():
            return _logical(term, outcome)
        case ConditionalTerm(test=test, then=then, otherwise=otherwise):
            taken = combined(cases_of(test, CaseOutcome.TRUE), cases_of(then, outcome))
            other = combined(cases_of(test, CaseOutcome.FALSE), cases_of(otherwise, outcome))
            return [*(cases_of(test, outcome) if outcome is CaseOutcome.ERROR else []), *taken, *other]
        case ComparisonTerm():
            return _comparison(term, outcome)
    return [{key_of(term): Demand(term, outcome)}]


def _logical(term: LogicalTerm, outcome: CaseOutcome) -> list[Case]:
    """Follow the evaluation from left to right: it goes on while operands say `passing` and stops at another."""
    passing = CaseOutcome.TRUE if term.word == "and" else CaseOutcome.FALSE
    found: list[Case] = []
    before: list[Case] = [{}]
    for operand in term.operands:
        if outcome is not passing:
            found += combined(before, cases_of(operand, outcome))
        before = combined(before, cases_of(operand, passing))
        if len(found) > _MOST:
            raise TooManyCases
    return before if outcome is passing else found


def _comparison(term: ComparisonTerm, outcome: CaseOutcome) -> list[Case]:
    """Write a comparison in one way: a chain as its pairs, ``!=`` as not ``==``, a constant on the right."""
    if len(term.comparators) > 1:
        if outcome is not CaseOutcome.TRUE:
            return [{key_of(term): Demand(term, outcome)}]
        before: list[Case] = [{}]
        for pair in pairs(term):
            before = combined(before, cases_of(pair, CaseOutcome.TRUE))
        return before
    (comparator,) = term.comparators
    if comparator in _NEGATED:
        positive = dataclasses.replace(term, comparators=(_NEGATED[comparator],))
        return cases_of(positive, _OPPOSITE[outcome])
    left, right = term.operands
    if isinstance(left, Constant) and not isinstance(right, Constant) and comparator in MIRRORED:
        term = dataclasses.replace(term, operands=(right, left), comparators=(MIRRORED[comparator],))
    return [{key_of(term): Demand(term, outcome)}]


def pairs(term: ComparisonTerm) -> Iterator[ComparisonTerm]:
    """Yield the comparisons of which a chain is made."""
    for number, comparator in enumerate(term.comparators):
        operands = term.operands[number : number + 2]
        reads = operands[0].reads | operands[1].reads
        yield ComparisonTerm(operands[0].start, operands[1].end, reads, operands, (comparator,))


_OPPOSITE: Final = {
    CaseOutcome.TRUE: CaseOutcome.FALSE,
    CaseOutcome.FALSE: CaseOutcome.TRUE,
    CaseOutcome.ERROR: CaseOutcome.ERROR,
}
_NEGATED: Final = {"!=": "==", "not in": "in"}
MIRRORED: Final = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Comparators when the sides change places."""
