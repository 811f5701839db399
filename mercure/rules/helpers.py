"""Helper functions that rules have and Python has not. In what they compare, upper and lower case are the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mercure.rules import dates, patterns
from mercure.rules.errors import Fault
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value, ValueKind, incomparable, kind_of, union
from mercure.rules.numbers import number, numbers
from mercure.rules.operators import COMPARATORS, equal, same_sort
from mercure.rules.record import Items, TagRecord, TagView, as_items, as_text, as_values
from mercure.rules.signature import BoundCall, Function, Parameter, Reads, plain
from mercure.rules.tags import charge_raw, column_key, has_value, raw_of, spelled
from mercure.rules.texts import charge_pieces, charge_search, fold, texts_of

_AT_MOST: Final = COMPARATORS["<="]
_PRIVATE: Final = re.compile(r"([0-9a-f]{4}),(?:[0-9a-f]{2}|xx)?([0-9a-f]{2})")


# -- comparing texts


def _iequals(frame: Frame, one: str, other: str) -> bool:
    return equal(frame, fold(frame, one), fold(frame, other))


def _contains(frame: Frame, text: str, *parts: str | tuple[Value, ...]) -> bool:
    folded = fold(frame, text)
    for part in parts:
        for wanted in texts_of(part):
            charge_search(frame, folded, wanted)
            if fold(frame, wanted) in folded:
                return True
    return False


def _one_of(frame: Frame, value: Value, *choices: Value) -> bool:
    for choice in choices:
        options = choice if isinstance(choice, tuple) else (choice,)
        frame.work(len(options) * 200)
        for option in options:
            if isinstance(value, str) and isinstance(option, str):
                if fold(frame, value) == fold(frame, option):
                    return True
            elif equal(frame, value, option):
                return True
    return False


def _bind_matches(literals: tuple[str, ...]) -> BoundCall:
    compiled = [patterns.wildcard(pattern) for pattern in literals]
    return BoundCall(
        lambda frame, text: any(patterns.search(frame, pattern, text) for pattern in compiled),
        cost=300 + 1000 * len(compiled),
    )


def _bind_regex(literals: tuple[str, ...]) -> BoundCall:
    compiled = patterns.regular(literals[0])
    return BoundCall(lambda frame, text: patterns.search(frame, compiled, text), cost=1000)


# -- ranges


def _between(frame: Frame, value: Value, low: Value, high: Value) -> bool:
    for operand, bound in enumerate((low, high), 1):
        if not same_sort(value, bound):
            raise incomparable(kind_of(value), kind_of(bound), (0, operand))
    return _AT_MOST(frame, low, value) and _AT_MOST(frame, value, high)


# -- tags


def _bind_has(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])
    return BoundCall(lambda frame: has_value(frame.tags, keyword), Reads(frozenset({keyword})))


def _bind_values(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])

    def call(frame: Frame) -> tuple[str, ...]:
        raw = raw_of(frame.tags, keyword)
        charge_raw(frame, raw)
        if isinstance(raw, str) and "\\" in raw:
            charge_pieces(frame, raw, "\\")
        return as_values(keyword, raw)

    return BoundCall(call, Reads(frozenset({keyword})))


def _bind_private(literals: tuple[str, ...]) -> BoundCall:
    spec, creator = literals[0].lower(), literals[1].strip()
    match = _PRIVATE.fullmatch(spec.replace(" ", "").strip("()"))
    if match is None:
        raise Fault("value", "a private tag is written as gggg,eeee or gggg,ee", 'e.g. private("0019,100c", "SIEMENS")')
    group, element = match.groups()
    if int(group, 16) % 2 == 0:
        raise Fault("value", f"group {group} is not private: it is even", "a public tag is written tags.Keyword")
    if not creator:
        raise Fault("value", "the private creator is missing", "the same number means other things to other makers")
    name = f"{group},xx{element}[{creator}]"

    def call(frame: Frame, default: str = "") -> str:
        frame.work(len(frame.tags.record) * 60)
        return as_text(name, frame.tags.private(group, element, creator)) or default

    return BoundCall(call, Reads(more=True), 1000)


def _items(frame: Frame, keyword: str, view: TagView) -> tuple[TagRecord, ...]:
    raw = raw_of(view, keyword)
    if isinstance(raw, list):
        frame.work(len(raw) * 120)
        frame.room(len(raw) * 16)
    return as_items(keyword, raw)


def _bind_sequence(literals: tuple[str, ...]) -> BoundCall:
    first, *path = (spelled(keyword) for keyword in literals)

    def call(frame: Frame) -> Items:
        records = _items(frame, first, frame.tags)
        for keyword in path:
            frame.work(len(records) * 500)
            below: list[TagRecord] = []
            for record in records:
                below.extend(_items(frame, keyword, TagView(record)))
            records = tuple(below)
        return Items(records)

    return BoundCall(call, Reads(more=True), 1000)


def _item_values(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])

    def call(frame: Frame, items: Items) -> tuple[Value, ...]:
        frame.work(items.count * 200)
        return tuple(as_text(keyword, raw_of(TagView(record), keyword)) for record in items.records)

    return BoundCall(call)


def _bind_get(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])

    def call(frame: Frame, default: Value = "") -> Value:
        return as_text(keyword, raw_of(frame.tags, keyword)) or default

    return BoundCall(call, Reads(frozenset({keyword})))


# -- images


def _image_values(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])
    return BoundCall(lambda frame: frame.images.texts(column_key(frame.images, keyword)), Reads(images=True))


def _image_distinct(literals: tuple[str, ...]) -> BoundCall:
    keyword = spelled(literals[0])
    return BoundCall(lambda frame: frame.images.distinct(column_key(frame.images, keyword)), Reads(images=True))


def _bound(call: Callable[..., Value], reads: Reads, cost: int = 300) -> Callable[[tuple[str, ...]], BoundCall]:
    bound = BoundCall(call, reads, cost)
    return lambda _literals: bound


def _number_or_default(kinds: tuple[ValueKind, ...]) -> ValueKind:
    return ValueKind.NUMBER | union(kinds[1:])


_TEXT: Final = Parameter("text", ValueKind.TEXT)
_KEYWORD: Final = Parameter("keyword", ValueKind.TEXT, literal=True)
_ANY_DEFAULT: Final = Parameter("default", ValueKind.PLAIN, optional=True)
_PARTS: Final = Parameter("part", ValueKind.TEXT | ValueKind.LIST, many=True)

HELPERS: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        plain(
            "iequals", (_TEXT, Parameter("other", ValueKind.TEXT)), ValueKind.TRUTH, _iequals, "the same but for case"
        ),
        plain("contains", (_TEXT, _PARTS), ValueKind.TRUTH, _contains, "one of the parts is in the text, in any case"),
        plain(
            "one_of",
            (Parameter("value", ValueKind.PLAIN), Parameter("choice", ValueKind.PLAIN | ValueKind.LIST, many=True)),
            ValueKind.TRUTH,
            _one_of,
            "the value is one of the choices, in any case",
            alike=True,
        ),
        Function(
            "matches",
            (_TEXT, Parameter("pattern", ValueKind.TEXT, literal=True, many=True)),
            ValueKind.TRUTH,
            _bind_matches,
            "the whole text fits one of the patterns with * and ?, in any case",
        ),
        Function(
            "regex",
            (_TEXT, Parameter("pattern", ValueKind.TEXT, literal=True)),
            ValueKind.TRUTH,
            _bind_regex,
            "the regular expression (RE2) is found in the text",
        ),
        plain(
            "number",
            (Parameter("text", ValueKind.TEXT | ValueKind.NUMERIC), _ANY_DEFAULT),
            _number_or_default,
            number,
            "the number that a text writes, or else the default",
        ),
        plain(
            "numbers", (Parameter("list", ValueKind.LIST),), ValueKind.LIST, numbers, "the numbers that the texts write"
        ),
        plain(
            "between",
            (
                Parameter("value", ValueKind.PLAIN),
                Parameter("low", ValueKind.PLAIN),
                Parameter("high", ValueKind.PLAIN),
            ),
            ValueKind.TRUTH,
            _between,
            "low <= value <= high",
            alike=True,
        ),
        plain(
            "date",
            (
                Parameter("text", ValueKind.TEXT | ValueKind.DATE),
                Parameter("default", ValueKind.TEXT | ValueKind.DATE, optional=True),
            ),
            ValueKind.DATE,
            dates.day,
            "the day that a text writes, or else the default",
        ),
        Function(
            "days_since",
            (Parameter("date", ValueKind.TEXT | ValueKind.DATE), _ANY_DEFAULT),
            _number_or_default,
            _bound(dates.days_since, Reads(today=True), 1500),
            "days from a date to today",
        ),
        Function(
            "age_years",
            (_ANY_DEFAULT,),
            lambda kinds: ValueKind.NUMBER | union(kinds),
            _bound(dates.age_years, Reads(dates.AGE_KEYWORDS, today=True), 4000),
            "the patient's age at the study in completed years",
        ),
        Function("has", (_KEYWORD,), ValueKind.TRUTH, _bind_has, "the image has the tag, and it has a value"),
        Function("values", (_KEYWORD,), ValueKind.LIST, _bind_values, "the values of a tag as a list of texts"),
        Function(
            "private",
            (
                Parameter("tag", ValueKind.TEXT, literal=True),
                Parameter("creator", ValueKind.TEXT, literal=True),
                Parameter("default", ValueKind.TEXT, optional=True),
            ),
            ValueKind.TEXT,
            _bind_private,
            "the value of a private tag of this creator, in any block",
        ),
        Function(
            "sequence",
            (Parameter("keyword", ValueKind.TEXT, literal=True, many=True),),
            ValueKind.SEQUENCE,
            _bind_sequence,
            "the items of a sequence; of a sequence in its items with a further keyword",
        ),
    )
}

TAGS_GET: Final = Function(
    "tags.get",
    (_KEYWORD, _ANY_DEFAULT),
    lambda kinds: ValueKind.TEXT | union(kinds),
    _bind_get,
    "the tag, or the default when it has no value",
)
IMAGES: Final[dict[str, Function]] = {
    "values": Function(
        "images.values", (_KEYWORD,), ValueKind.LIST, _image_values, "the tag of each image, in the order received"
    ),
    "distinct": Function(
        "images.distinct", (_KEYWORD,), ValueKind.LIST, _image_distinct, "the different values of a tag over all images"
    ),
}
IMAGE_COUNT: Final = Function(
    "images.count",
    (),
    ValueKind.NUMBER,
    _bound(lambda frame: frame.images.instances, Reads(images=True)),
    "number of images in the series; two versions of one are one",
)
ITEM_VALUES: Final = Function(
    "values",
    (Parameter("sequence", ValueKind.SEQUENCE), _KEYWORD),
    ValueKind.LIST,
    _item_values,
    "the tag of each item",
)
