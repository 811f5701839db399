"""Likeness of texts: whether two mean the same value of a tag, by its value representation (PS3.5 section 6.2)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.keywords import NUMERIC_VRS, vr_of
from mercure.rules.kinds import Value
from mercure.rules.moments import MOMENTS, ordered
from mercure.rules.numbers import to_number
from mercure.rules.operators import COMPARATORS, Comparator, is_in
from mercure.rules.tags import spelled
from mercure.rules.terms import Operation, TagValue, Term
from mercure.rules.texts import fold

_BLANK: Final = " \0"
_PADDED: Final = frozenset({"AE", "CS", "LO", "SH", "UI"})
"""Blanks at their ends mean nothing."""
_READERS: Final = frozenset({"tags.get", "values", "images.values", "images.distinct"})
"""Functions that read the tag whose keyword they are given; all but the first give its values as a list."""
_ORDERS: Final[dict[str, Callable[..., bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

Same = Callable[[str, str], bool]


def vr_of_term(term: Term) -> str:
    """Return the value representation of the tag that a term reads, as one text or value by value; else empty."""
    if isinstance(term, TagValue):
        return vr_of(term.keyword)
    if not isinstance(term, Operation):
        return ""
    name = term.function.name
    if name == "[]" and _is_list_of_values(term.operands[0]):
        return vr_of_term(term.operands[0])
    if name.startswith("."):  # a tag of one item of a sequence
        return vr_of(name.removeprefix("."))
    return vr_of(spelled(term.literals[0])) if name in _READERS else ""


def _is_list_of_values(term: Term) -> bool:
    return isinstance(term, Operation) and term.function.name in _READERS - {"tags.get"}


def vr_between(*terms: Term) -> str:
    """Return by what value representation terms are compared: of a date and a date with a time, the latter."""
    found = [vr for vr in map(vr_of_term, terms) if vr]
    return "DT" if "DT" in found else next(iter(found), "")


def comparator(name: str, *terms: Term) -> Comparator:
    """Return what compares the values of two terms."""
    vr = vr_between(*terms)
    if name in _ORDERS:
        return _of_texts(ordered(vr, _ORDERS[name]), COMPARATORS[name]) if vr in MOMENTS else COMPARATORS[name]
    same = _same(vr)
    if same is None:
        return COMPARATORS[name]
    positive = name in {"==", "in"}
    if name in {"==", "!="}:
        equal = COMPARATORS["=="]
        return lambda frame, left, right: (equal(frame, left, right) or _alike(frame, same, left, right)) is positive
    return lambda frame, value, container: (_among(frame, same, value, container)) is positive


def function(name: str, terms: tuple[Term, ...]) -> Callable[..., Value] | None:
    """Return what stands for a function whose operands are tags of such a kind; None for the function itself."""
    make = _FUNCTIONS.get(name)
    vr = vr_between(*terms) if make is not None else ""
    return make(vr) if make is not None and vr else None


def is_written_variously(*terms: Term) -> bool:
    """Return whether values that mean the same are often not the same text: dates, times, ages, numbers, names."""
    vr = vr_between(*terms)
    return vr == "PN" or vr in MOMENTS or vr in NUMERIC_VRS


def among(choices: tuple[Value, ...], *terms: Term) -> Callable[[Frame, str], bool] | None:
    """Return what tells whether a text means one of some choices, each looked up by hash; None for the texts alone."""
    vr = vr_between(*terms)
    texts = [choice for choice in choices if isinstance(choice, str)]
    if vr == "PN":
        names = {significant(text) for text in texts}
        groups = {group for name in names for group in name} - {""}
        return lambda frame, text: _is_name_among(_counted(frame, text), names, groups)
    read = _reader(vr)
    if read is None:
        return None
    meant = {read(text) for text in texts} - {None}
    return lambda frame, text: read(_counted(frame, text)) in meant


def _counted(frame: Frame, text: str) -> str:
    if len(text) > FREE:
        frame.work(len(text) * 20)
    return text


def _is_name_among(text: str, names: set[tuple[str, ...]], groups: set[str]) -> bool:
    own = significant(text)
    if own in names or (len(own) == 1 and own[0] in groups):
        return True
    return any((group,) in names for group in own if group)


def _of_texts(texts: Callable[[Frame, str, str], bool], others: Comparator) -> Comparator:
    def run(frame: Frame, left: Value, right: Value) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return texts(frame, left, right)
        return others(frame, left, right)

    return run


def _alike(frame: Frame, same: Same, left: Value, right: Value) -> bool:
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    if len(left) + len(right) > FREE:
        frame.work((len(left) + len(right)) * 20)
    return same(left, right)


def _among(frame: Frame, same: Same, value: Value, container: Value) -> bool:
    if is_in(frame, value, container):
        return True
    if not isinstance(container, tuple):
        return False
    frame.work(len(container) * 1000)
    return any(_alike(frame, same, value, item) for item in container)


# -- when two texts are the same


@lru_cache(maxsize=64)
def _same(vr: str) -> Same | None:
    """Return what tells whether two different texts mean the same; None where they never do."""
    read = _reader(vr)
    return _same_name if vr == "PN" else None if read is None else _by(read)


def _reader(vr: str) -> Callable[[str], Any] | None:
    """Return what reads the meaning of a text; None where the text is all there is."""
    if vr in MOMENTS:
        return MOMENTS[vr][0]
    if vr in NUMERIC_VRS:
        return _number
    return _unpadded if vr in _PADDED else None


def _unpadded(text: str) -> str:
    return text.strip(_BLANK)


def _by(read: Callable[[str], Any]) -> Same:
    def run(left: str, right: str) -> bool:
        one = read(left)
        return one is not None and one == read(right)

    return run


def _number(text: str) -> float | None:
    try:
        return to_number(text)
    except Fault:
        return None


def _same_name(left: str, right: str) -> bool:
    """Compare two names of people; one of a single group may be any of the groups of the other."""
    one, other = significant(left), significant(right)
    if one == other:
        return True
    if len(one) > len(other):
        one, other = other, one
    return len(one) == 1 and bool(one[0]) and one[0] in other


def significant(name: str) -> tuple[str, ...]:
    """Return the groups of a name as far as they mean anything.

    Neither blanks around a component do, nor ``^`` and ``=`` at an end (PS3.5 section 6.2.1).
    """
    groups = ["^".join(part.strip(_BLANK) for part in group.split("^")).rstrip("^") for group in name.split("=")]
    while len(groups) > 1 and not groups[-1]:
        groups.pop()
    return tuple(groups)


# -- functions that compare


def _between(vr: str) -> Callable[..., Value] | None:
    if vr not in MOMENTS:
        return None
    at_most = ordered(vr, operator.le)

    def run(frame: Frame, value: Value, low: Value, high: Value) -> bool:
        if isinstance(value, str) and isinstance(low, str) and isinstance(high, str):
            return at_most(frame, low, value) and at_most(frame, value, high)
        both = COMPARATORS["<="]
        return both(frame, low, value) and both(frame, value, high)

    return run


def _iequals(vr: str) -> Callable[..., Value] | None:
    same = _same(vr)
    if same is None:
        return None

    def run(frame: Frame, one: str, other: str) -> bool:
        left, right = fold(frame, one), fold(frame, other)
        return left == right or _alike(frame, same, left, right)

    return run


def _one_of(vr: str) -> Callable[..., Value] | None:
    iequals = _iequals(vr)
    if iequals is None:
        return None

    def run(frame: Frame, value: Value, *choices: Value) -> bool:
        options = [each for choice in choices for each in (choice if isinstance(choice, tuple) else (choice,))]
        frame.work(len(options) * 1200)
        return any(_is_one(frame, value, each) for each in options)

    def _is_one(frame: Frame, value: Value, option: Value) -> bool:
        if isinstance(value, str) and isinstance(option, str):
            return bool(iequals(frame, value, option))
        return COMPARATORS["=="](frame, value, option)

    return run


_FUNCTIONS: Final[dict[str, Callable[[str], Callable[..., Value] | None]]] = {
    "between": _between,
    "iequals": _iequals,
    "one_of": _one_of,
}
