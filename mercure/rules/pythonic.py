"""Further functions of Python, as rules of other mercure installations use them; each with its bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from mercure.rules.closures import guards
from mercure.rules.errors import Fault
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value, ValueKind, classes_of, kind_of, mismatch
from mercure.rules.numbers import Number, bounded, power, to_text
from mercure.rules.signature import BoundCall, Function, Parameter, plain
from mercure.rules.texts import charge_new, charge_scan

CONSTANTS: Final = {"pi": math.pi, "e": math.e}

_MOST: Final = 10_000
"""Values of a list that a function makes."""
_LARGEST_FACTORIAL: Final = 57
"""Those of greater numbers have more bits than a number may have."""
_SPEC: Final = re.compile(r"(?:[^{}]?[<>=^])?[-+ ]?#?0?\d{0,3},?(?:\.\d{1,2})?[bdeEfFgGnosxX%]?")


def listed(frame: Frame, value: str | tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the values of a list, or the characters of a text.

    Raises
    ------
    Fault
        They are too many.
    """
    if isinstance(value, str):
        if len(value) > _MOST:
            raise Fault("limit", f"a list has at most {_MOST:,} values")
        frame.work(len(value) * 30)
        frame.room(len(value) * 8)
    return tuple(value)


def _distinct(frame: Frame, *values: str | tuple[Value, ...]) -> tuple[Value, ...]:
    found = listed(frame, values[0]) if values else ()
    frame.work(len(found) * 100)
    return tuple(dict.fromkeys(found))


def _list(frame: Frame, *values: str | tuple[Value, ...]) -> tuple[Value, ...]:
    return listed(frame, values[0]) if values else ()


def _range(frame: Frame, *bounds: Number) -> tuple[Value, ...]:
    numbers = range(*(_whole(bound) for bound in bounds))
    if len(numbers) > _MOST:
        raise Fault("limit", f"a range has at most {_MOST:,} numbers", "compare with < and > instead")
    frame.work(len(numbers) * 30)
    frame.room(len(numbers) * 40)
    return tuple(numbers)


def _whole(value: Number) -> int:
    if not isinstance(value, int):
        raise Fault("type", "this takes whole numbers", "write int(…)")
    return value


def _enumerate(frame: Frame, value: str | tuple[Value, ...], start: Number = 0) -> tuple[Value, ...]:
    found = listed(frame, value)
    frame.room(len(found) * 70)
    return tuple(enumerate(found, _whole(start)))


def _zip(frame: Frame, *lists: str | tuple[Value, ...]) -> tuple[Value, ...]:
    all_listed = [listed(frame, each) for each in lists]
    frame.room(sum(map(len, all_listed)) * 60)
    return tuple(zip(*all_listed, strict=False))


def _pow(frame: Frame, base: Number, exponent: Number, *modulus: Number) -> Number:
    if modulus:
        return pow(_whole(base), _whole(exponent), _whole(modulus[0]))
    return power(frame, base, exponent)


def _factorial(_frame: Frame, value: Number) -> Number:
    if _whole(value) > _LARGEST_FACTORIAL:
        raise Fault("limit", f"the factorial is at most that of {_LARGEST_FACTORIAL}")
    return math.factorial(_whole(value))


def _rounding(function: Callable[[float], int]) -> Callable[[Frame, Number], Number]:
    return lambda _frame, value: bounded(function(value))


def _real(function: Callable[..., Number]) -> Callable[..., Number]:
    return lambda _frame, *values: function(*values)


def _in_base(function: Callable[[int], str]) -> Callable[[Frame, Number], str]:
    return lambda _frame, value: function(_whole(value))


def _format(frame: Frame, value: Value, spec: str = "") -> str:
    if not _SPEC.fullmatch(spec):
        raise Fault("value", "this is no format such as .2f or 03d")
    if isinstance(value, str):
        charge_new(frame, value)
    return format(value, spec)


def _repr(frame: Frame, value: Value) -> str:
    if isinstance(value, str):
        charge_new(frame, value, 4)
        charge_scan(frame, value, 20)
        return repr(value)
    return to_text(frame, value)


def over_each(word: str, inner: Function | None) -> Function:
    """Return ``map(inner, list)`` or ``filter(inner, list)`` for a function of one value; None keeps what is true."""
    check = guards(inner, 1)[0] if inner is not None else None
    call = inner.bind(()).call if inner is not None else lambda _frame, value: value
    cost = inner.bind(()).cost if inner is not None else 50

    def run(frame: Frame, value: str | tuple[Value, ...]) -> tuple[Value, ...]:
        found = listed(frame, value)
        frame.work(len(found) * (cost + 200))
        frame.room(len(found) * 60)
        made = []
        for each in found:
            if check is not None and each.__class__ not in check[0]:
                raise mismatch(check[1], kind_of(each), check[2], 0)
            made.append((each, call(frame, each)))
        return tuple(each for each, kept in made if kept) if word == "filter" else tuple(of for _, of in made)

    name = f"{word}({inner.name if inner is not None else 'None'}, list)"
    bound = BoundCall(run, cost=2000)
    return Function(name, (_VALUES,), ValueKind.LIST, lambda _literals: bound)


