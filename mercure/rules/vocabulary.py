"""Vocabulary of the language: functions, methods, attributes, and what ``images`` and sequences offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from mercure.rules import helpers, texts
from mercure.rules.builtin import BUILTINS
from mercure.rules.errors import Fault
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value, ValueKind
from mercure.rules.pythonic import PYTHONIC
from mercure.rules.record import Items, TagView, as_text
from mercure.rules.signature import BoundCall, Function, Parameter, Reads, plain
from mercure.rules.tags import is_present, raw_of, spelled
from mercure.rules.texts import charge_new

FUNCTIONS: Final[dict[str, Function]] = BUILTINS | PYTHONIC | helpers.HELPERS

METHODS: Final[dict[str, Function]] = texts.METHODS | {
    "is_integer": plain(
        "is_integer",
        (Parameter("number", ValueKind.NUMERIC),),
        ValueKind.TRUTH,
        lambda _frame, value: float(value).is_integer(),
    ),
    "weekday": plain(
        "weekday", (Parameter("date", ValueKind.DATE),), ValueKind.NUMBER, lambda _frame, value: int(value.weekday())
    ),
    "bit_length": plain(
        "bit_length",
        (Parameter("number", ValueKind.NUMERIC),),
        ValueKind.NUMBER,
        lambda _frame, value: int(value).bit_length(),
    ),
    "values": helpers.ITEM_VALUES,
}
"""Methods of texts, lists, numbers, dates and sequences."""


def _part_of_date(name: str, read: Callable[[date], int]) -> Function:
    return plain(name, (Parameter("date", ValueKind.DATE),), ValueKind.NUMBER, lambda _frame, value: read(value))


ATTRIBUTES: Final[dict[str, Function]] = {
    "count": plain(
        "count", (Parameter("sequence", ValueKind.SEQUENCE),), ValueKind.NUMBER, lambda _frame, items: items.count
    ),
    "year": _part_of_date("year", lambda day: day.year),
    "month": _part_of_date("month", lambda day: day.month),
    "day": _part_of_date("day", lambda day: day.day),
}
"""What stands after a dot without brackets: of sequences and dates."""

TAG_COUNT: Final = Function(
    "len(tags)",
    (),
    ValueKind.NUMBER,
    lambda _literals: BoundCall(lambda frame: len(frame.tags.record), Reads(more=True)),
    "number of tags of the image",
)

QUANTIFIERS: Final = ("any", "all")
"""The condition on each image, or on each item of a sequence."""


def item_tag(keyword: str) -> Function:
    """Return the function that reads a tag of an item which an index gave: ``sequence("X")[0].Keyword``."""
    key = spelled(keyword)
    bound = BoundCall(lambda _frame, item: as_text(key, raw_of(item, key)))
    return Function(f".{key}", (Parameter("item", ValueKind.ITEM),), ValueKind.TEXT, lambda _literals: bound)


def presence(keyword: str) -> Function:
    """Return the function behind ``"Keyword" in tags``."""
    key = spelled(keyword)
    bound = BoundCall(lambda frame: is_present(frame.tags, key), Reads(frozenset({key})))
    return Function(f"{key} in tags", (), ValueKind.TRUTH, lambda _literals: bound)


@dataclass(frozen=True, slots=True)
class _Sliced:
    """Which parts of ``[first:last:step]`` are given."""

    first: bool
    last: bool
    step: bool

    def __call__(self, frame: Frame, value: str | tuple[Value, ...], *given: int) -> Value:
        rest = iter(given)
        parts = [next(rest) if there else None for there in (self.first, self.last, self.step)]
        if parts[2] == 0:
            raise Fault("value", "the step of a slice cannot be 0")
        if isinstance(value, str):
            charge_new(frame, value)
        else:
            frame.room(len(value) * 8)
        return value[slice(*parts)]


def _element(_frame: Frame, value: str | tuple[Value, ...] | Items, index: int) -> Value:
    if isinstance(value, Items):
        return TagView(value.records[index])
    return value[index]


def _kind_of_element(kinds: tuple[ValueKind, ...]) -> ValueKind:
    found = ValueKind(0)
    if kinds[0] & ValueKind.TEXT:
        found |= ValueKind.TEXT
    if kinds[0] & ValueKind.LIST:
        found |= ValueKind.PLAIN | ValueKind.LIST
    if kinds[0] & ValueKind.SEQUENCE:
        found |= ValueKind.ITEM
    return found


INDEX: Final = plain(
    "[]",
    (Parameter("value", ValueKind.TEXT | ValueKind.LIST | ValueKind.SEQUENCE), Parameter("index", ValueKind.NUMBER)),
    _kind_of_element,
    _element,
)


def slicing(first: bool, last: bool, step: bool) -> Function:
    """Return the function behind a slice of which some parts are given."""
    bounds = tuple(
        Parameter(name, ValueKind.NUMBER) for name, there in (("first", first), ("last", last), ("step", step)) if there
    )
    name = f"[{'f' * first}:{'l' * last}:{'s' * step}]"
    sliced: Any = _Sliced(first, last, step)
    return plain(
        name,
        (Parameter("value", ValueKind.TEXT | ValueKind.LIST), *bounds),
        lambda kinds: kinds[0] & (ValueKind.TEXT | ValueKind.LIST),
        sliced,
    )
