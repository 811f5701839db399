"""Impossible cases: bounds that exclude each other, values that a tag would have to have at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mercure.rules import likeness
from mercure.rules.cases import Case, CaseOutcome, Demand, TooManyCases, cases_of, combined
from mercure.rules.closures import Closure
from mercure.rules.compiler import compile_term
from mercure.rules.errors import RuleError
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value
from mercure.rules.record import ImageRecords, TagRecord
from mercure.rules.tags import is_known
from mercure.rules.terms import ComparisonTerm, Constant, Operation, Quantifier, TagValue, Term, key_of

Key = tuple[object, ...]
Values = tuple[Value, ...]

_MOST_VALUES: Final = 100
"""Values of a tag that are tried out."""
_ORDERS: Final = frozenset({"<", "<=", ">", ">="})
_UPPER_CASE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER_CASE: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_NEVER_IN: Final = {"lower": _UPPER_CASE, "casefold": _UPPER_CASE, "upper": _LOWER_CASE}
"""Letters that the result of a method never holds."""


def never_true(term: Term) -> bool:
    """Return whether a rule is certainly not true for any image; False also means "not known"."""
    try:
        return all(is_impossible(case) for case in cases_of(term, CaseOutcome.TRUE))
    except TooManyCases:
        return False


def implies(one: Term, other: Term) -> bool:
    """Return whether the second rule is certainly true whenever the first one is; False also means "not known"."""
    if key_of(one) == key_of(other):
        return True
    try:
        otherwise = [*cases_of(other, CaseOutcome.FALSE), *cases_of(other, CaseOutcome.ERROR)]
        return all(is_impossible(case) for case in combined(cases_of(one, CaseOutcome.TRUE), otherwise))
    except TooManyCases:
        return False


def is_impossible(case: Case) -> bool:
    """Return whether the demands of a case can certainly not be met together."""
    demands = list(case.values())
    if any(_is_hopeless(demand) for demand in demands):
        return True
    candidates = _candidates(demands)
    if any(not values for values in candidates.values()) or _bounds_exclude(demands):
        return True
    return any(not _fits(keyword, values, demands) for keyword, values in _of_tags(candidates, demands))


def _is_hopeless(demand: Demand) -> bool:
    """Return whether a single demand cannot be met."""
    term = demand.term
    if term.reads.nothing:
        return _outcome(compile_term("", term), {}) is not demand.outcome
    if demand.outcome is CaseOutcome.ERROR:
        return _cannot_fail(term)
    if demand.outcome is not CaseOutcome.TRUE:
        return False
    if isinstance(term, Quantifier):
        # There is always an image, but a sequence may be empty, and then all(…) is true.
        return (term.word == "any" or term.over is None) and never_true(term.condition)
    if isinstance(term, Operation) and term.function.name == "between":
        return _is_empty_range(term)
    return _wrong_case(term)


def _cannot_fail(term: Term) -> bool:
    """Return whether a part has a value whatever the image holds: of a tag's value that is never certain."""
    asks_if_there = isinstance(term, Operation) and (
        term.function.name == "has" or term.function.name.endswith(" in tags")
    )
    return asks_if_there and all(map(is_known, term.reads.keywords))


def _is_empty_range(term: Operation) -> bool:
    low, high = term.operands[1:]
    if not isinstance(low, Constant) or not isinstance(high, Constant) or likeness.is_written_variously(*term.operands):
        return False
    if isinstance(low.value, int | float) and isinstance(high.value, int | float):
        return low.value > high.value
    return isinstance(low.value, str) and isinstance(high.value, str) and low.value > high.value


def _wrong_case(term: Term) -> bool:
    """Return whether a text in lower case is compared with one that is not, or the like."""
    if not isinstance(term, ComparisonTerm) or not isinstance(term.operands[0], Operation):
        return False
    left, right = term.operands
    never = _NEVER_IN.get(left.function.name) if isinstance(left, Operation) else None
    if never is None or not isinstance(right, Constant):
        return False
    choices = right.value if isinstance(right.value, tuple) else (right.value,)
    if term.comparators not in {("==",), ("in",)} or (term.comparators == ("in",) and isinstance(right.value, str)):
        return False
    return bool(choices) and all(isinstance(choice, str) and bool(never & set(choice)) for choice in choices)


# -- values that a part must have


