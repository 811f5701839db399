"""Compiler: from terms to closures; a rule is compiled once, and evaluated by calling one function.

Each closure takes the frame and returns a value or raises `RuleError`; where it stands in the rule it knows from the
start, so an evaluation that goes well pays nothing for the possibility of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Never

from mercure.rules import likeness
from mercure.rules.closures import (
    FAULTS,
    Closure,
    Fail,
    ImageQuestion,
    Note,
    as_fault,
    dispatching,
    guard,
    guards,
    hangs_on,
    many,
    membership,
    named,
    nullary,
    over_images,
    over_items,
    read,
    unary,
)
from mercure.rules.errors import Fault, RuleError, TextPlace
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value
from mercure.rules.operators import Operator
from mercure.rules.tags import raw_of
from mercure.rules.terms import (
    CollectionTerm,
    ComparisonTerm,
    ConditionalTerm,
    Constant,
    LogicalTerm,
    NegationTerm,
    Operation,
    Quantifier,
    TagValue,
    Term,
)

_COSTS: Final[dict[type[Term], int]] = {Constant: 20, TagValue: 70, ComparisonTerm: 120}
_OTHER_COST: Final = 60
"""Nanoseconds for one term in a loop over images; an operation brings its own."""


@dataclass(slots=True)
class Trace:
    """What an evaluation came by: the value or error of each term, by its `id`, and remarks."""

    values: dict[int, Value | RuleError] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)


def compile_term(text: str, term: Term, trace: Trace | None = None) -> Closure:
    """Compile a term.

    Parameters
    ----------
    text : str
        The rule, for the places of errors.
    term : Term
        Any term of it.
    trace : Trace, optional
        Is filled by each evaluation, for an explanation.
    """
    return _Compiler(text, trace).closure(term)


class _Compiler:
    def __init__(self, text: str, trace: Trace | None) -> None:
        self._text = text
        self._trace = trace

    def closure(self, term: Term) -> Closure:
        run = _BUILDERS[type(term)](self, term)
        return run if self._trace is None or isinstance(term, Constant) else _recorded(term, run, self._trace)

    # -- leaves

    def _constant(self, term: Constant) -> Closure:
        value = term.value
        return lambda _frame: value

    def _tag(self, term: TagValue) -> Closure:
        keyword, fail = term.keyword, self._failure(term)
        if term.scope == "item" or not term.known:
            return self._any_tag(term)

        def run(frame: Frame) -> Value:
            value = frame.tags.record.get(keyword, "")
            if value.__class__ is str and value.isascii():
                return value
            try:
                return read(frame, keyword, value)
            except FAULTS as fault:
                fail(fault)

        return run

    def _any_tag(self, term: TagValue) -> Closure:
        """Compile a tag of an item, or one that perhaps only the image knows."""
        keyword, fail, of_item = term.keyword, self._failure(term), term.scope == "item"

        def run(frame: Frame) -> Value:
            try:
                view = frame.item if of_item else frame.tags
                return read(frame, keyword, raw_of(view, keyword))
            except FAULTS as fault:
                fail(fault)

        return run

    # -- operations

    def _operation(self, term: Operation) -> Closure:
        operands = [self.closure(operand) for operand in term.operands]
        fail = self._failure(term)
        if isinstance(term.function, Operator):
            return dispatching(term.function, operands, fail)
        checks = guards(term.function, len(operands) - len(term.names))
        checks += [guard(term.function, name) for name in term.names]
        call = likeness.function(term.function.name, term.operands) or term.bound.call
        if term.names:
            return named(call, operands, checks, term.names, fail)
        if len(operands) == 1:
            return unary(call, operands[0], checks[0], fail)
        return many(call, operands, checks, fail) if operands else nullary(call, fail)

    def _comparison(self, term: ComparisonTerm) -> Closure:
        if len(term.operands) == 2:  # noqa: PLR2004 - not a chain
            return self._pair(term)
        first, *others = [self.closure(operand) for operand in term.operands]
        sides = [term.operands[n : n + 2] for n in range(len(others))]
        steps = [
            (likeness.comparator(name, *both), operand, self._failure(term, both))
            for name, operand, both in zip(term.comparators, others, sides, strict=True)
        ]

        def run(frame: Frame) -> bool:
            left = first(frame)
            for compare, operand, fail in steps:
                right = operand(frame)
                try:
                    if not compare(frame, left, right):
                        return False
                except FAULTS as fault:
                    fail(fault)
                left = right
            return True

        return run

    def _pair(self, term: ComparisonTerm) -> Closure:
        left, right = (self.closure(operand) for operand in term.operands)
        name, fail = term.comparators[0], self._failure(term, term.operands)
        choices = term.operands[1]
        if name in {"in", "not in"} and isinstance(choices, Constant) and isinstance(choices.value, tuple):
            forms = likeness.among(choices.value, *term.operands)
            return membership(left, choices.value, name == "in", fail, forms)
        compare = likeness.comparator(name, *term.operands)

        def run(frame: Frame) -> bool:
            one, other = left(frame), right(frame)
            try:
                return compare(frame, one, other)
            except FAULTS as fault:
                fail(fault)

        return run

    # -- logic

    def _logical(self, term: LogicalTerm) -> Closure:
        operands = tuple(self.closure(operand) for operand in term.operands)
        stops_at = term.word == "or"

        def run(frame: Frame) -> Value:
            value: Any = not stops_at
            unknown: RuleError | None = None
            for operand in operands:
                try:
                    value = operand(frame)
                except RuleError as error:
                    unknown = unknown or hangs_on(error)
                    continue
                if bool(value) is stops_at:
                    return value  # type: ignore[no-any-return]  # what an operand gave
            if unknown is not None:
                raise unknown
            return value  # type: ignore[no-any-return]

        return run

    def _negation(self, term: NegationTerm) -> Closure:
        operand = self.closure(term.operand)
        return lambda frame: not operand(frame)

    def _conditional(self, term: ConditionalTerm) -> Closure:
        test, then, otherwise = (self.closure(part) for part in term.children)

        def run(frame: Frame) -> Value:
            try:
                chosen = then if test(frame) else otherwise
            except RuleError as error:
                unknown = hangs_on(error)
                value: Value = then(frame)
                if value.__class__ is not (other := otherwise(frame)).__class__ or value != other:
                    raise unknown from None
                return value
            value = chosen(frame)
            return value

        return run

    def _collection(self, term: CollectionTerm) -> Closure:
        items = tuple(self.closure(item) for item in term.items)
        return lambda frame: tuple(item(frame) for item in items)

    # -- questions over images and items

    def _quantifier(self, term: Quantifier) -> Closure:
        condition = self.closure(term.condition)
        if self._trace is not None:
            condition = _forgetting(term.condition, condition, self._trace)
        cost = sum(map(_cost, every_part(term.condition)))
        question = ImageQuestion(term, condition, cost, self._failure(term), _noting(term, self._trace))
        return over_images(question) if term.over is None else over_items(question, self.closure(term.over))

    def _failure(self, term: Term, operands: Iterable[Term] | None = None) -> Fail:
        """Return what makes a `RuleError` at this term of whatever went wrong in it."""
        place = TextPlace(self._text, term.start, term.end)
        parts = tuple(term.children if operands is None else operands)

        def fail(error: Exception) -> Never:
            fault = as_fault(error)
            sources = tuple(TextPlace(place.text, part.start, part.end).source for part in parts)
            raise RuleError(fault.code, fault.message, advice_of(fault, sources), place) from None

        return fail


def _cost(term: Term) -> int:
    return term.bound.cost if isinstance(term, Operation) else _COSTS.get(type(term), _OTHER_COST)


def advice_of(fault: Fault, sources: tuple[str, ...]) -> str:
    """Return a fault's advice; `sources` are the texts of the operands."""
    if fault.advice or fault.wrap is None or fault.wrap[0] >= len(sources):
        return fault.advice
    operand, function = fault.wrap
    return f"write {function}({sources[operand]})"


