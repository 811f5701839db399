"""Operators: which kinds of values they take, and what they do with them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from mercure.rules.dates import difference
from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.kinds import CLASSES, Value, ValueKind, conversion, incomparable, kind_name, kind_of
from mercure.rules.numbers import MAX_BITS, Number, bounded, power
from mercure.rules.signature import Call
from mercure.rules.texts import concatenate, contains, percent, repeat

Comparator = Callable[[Frame, Value, Value], bool]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of one or two operands.

    Parameters
    ----------
    name : str
        The sign.
    overloads : tuple of (kinds, result, call)
        What it does for which kinds of operands.
    """

    name: str
    overloads: tuple[tuple[tuple[ValueKind, ...], ValueKind, Call], ...]

    def table(self) -> dict[tuple[type, ...], Call]:
        """Return what to call by the classes of the operands."""
        found: dict[tuple[type, ...], Call] = {}
        for kinds, _, call in self.overloads:
            for classes in _product([_classes(kind) for kind in kinds]):
                found.setdefault(classes, call)
        return found

    def result(self, kinds: tuple[ValueKind, ...]) -> ValueKind | None:
        """Return what may come of operands of these kinds; None when nothing can."""
        found = ValueKind(0)
        for wanted, result, _ in self.overloads:
            if all(one & other for one, other in zip(kinds, wanted, strict=True)):
                found |= result
        return found or None

    def fault(self, kinds: tuple[ValueKind, ...]) -> Fault:
        """Make the fault of operands of the wrong kinds."""
        if self.name in _WORDS and ValueKind.TEXT in kinds:
            advice = f"write {_WORDS[self.name]}, or put both comparisons in brackets"
            return Fault("type", f"{self.name} joins truth values, not texts", advice)
        message = f"{self.name} cannot be applied to {' and '.join(map(kind_name, kinds))}"
        for wanted, _, _ in self.overloads:
            for operand, (found, needed) in enumerate(zip(kinds, wanted, strict=True)):
                others_fit = all(n == operand or kind & wanted[n] for n, kind in enumerate(kinds))
                if others_fit and not found & needed and conversion(found, needed):
                    return Fault("type", message, wrap=(operand, conversion(found, needed)))
        return Fault("type", message)


_WORDS: Final = {"|": "or", "&": "and"}


def _classes(kinds: ValueKind) -> list[type]:
    return [cls for kind, classes in CLASSES.items() if kind & kinds for cls in classes]


def _product(choices: list[list[type]]) -> list[tuple[type, ...]]:
    rows: list[tuple[type, ...]] = [()]
    for choice in choices:
        rows = [(*row, cls) for row in rows for cls in choice]
    return rows


def _numeric(function: Callable[[Number, Number], Number]) -> Call:
    return lambda _frame, left, right: bounded(function(left, right))


def _list_sum(frame: Frame, left: tuple[Value, ...], right: tuple[Value, ...]) -> tuple[Value, ...]:
    frame.room((len(left) + len(right)) * 8)
    return left + right


def _times(frame: Frame, text: str, times: Number) -> str:
    if not isinstance(times, int):
        raise Fault("type", "a text is repeated a whole number of times")
    return repeat(frame, text, max(0, times))


def _list_times(frame: Frame, values: tuple[Value, ...], times: Number) -> tuple[Value, ...]:
    if not isinstance(times, int):
        raise Fault("type", "a list is repeated a whole number of times")
    frame.room(len(values) * max(0, times) * 8)
    return values * times


_ON_NUMBERS: Final = (ValueKind.NUMERIC, ValueKind.NUMERIC)
_TRUTHS: Final = (ValueKind.TRUTH, ValueKind.TRUTH)


def _whole(function: Callable[[int, int], int]) -> Call:
    def run(_frame: Frame, left: Number, right: Number) -> Number:
        if not isinstance(left, int) or not isinstance(right, int):
            raise Fault("type", "bits are those of whole numbers", "to join conditions, write and or or")
        return bounded(function(left, right))

    return run


def _shifted(_frame: Frame, value: Number, bits: Number) -> Number:
    if not isinstance(value, int) or not isinstance(bits, int):
        raise Fault("type", "bits are those of whole numbers")
    if value.bit_length() + bits > MAX_BITS:
        raise Fault("limit", f"the result is a whole number of more than {MAX_BITS} bits")
    return value << bits


def _truth(function: Callable[[bool, bool], bool]) -> Call:
    return lambda _frame, left, right: function(left, right)