def takes_one(function: Function) -> bool:
    """Return whether a function can be called with one value that is no written-out text."""
    first, *others = function.parameters or (Parameter("", literal=True),)
    return not first.literal and all(other.optional or other.many for other in others) and bool(classes_of(first.kinds))


_VALUES: Final = Parameter("list", ValueKind.TEXT | ValueKind.LIST)
_SOME: Final = Parameter("list", ValueKind.TEXT | ValueKind.LIST, optional=True)
_NUMBER: Final = Parameter("number", ValueKind.NUMERIC)
_OTHER: Final = Parameter("other", ValueKind.NUMERIC, optional=True)
_MATH: Final[dict[str, Callable[..., Number]]] = {
    "sqrt": math.sqrt, "log10": math.log10, "log2": math.log2, "exp": math.exp, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan, "fabs": math.fabs,
}  # fmt: skip

PYTHONIC: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        *(
            plain(name, (_NUMBER,), ValueKind.NUMBER, _real(call), "as in Python's math")
            for name, call in _MATH.items()
        ),
        plain("log", (_NUMBER, _OTHER), ValueKind.NUMBER, _real(math.log), "the logarithm, to base e or another"),
        plain(
            "atan2",
            (_NUMBER, Parameter("x", ValueKind.NUMERIC)),
            ValueKind.NUMBER,
            _real(math.atan2),
            "as in Python's math",
        ),
        plain("ceil", (_NUMBER,), ValueKind.NUMBER, _rounding(math.ceil), "the next whole number upwards"),
        plain("floor", (_NUMBER,), ValueKind.NUMBER, _rounding(math.floor), "the next whole number downwards"),
        plain("trunc", (_NUMBER,), ValueKind.NUMBER, _rounding(math.trunc), "the number without its fraction"),
        plain("isnan", (_NUMBER,), ValueKind.TRUTH, lambda _frame, value: math.isnan(value), "it is no number"),
        plain("isinf", (_NUMBER,), ValueKind.TRUTH, lambda _frame, value: math.isinf(value), "it is infinite"),
        plain("factorial", (_NUMBER,), ValueKind.NUMBER, _factorial, "the product of all numbers from 1"),
        plain("pow", (_NUMBER, Parameter("exponent", ValueKind.NUMERIC), _OTHER), ValueKind.NUMBER, _pow, "as **"),
        plain(
            "divmod",
            (_NUMBER, Parameter("other", ValueKind.NUMERIC)),
            ValueKind.LIST,
            lambda _frame, one, other: divmod(one, other),
            "quotient and remainder",
        ),
        plain("list", (_SOME,), ValueKind.LIST, _list, "a list, or the characters of a text"),
        plain("tuple", (_SOME,), ValueKind.LIST, _list, "the same as list"),
        plain("set", (_SOME,), ValueKind.LIST, _distinct, "the different values of a list"),
        plain("frozenset", (_SOME,), ValueKind.LIST, _distinct, "the same as set"),
        plain("reversed", (_VALUES,), ValueKind.LIST, lambda frame, value: listed(frame, value)[::-1], "backwards"),
        plain(
            "range",
            (_NUMBER, _OTHER, Parameter("step", ValueKind.NUMERIC, optional=True)),
            ValueKind.LIST,
            _range,
            "numbers",
        ),
        plain(
            "enumerate",
            (_VALUES, Parameter("start", ValueKind.NUMBER, optional=True)),
            ValueKind.LIST,
            _enumerate,
            "numbered",
        ),
        plain(
            "zip",
            (Parameter("list", ValueKind.TEXT | ValueKind.LIST, many=True),),
            ValueKind.LIST,
            _zip,
            "lists side by side",
        ),
        plain("chr", (_NUMBER,), ValueKind.TEXT, lambda _frame, value: chr(_whole(value)), "the character of a number"),
        plain("ord", (Parameter("text", ValueKind.TEXT),), ValueKind.NUMBER, lambda _f, text: ord(text), "its number"),
        plain("hex", (_NUMBER,), ValueKind.TEXT, _in_base(hex), "a whole number to base 16"),
        plain("oct", (_NUMBER,), ValueKind.TEXT, _in_base(oct), "a whole number to base 8"),
        plain("bin", (_NUMBER,), ValueKind.TEXT, _in_base(bin), "a whole number to base 2"),
        plain(
            "format",
            (
                Parameter("value", ValueKind.TEXT | ValueKind.NUMERIC),
                Parameter("format", ValueKind.TEXT, optional=True),
            ),
            ValueKind.TEXT,
            _format,
            "a value in a format such as .2f",
        ),
        plain(
            "repr", (Parameter("value", ValueKind.PLAIN),), ValueKind.TEXT, _repr, "a value as it is written in a rule"
        ),
    )
}
"""By their names."""
