"""Kinds of values in a rule, and the messages for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import Flag, auto
from functools import reduce
from operator import or_
from typing import Final

from mercure.printable import quoted
from mercure.rules.errors import Fault
from mercure.rules.record import Items, TagView

Value = str | int | float | bool | date | tuple["Value", ...] | Items | TagView
"""What an expression can be. A list is a tuple, because nothing in a rule changes a value."""


class ValueKind(Flag):
    """The kinds of values; a combination stands for "one of these"."""

    TEXT = auto()
    NUMBER = auto()
    TRUTH = auto()
    DATE = auto()
    LIST = auto()
    SEQUENCE = auto()
    ITEM = auto()
    NUMERIC = NUMBER | TRUTH
    PLAIN = TEXT | NUMBER | TRUTH | DATE
    ANY = TEXT | NUMBER | TRUTH | DATE | LIST | SEQUENCE | ITEM


CLASSES: Final[dict[ValueKind, tuple[type, ...]]] = {
    ValueKind.TEXT: (str,),
    ValueKind.NUMBER: (int, float),
    ValueKind.TRUTH: (bool,),
    ValueKind.DATE: (date,),
    ValueKind.LIST: (tuple,),
    ValueKind.SEQUENCE: (Items,),
    ValueKind.ITEM: (TagView,),
}
_KIND_OF: Final = {cls: kind for kind, classes in CLASSES.items() for cls in classes}
_NAMES: Final = {
    ValueKind.TEXT: "a text",
    ValueKind.NUMBER: "a number",
    ValueKind.TRUTH: "True or False",
    ValueKind.DATE: "a date",
    ValueKind.LIST: "a list",
    ValueKind.SEQUENCE: "a sequence",
    ValueKind.ITEM: "an item of a sequence",
}
_CONVERSIONS: Final = {
    (ValueKind.TEXT, ValueKind.NUMBER): "number",
    (ValueKind.TEXT, ValueKind.DATE): "date",
    (ValueKind.NUMBER, ValueKind.TEXT): "str",
}
_SHOWN: Final = 40


def kind_of(value: Value) -> ValueKind:
    """Return the kind of a value."""
    return _KIND_OF[value.__class__]


def union(kinds: Iterable[ValueKind]) -> ValueKind:
    """Return "one of all these"."""
    return reduce(or_, kinds, ValueKind(0))


def classes_of(kinds: ValueKind) -> frozenset[type]:
    """Return the Python classes of the values of some kinds."""
    return frozenset(cls for kind, classes in CLASSES.items() if kind & kinds for cls in classes)


def kind_name(kinds: ValueKind) -> str:
    """Name kinds in words: ``a number or a date``."""
    return " or ".join(name for kind, name in _NAMES.items() if kind & kinds)


def shown(value: Value, limit: int = _SHOWN) -> str:
    """Write a value for people: on one line, with escapes, bounded in length."""
    if isinstance(value, str):
        return quoted(value, limit)
    if isinstance(value, tuple):
        inner, used = [], 0
        for item in value:
            inner.append(shown(item, limit))
            used += len(inner[-1])
            if used > limit:
                break
        more = f", … ({len(value):,} values)" if len(inner) < len(value) else ""
        return f"[{', '.join(inner)}{more}]"
    if isinstance(value, Items):
        return f"a sequence of {value.count:,}"
    if isinstance(value, TagView):
        return f"an item with {len(value.record):,} tags"
    return f"{value:g}" if isinstance(value, float) else str(value)


def conversion(found: ValueKind, wanted: ValueKind) -> str:
    """Return the name of the function that makes one kind of another, or an empty text."""
    for (source, target), function in _CONVERSIONS.items():
        if found & source and wanted & target:
            return function
    return ""


def mismatch(what: str, found: ValueKind, wanted: ValueKind, operand: int) -> Fault:
    """Make the fault of a value of the wrong kind.

    Parameters
    ----------
    what : str
        The thing that wants it: ``between: high``.
    found, wanted : ValueKind
        Which kind came, and which are right.
    operand : int
        Number of the operand among those of the operation, for the advice.
    """
    function = conversion(found, wanted)
    message = f"{what} must be {kind_name(wanted)}, and this is {kind_name(found)}"
    return Fault("type", message, wrap=(operand, function) if function else None)


def incomparable(left: ValueKind, right: ValueKind, operands: tuple[int, int] = (0, 1)) -> Fault:
    """Make the fault of comparing two values of kinds that have nothing in common.

    `operands` are their numbers among those of the operation, for the advice.
    """
    advice = ""
    wrap = None
    if ValueKind.LIST in {left, right}:
        advice = "ask whether a value is in a list with: value in list"
    elif ValueKind.TRUTH in {left, right}:
        advice = "True and False stand for themselves: leave out the comparison, or put not before it"
    elif ValueKind.TEXT in {left, right}:
        text, other = (operands[0], right) if left == ValueKind.TEXT else (operands[1], left)
        function = conversion(ValueKind.TEXT, other)
        wrap = (text, function) if function else None
    message = f"{kind_name(left)} cannot be compared with {kind_name(right)}"
    return Fault("type", message, advice, wrap)