BINARY: Final[dict[str, Operator]] = {
    operator_.name: operator_
    for operator_ in (
        Operator(
            "+",
            (
                (_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.add)),
                ((ValueKind.TEXT, ValueKind.TEXT), ValueKind.TEXT, concatenate),
                ((ValueKind.LIST, ValueKind.LIST), ValueKind.LIST, _list_sum),
            ),
        ),
        Operator(
            "-",
            (
                (_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.sub)),
                ((ValueKind.DATE, ValueKind.DATE), ValueKind.NUMBER, difference),
            ),
        ),
        Operator(
            "*",
            (
                (_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.mul)),
                ((ValueKind.TEXT, ValueKind.NUMERIC), ValueKind.TEXT, _times),
                (
                    (ValueKind.NUMERIC, ValueKind.TEXT),
                    ValueKind.TEXT,
                    lambda frame, times, text: _times(frame, text, times),
                ),
                ((ValueKind.LIST, ValueKind.NUMERIC), ValueKind.LIST, _list_times),
                (
                    (ValueKind.NUMERIC, ValueKind.LIST),
                    ValueKind.LIST,
                    lambda frame, times, values: _list_times(frame, values, times),
                ),
            ),
        ),
        Operator("/", ((_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.truediv)),)),
        Operator("//", ((_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.floordiv)),)),
        Operator(
            "%",
            (
                (_ON_NUMBERS, ValueKind.NUMBER, _numeric(operator.mod)),
                ((ValueKind.TEXT, ValueKind.PLAIN | ValueKind.LIST), ValueKind.TEXT, percent),
            ),
        ),
        Operator("<<", ((_ON_NUMBERS, ValueKind.NUMBER, _shifted),)),
        Operator(">>", ((_ON_NUMBERS, ValueKind.NUMBER, _whole(operator.rshift)),)),
        Operator("**", ((_ON_NUMBERS, ValueKind.NUMBER, power),)),
        Operator(
            "|",
            ((_TRUTHS, ValueKind.TRUTH, _truth(operator.or_)), (_ON_NUMBERS, ValueKind.NUMBER, _whole(operator.or_))),
        ),
        Operator(
            "&",
            ((_TRUTHS, ValueKind.TRUTH, _truth(operator.and_)), (_ON_NUMBERS, ValueKind.NUMBER, _whole(operator.and_))),
        ),
        Operator(
            "^",
            ((_TRUTHS, ValueKind.TRUTH, _truth(operator.xor)), (_ON_NUMBERS, ValueKind.NUMBER, _whole(operator.xor))),
        ),
    )
}


def _inverted(value: Number) -> Number:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault("type", "bits are those of whole numbers", "to negate a condition, write not")
    return ~value


UNARY: Final[dict[str, Operator]] = {
    "-": Operator("-", (((ValueKind.NUMERIC,), ValueKind.NUMBER, lambda _frame, value: -value),)),
    "+": Operator("+", (((ValueKind.NUMERIC,), ValueKind.NUMBER, lambda _frame, value: +value),)),
    "~": Operator("~", (((ValueKind.NUMERIC,), ValueKind.NUMBER, lambda _frame, value: _inverted(value)),)),
}

_NUMBER_LIKE: Final = frozenset({int, float, bool})
_WITH_ORDER: Final = frozenset({str, date, *_NUMBER_LIKE})


def comparable(left: ValueKind, right: ValueKind) -> bool:
    """Return whether values of these kinds can be equal, or before one another."""
    return bool(left & right) or bool(left & ValueKind.NUMERIC and right & ValueKind.NUMERIC)


def same_sort(left: Value, right: Value) -> bool:
    """Return whether two values can be compared."""
    one, other = left.__class__, right.__class__
    return one is other or (one in _NUMBER_LIKE and other in _NUMBER_LIKE)


def equal(frame: Frame, left: Value, right: Value) -> bool:
    """Compare two values of one kind; anything else is a fault and not just unequal."""
    if left.__class__ is str and right.__class__ is str:
        if len(left) == len(right) > FREE:
            frame.work(len(left) // 4)
        return left == right
    if not same_sort(left, right):
        raise incomparable(kind_of(left), kind_of(right))
    return left == right


def _unequal(frame: Frame, left: Value, right: Value) -> bool:
    return not equal(frame, left, right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Comparator:
    def run(frame: Frame, left: Value, right: Value) -> bool:
        if not same_sort(left, right):
            raise incomparable(kind_of(left), kind_of(right))
        if isinstance(left, tuple) and isinstance(right, tuple):
            frame.work((len(left) + len(right)) * 50)
            return compare(left, right)
        if left.__class__ not in _WITH_ORDER:
            raise Fault("type", f"{kind_name(kind_of(left))} is not less or greater than another")
        if isinstance(left, str) and len(left) > FREE:
            frame.work(len(left) // 4)
        return compare(left, right)

    return run


def is_in(frame: Frame, value: Value, container: Value) -> bool:
    """Return whether a text holds another, or a list a value."""
    if container.__class__ is str and value.__class__ is str:
        return contains(frame, value, container)
    if isinstance(container, tuple):
        frame.work(len(container) * 20)
        if value in container:
            return True
        # Python finds no text among numbers and says no more; but then the question was wrong.
        for item in container:
            if not same_sort(value, item):
                raise incomparable(kind_of(value), kind_of(item))
        return False
    if isinstance(container, str):
        raise Fault("type", f"a text holds texts, not {kind_name(kind_of(value))}", wrap=(0, "str"))
    raise Fault("type", f"in needs a text or a list on its right, not {kind_name(kind_of(container))}")


COMPARATORS: Final[dict[str, Comparator]] = {
    "==": equal,
    "!=": _unequal,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": is_in,
    "not in": lambda frame, value, container: not is_in(frame, value, container),
}