def every_part(term: Term) -> Iterable[Term]:
    """Yield a term and all below it."""
    yield term
    for child in term.children:
        yield from every_part(child)


def _recorded(term: Term, run: Closure, trace: Trace) -> Closure:
    name = id(term)

    def traced(frame: Frame) -> Value:
        try:
            value: Value = run(frame)
        except RuleError as error:
            trace.values[name] = error
            raise
        trace.values[name] = value
        return value

    return traced


def _forgetting(term: Term, run: Closure, trace: Trace) -> Closure:
    """Forget the values of the image before, so that an explanation shows those of one image only."""
    names = tuple(id(part) for part in every_part(term))

    def fresh(frame: Frame) -> Value:
        for name in names:
            trace.values.pop(name, None)
        value: Value = run(frame)
        return value

    return fresh


def _noting(term: Term, trace: Trace | None) -> Note:
    """Return what keeps where a question over many was decided."""

    def note(what: str, stopped: int | None, count: int) -> None:
        if trace is None:
            return
        if not count:
            trace.notes[id(term)] = f"there is no {what}"
        elif stopped is None:
            trace.notes[id(term)] = f"the same for each {what} of {count:,}; one of them is shown"
        else:
            trace.notes[id(term)] = f"decided by {what} {stopped + 1:,} of {count:,}, which is shown"

    return note


_BUILDERS: Final[dict[type[Term], Callable[[_Compiler, Any], Closure]]] = {
    Constant: _Compiler._constant,
    TagValue: _Compiler._tag,
    Operation: _Compiler._operation,
    ComparisonTerm: _Compiler._comparison,
    LogicalTerm: _Compiler._logical,
    NegationTerm: _Compiler._negation,
    ConditionalTerm: _Compiler._conditional,
    CollectionTerm: _Compiler._collection,
    Quantifier: _Compiler._quantifier,
}
