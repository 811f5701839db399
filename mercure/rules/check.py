"""Check of a rule before any image comes: what is wrong with it, or looks wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mercure.rules.closures import guard, guards
from mercure.rules.compiler import advice_of, compile_term
from mercure.rules.errors import Code, Diagnostic, Fault, RuleError, TextPlace
from mercure.rules.frame import Frame
from mercure.rules.impossible import never_true
from mercure.rules.keywords import NUMERIC_VRS, vr_of
from mercure.rules.kinds import ValueKind, incomparable, kind_name, kind_of, mismatch, union
from mercure.rules.likeness import vr_between
from mercure.rules.moments import MOMENTS
from mercure.rules.operators import Operator, comparable
from mercure.rules.record import ImageRecords
from mercure.rules.rule import compile_rule
from mercure.rules.signature import Function
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

_ORDERS: Final = frozenset({"<", "<=", ">", ">="})


def check(text: str) -> list[Diagnostic]:
    """Check a rule.

    Parameters
    ----------
    text : str
        The rule; anything is allowed.

    Returns
    -------
    list of Diagnostic
        Errors, with which it must not be saved, and warnings, in the order of their places. Syntax, unknown names,
        functions and keywords, kinds of values that do not go together, parts that are always true, rules that never
        are. Of a rule that cannot be parsed, only the first error.
    """
    try:
        rule = compile_rule(text)
    except RuleError as error:
        return [error.finding()]
    found = [*rule.findings, *_Checker(text).findings(rule.term)]
    if not any(finding.severity == "error" for finding in found):
        found += _as_a_whole(text, rule.term)
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.place.start, finding.place.end))


def _as_a_whole(text: str, term: Term) -> Iterator[Diagnostic]:
    place = TextPlace(text, term.start, term.end)
    if never_true(term):
        yield Diagnostic("warning", "never-true", "this rule can never be true", "", place)
    elif term.reads.nothing and not (isinstance(term, Constant) and term.value is True):
        advice = "to take every image, write True"
        yield Diagnostic(
            "warning", "constant", "this rule does not depend on the image: it is always true", advice, place
        )


class _Checker:
    """One pass over the terms of one rule, with the kinds that each can have."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Diagnostic] = []

    def findings(self, term: Term) -> list[Diagnostic]:
        self._kinds(term)
        return self._found

    def _kinds(self, term: Term) -> ValueKind:
        kinds = _VISITORS[type(term)](self, term)
        return kinds or ValueKind.ANY

    def _constant(self, term: Constant) -> ValueKind:
        return kind_of(term.value)

    def _tag(self, _term: TagValue) -> ValueKind:
        return ValueKind.TEXT

    def _operation(self, term: Operation) -> ValueKind:
        kinds = tuple(self._kinds(operand) for operand in term.operands)
        if term.reads.nothing:
            self._try(term)
        if isinstance(term.function, Operator):
            return self._operator(term, term.function, kinds)
        self._arguments(term, term.function, kinds)
        return term.function.result_of(kinds)

    def _operator(self, term: Operation, operator: Operator, kinds: tuple[ValueKind, ...]) -> ValueKind:
        result = operator.result(kinds)
        if result is None:
            self._fault(term, operator.fault(kinds), term.operands)
        elif operator.name == "*" and ValueKind.TEXT in result and any(map(_is_numeric_tag, term.operands)):
            self._warn("as-text", term, "this repeats the text of a number", "write number(…) around the tag")
        return result or ValueKind.ANY

    def _arguments(self, term: Operation, function: Function, kinds: tuple[ValueKind, ...]) -> None:
        if function.name == "between":
            self._moments(term, term.operands, as_error=True)
        checks = guards(function, len(kinds) - len(term.names)) + [guard(function, name) for name in term.names]
        for number, (kind, each) in enumerate(zip(kinds, checks, strict=True)):
            wanted = (
                each[2] | (ValueKind.TRUTH if ValueKind.NUMBER in each[2] else ValueKind(0)) if each else ValueKind.ANY
            )
            if each and not kind & wanted:
                self._fault(term, mismatch(each[1], kind, each[2], number), term.operands)
            elif number and function.alike and not kind & ValueKind.LIST and not comparable(kinds[0], kind):
                self._fault(term, incomparable(kinds[0], kind, (0, number)), term.operands)

    def _try(self, term: Operation) -> None:
        """Find out whether an operation that depends on nothing fails."""
        try:
            compile_term(self._text, term)(Frame(ImageRecords([])))
        except RuleError as error:
            self._add(error.finding())

    # -- comparisons

    def _comparison(self, term: ComparisonTerm) -> ValueKind:
        kinds = [self._kinds(operand) for operand in term.operands]
        for number, comparator in enumerate(term.comparators):
            left, right = term.operands[number : number + 2]
            if comparator in {"in", "not in"}:
                self._membership(term, left, right, kinds[number], kinds[number + 1])
            elif not comparable(kinds[number], kinds[number + 1]):
                self._fault(term, incomparable(kinds[number], kinds[number + 1]), (left, right))
            elif comparator in _ORDERS:
                self._order(term, left, right, kinds[number : number + 2])
            if comparator not in {"in", "not in"}:
                self._moments(term, (left, right), as_error=comparator in _ORDERS)
        return ValueKind.TRUTH

    def _moments(self, term: Term, operands: tuple[Term, ...], *, as_error: bool) -> None:
        """Find what a date, time or age is compared with, and is none: it is never the same, nor before or after."""
        vr = vr_between(*operands)
        for operand in operands if vr in MOMENTS else ():
            value = operand.value if isinstance(operand, Constant) else ""
            if isinstance(value, str) and value and MOMENTS[vr][0](value) is None:
                message = f"the tag is compared with what is no {MOMENTS[vr][1]}"
                if as_error:
                    self._fault(operand, Fault("value", message), ())
                else:
                    self._warn("value", operand, message, "")

    def _membership(self, term: ComparisonTerm, left: Term, right: Term, one: ValueKind, other: ValueKind) -> None:
        if not other & (ValueKind.TEXT | ValueKind.LIST):
            self._fault(term, Fault("type", f"in needs a text or a list on its right, not {kind_name(other)}"), ())
        elif other == ValueKind.TEXT and not one & ValueKind.TEXT:
            fault = Fault("type", f"a text holds texts, not {kind_name(one)}", wrap=(0, "str"))
            self._fault(term, fault, (left, right))
        elif isinstance(right, Constant) and isinstance(right.value, tuple) and right.value:
            listed = union(kind_of(value) for value in right.value)
            if not comparable(one, listed):
                self._fault(term, incomparable(one, listed), (left, right))

    def _order(self, term: ComparisonTerm, left: Term, right: Term, kinds: list[ValueKind]) -> None:
        if kinds == [ValueKind.TEXT, ValueKind.TEXT] and (_is_numeric_tag(left) or _is_numeric_tag(right)):
            message = 'these are compared as texts, in which "10" comes before "9"'
            self._warn("as-text", term, message, "write number(…) around both sides")

    # -- logic

    def _logical(self, term: LogicalTerm) -> ValueKind:
        kinds = [self._kinds(operand) for operand in term.operands]
        for operand in term.operands:
            if isinstance(operand, Constant):
                self._constant_part(term, operand)
        return union(kinds)

    def _constant_part(self, term: LogicalTerm, operand: Constant) -> None:
        advice = ""
        if isinstance(operand.value, str | int | float) and not isinstance(operand.value, bool):
            compared = next((each for each in term.operands if isinstance(each, ComparisonTerm)), None)
            subject = TextPlace(self._text, compared.operands[0].start, compared.operands[0].end) if compared else None
            advice = f"compare it too, or write {subject.source if subject else 'tags.Keyword'} in [first, second]"
        message = f"this part is always {'true' if operand.value else 'false'}"
        self._warn("constant", operand, message, advice)

    def _negation(self, term: NegationTerm) -> ValueKind:
        self._kinds(term.operand)
        return ValueKind.TRUTH

    def _conditional(self, term: ConditionalTerm) -> ValueKind:
        self._kinds(term.test)
        return self._kinds(term.then) | self._kinds(term.otherwise)

    def _collection(self, term: CollectionTerm) -> ValueKind:
        for item in term.items:
            self._kinds(item)
        return ValueKind.LIST

    def _quantifier(self, term: Quantifier) -> ValueKind:
        if term.over is not None:
            kinds = self._kinds(term.over)
            if not kinds & ValueKind.SEQUENCE:
                fault = mismatch(f"what .{term.word}(…) looks at", kinds, ValueKind.SEQUENCE, 0)
                self._fault(term, fault, (term.over,))
        self._kinds(term.condition)
        return ValueKind.TRUTH

    # -- keeping what was found

    def _add(self, finding: Diagnostic) -> None:
        self._found.append(finding)

    def _fault(self, term: Term, fault: Fault, operands: Iterable[Term]) -> None:
        sources = tuple(TextPlace(self._text, operand.start, operand.end).source for operand in operands)
        place = TextPlace(self._text, term.start, term.end)
        self._add(RuleError(fault.code, fault.message, advice_of(fault, sources), place).finding())

    def _warn(self, code: Code, term: Term, message: str, advice: str) -> None:
        self._add(Diagnostic("warning", code, message, advice, TextPlace(self._text, term.start, term.end)))


def _is_numeric_tag(term: Term) -> bool:
    return isinstance(term, TagValue) and vr_of(term.keyword) in NUMERIC_VRS


_VISITORS: Final[dict[type[Term], Callable[[_Checker, Any], ValueKind]]] = {
    Constant: _Checker._constant,
    TagValue: _Checker._tag,
    Operation: _Checker._operation,
    ComparisonTerm: _Checker._comparison,
    LogicalTerm: _Checker._logical,
    NegationTerm: _Checker._negation,
    ConditionalTerm: _Checker._conditional,
    CollectionTerm: _Checker._collection,
    Quantifier: _Checker._quantifier,
}