def _candidates(demands: Iterable[Demand]) -> dict[Key, Values]:
    """Return what parts can be, as far as demands leave only some values."""
    found: dict[Key, Values] = {}
    for demand in demands:
        choices = _choices(demand)
        if choices is not None and isinstance(demand.term, ComparisonTerm):
            key = key_of(demand.term.operands[0])
            known = found.get(key)
            found[key] = choices if known is None else tuple(value for value in known if _is_among(value, choices))
    return found


def _choices(demand: Demand) -> Values | None:
    """Return the values that a demand leaves to the left side of its comparison, or None for any."""
    term = demand.term
    if demand.outcome is not CaseOutcome.TRUE or not isinstance(term, ComparisonTerm):
        return None
    right = term.operands[1]
    if not isinstance(right, Constant) or likeness.is_written_variously(*term.operands):
        return None
    if term.comparators == ("==",):
        return (right.value,)
    return right.value if term.comparators == ("in",) and isinstance(right.value, tuple) else None


def _is_among(value: Value, choices: Values) -> bool:
    return any(isinstance(value, str) == isinstance(choice, str) and value == choice for choice in choices)


def _bounds_exclude(demands: Iterable[Demand]) -> bool:
    """Return whether a part would have to be less than something and greater than it, too."""
    low: dict[Key, tuple[float, bool]] = {}
    high: dict[Key, tuple[float, bool]] = {}
    for key, comparator, bound in _bounds(demands):
        strict = comparator in {"<", ">"}
        if comparator in {">", ">=", "=="} and (key not in low or (bound, strict) > low[key]):
            low[key] = (bound, strict)
        if comparator in {"<", "<=", "=="} and (
            key not in high or (bound, not strict) < (high[key][0], not high[key][1])
        ):
            high[key] = (bound, strict)
    return any(_excludes(low[key], high[key]) for key in low.keys() & high.keys())


def _excludes(low: tuple[float, bool], high: tuple[float, bool]) -> bool:
    return low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))


def _bounds(demands: Iterable[Demand]) -> Iterator[tuple[Key, str, float]]:
    """Yield the numbers that parts are compared with."""
    for demand in demands:
        term = demand.term
        if demand.outcome is not CaseOutcome.TRUE:
            continue
        if isinstance(term, ComparisonTerm) and term.comparators[0] in {*_ORDERS, "=="} and len(term.operands) == 2:  # noqa: PLR2004
            bound = _number(term.operands[1])
            if bound is not None:
                yield key_of(term.operands[0]), term.comparators[0], bound
        elif isinstance(term, Operation) and term.function.name == "between":
            for operand, comparator in ((term.operands[1], ">="), (term.operands[2], "<=")):
                bound = _number(operand)
                if bound is not None:
                    yield key_of(term.operands[0]), comparator, bound


def _number(term: Term) -> float | None:
    value = term.value if isinstance(term, Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# -- trying the values of a tag


def _of_tags(candidates: dict[Key, Values], demands: Iterable[Demand]) -> Iterator[tuple[str, Values]]:
    """Yield the tags of the image that can only have some values, with these."""
    for demand in demands:
        left = demand.term.operands[0] if isinstance(demand.term, ComparisonTerm) else None
        if isinstance(left, TagValue) and left.scope == "tags" and is_known(left.keyword):
            values = candidates.get(key_of(left))
            # With a backslash a text may be several values or one, which only the image tells.
            if values is None or len(values) > _MOST_VALUES:
                continue
            if all(isinstance(value, str) and "\\" not in value for value in values):
                yield left.keyword, values


def _fits(keyword: str, values: Values, demands: Iterable[Demand]) -> bool:
    """Return whether a tag with one of these values meets all demands that look at nothing else."""
    own = [
        (compile_term("", demand.term), demand.outcome) for demand in demands if _looks_only_at(demand.term, keyword)
    ]
    records: list[TagRecord] = [{keyword: value} for value in values]
    if "" in values:
        records.append({})
    return any(all(_outcome(run, record) is outcome for run, outcome in own) for record in records)


def _looks_only_at(term: Term, keyword: str) -> bool:
    return term.reads.only_keywords and term.reads.keywords <= {keyword}


def _outcome(run: Closure, record: TagRecord) -> CaseOutcome:
    try:
        value = run(Frame(ImageRecords([record])))
    except RuleError:
        return CaseOutcome.ERROR
    return CaseOutcome.TRUE if value else CaseOutcome.FALSE
