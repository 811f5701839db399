"""Built-in functions of Python that a rule may call, each with its bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.kinds import Value, ValueKind, incomparable, kind_name, kind_of, union
from mercure.rules.numbers import bounded, fraction, rounded, to_text, whole
from mercure.rules.record import Items
from mercure.rules.signature import Function, Parameter, plain


def _length(_frame: Frame, value: str | tuple[Value, ...] | Items) -> int:
    return value.count if isinstance(value, Items) else len(value)


def _sum(frame: Frame, values: tuple[Value, ...], start: int | float = 0) -> int | float:
    frame.work(len(values) * 60)
    total: int | float = start
    for value in values:
        if not isinstance(value, int | float):
            raise Fault("type", f"sum adds numbers, and the list holds {kind_name(kind_of(value))}", "write numbers(…)")
        total += value
    return bounded(total)


def _one_kind(frame: Frame, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Make sure that values can be put in order, and count the comparisons that it takes."""
    kinds = {ValueKind.NUMBER if isinstance(value, int | float) else kind_of(value) for value in values}
    if len(kinds) > 1:
        one, other = sorted(kinds, key=lambda kind: kind.value)[:2]
        raise incomparable(one, other)
    if kinds and not kinds <= {ValueKind.TEXT, ValueKind.NUMBER, ValueKind.DATE}:
        raise Fault("type", f"{kind_name(*kinds)} has no order")
    size = sum(len(value) for value in values if isinstance(value, str) and len(value) > FREE)
    frame.work((len(values) * 80 + size // 4) * max(1, len(values).bit_length()))
    return values


def _extreme(choose: Callable[[Any], Value]) -> Callable[..., Value]:
    def run(frame: Frame, *values: Value, default: Value | None = None) -> Value:
        if len(values) == 1:
            if not isinstance(values[0], tuple):
                raise Fault("type", "give a list, or several values")
            values = values[0]
        if values:
            return choose(_one_kind(frame, values))
        if default is None:
            raise Fault("value", "the list is empty", "give default=…")
        return default

    return run


def _sorted(frame: Frame, values: str | tuple[Value, ...], reverse: Value = False) -> tuple[Value, ...]:
    frame.work(len(values) * 30)
    ordered: list[Any] = list(_one_kind(frame, tuple(values)))
    frame.room(len(ordered) * 16)
    return tuple(sorted(ordered, reverse=bool(reverse)))


def _round(frame: Frame, value: int | float, *digits: int) -> int | float:
    return rounded(frame, value, *digits, given=bool(digits))


def _absolute(_frame: Frame, value: int | float) -> int | float:
    return math.fabs(value) if isinstance(value, float) else abs(value)


def _any(_frame: Frame, values: tuple[Value, ...]) -> bool:
    return any(values)


def _all(_frame: Frame, values: tuple[Value, ...]) -> bool:
    return all(values)


def _bool(_frame: Frame, value: Value) -> bool:
    return bool(value)


def _of_values(kinds: tuple[ValueKind, ...]) -> ValueKind:
    """Return what may be the least or greatest: one of the values, or whatever is in a list."""
    return ValueKind.PLAIN if ValueKind.LIST in union(kinds) else union(kinds) or ValueKind.PLAIN


_VALUES: Final = Parameter("value", ValueKind.PLAIN | ValueKind.LIST, many=True)
_DEFAULT: Final = Parameter("default", ValueKind.PLAIN, optional=True, named=True)
_LIST: Final = Parameter("list", ValueKind.LIST)
_SIZED: Final = Parameter("value", ValueKind.TEXT | ValueKind.LIST | ValueKind.SEQUENCE)

BUILTINS: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        plain("len", (_SIZED,), ValueKind.NUMBER, _length, "number of characters, values or items"),
        plain(
            "int",
            (
                Parameter("value", ValueKind.TEXT | ValueKind.NUMERIC),
                Parameter("base", ValueKind.NUMBER, optional=True),
            ),
            ValueKind.NUMBER,
            whole,
            "the whole number that a text writes, or a number without its fraction",
        ),
        plain(
            "float",
            (Parameter("value", ValueKind.TEXT | ValueKind.NUMERIC),),
            ValueKind.NUMBER,
            fraction,
            "a number of a text",
        ),
        plain("str", (Parameter("value", ValueKind.PLAIN),), ValueKind.TEXT, to_text, "a text of a number"),
        plain("bool", (Parameter("value"),), ValueKind.TRUTH, _bool, "False for 0 and whatever is empty"),
        plain("min", (_VALUES, _DEFAULT), _of_values, _extreme(min), "the least of a list, or of several values"),
        plain("max", (_VALUES, _DEFAULT), _of_values, _extreme(max), "the greatest of a list, or of several values"),
        plain(
            "abs", (Parameter("number", ValueKind.NUMERIC),), ValueKind.NUMBER, _absolute, "the number without its sign"
        ),
        plain(
            "sum",
            (_LIST, Parameter("start", ValueKind.NUMERIC, optional=True)),
            ValueKind.NUMBER,
            _sum,
            "the numbers of a list added up",
        ),
        plain("any", (_LIST,), ValueKind.TRUTH, _any, "True when one of the list is true"),
        plain("all", (_LIST,), ValueKind.TRUTH, _all, "True when none of the list is false"),
        plain(
            "sorted",
            (Parameter("list", ValueKind.TEXT | ValueKind.LIST), Parameter("reverse", ValueKind.TRUTH, optional=True)),
            ValueKind.LIST,
            _sorted,
            "the list in ascending order",
        ),
        plain(
            "round",
            (Parameter("number", ValueKind.NUMERIC), Parameter("ndigits", ValueKind.NUMBER, optional=True)),
            ValueKind.NUMBER,
            _round,
            "the number rounded, half to even",
        ),
    )
}
