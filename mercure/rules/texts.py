"""Text operations, each with its bound on time and memory.

The charges are in nanoseconds for each character, measured on adversarial texts with CPython 3.11 to 3.13.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.kinds import Value, ValueKind
from mercure.rules.signature import Function, Parameter, plain

MAX_PIECES: Final = 10_000
"""Values that one text may be split into."""
MAX_WIDTH: Final = 10_000
"""Characters to which a text may be filled up."""

_CASE_QUICK, _CASE_SLOW = 1, 18
_QUICK: Final = frozenset({str.lower, str.upper, str.casefold})
"""Changes of case that are quick for ASCII."""
_WIDEST: Final = 4
"""Bytes of the widest character."""
_GROWTH: Final = 3
"""Characters that one may become in another case."""
_PIECE: Final = 70
"""Bytes of a short text and its place in a list."""
_PERCENT: Final = re.compile(r"%(?:(%)|([-+ 0#]*\d{0,3}(?:\.\d{1,2})?[sdifgeExXro]))")
"""A place for a value, or a sign of its own."""
_SMALL, _LARGE, _SHORT_NEEDLE, _TINY_NEEDLE = 2_500, 30_000, 100, 6
"""Where CPython's search goes over to an algorithm of linear time."""


def size_of(text: str) -> int:
    """Return the bytes that the characters of a text take at most."""
    return len(text) if text.isascii() else len(text) * _WIDEST


def charge_scan(frame: Frame, text: str, nanoseconds: int = 2) -> None:
    """Count one pass over a text."""
    if len(text) > FREE:
        frame.work(len(text) * nanoseconds)


def charge_search(frame: Frame, text: str, part: str) -> None:
    """Count a search from the left: linear, or for middling sizes the product of both lengths."""
    size, needle = len(text), len(part)
    if size <= FREE:
        return
    quadratic = needle >= _TINY_NEEDLE and (size < _SMALL or (needle < _SHORT_NEEDLE and size < _LARGE))
    frame.work(size * (3 + needle // 6) if quadratic else size * 4)


def charge_search_back(frame: Frame, text: str, part: str) -> None:
    """Count a search from the right, which CPython always does in the product of both lengths."""
    if len(text) > FREE:
        frame.work(len(text) * (3 + len(part) // 6))


def charge_new(frame: Frame, text: str, times: int = 1) -> None:
    """Count a text about to be made that is so many times as long as this one."""
    if len(text) * times > FREE:
        frame.room(size_of(text) * times)


def charge_pieces(frame: Frame, text: str, separator: str) -> None:
    """Count a text that is about to be split at each separator."""
    if len(text) > FREE:
        charge_scan(frame, text)
        frame.room(text.count(separator) * _PIECE + size_of(text))


def concatenate(frame: Frame, left: str, right: str) -> str:
    """Join two texts."""
    if len(left) + len(right) > FREE:
        charge_new(frame, left)
        charge_new(frame, right)
    return left + right


def percent(frame: Frame, text: str, *values: Value) -> str:
    """Do what Python's ``text % values`` does, for the plain kinds of places."""
    given = list(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else list(values)
    pieces, last = [], 0
    for match in _PERCENT.finditer(text):
        pieces.append(text[last : match.start()])
        last = match.end()
        if match[1]:
            pieces.append("%")
            continue
        if not given:
            raise Fault("value", "the text has more places than there are values")
        value = given.pop(0)
        frame.room((len(value) * 4 if isinstance(value, str) else FREE) + 1000)
        pieces.append(f"%{match[2]}" % (value,))
    rest = text[last:]
    if given or "%" in rest or any("%" in piece for piece in pieces[::2] if piece != "%"):
        raise Fault("value", "the places of the text and the values do not fit")
    charge_new(frame, text)
    return "".join([*pieces, rest])


def repeat(frame: Frame, text: str, times: int) -> str:
    """Repeat a text."""
    if len(text) * times > FREE:
        frame.room(size_of(text) * times)
    return text * times


def contains(frame: Frame, part: str, text: str) -> bool:
    """Return whether a text holds another."""
    charge_search(frame, text, part)
    return part in text


def fold(frame: Frame, text: str) -> str:
    """Return a text for comparison whatever the case."""
    return _change_case(frame, text, str.casefold)


def _change_case(frame: Frame, text: str, change: Callable[[str], str]) -> str:
    if len(text) > FREE:
        quick = change in _QUICK and text.isascii()
        frame.work(len(text) * (_CASE_QUICK if quick else _CASE_SLOW))
        # On its slow path CPython first makes room for the worst: three wide characters for each.
        frame.room(len(text) if quick else len(text) * _WIDEST * _GROWTH)
    return change(text)


def _case(change: Callable[[str], str]) -> Callable[[Frame, str], str]:
    return lambda frame, text: _change_case(frame, text, change)


def _is(test: Callable[[str], bool]) -> Callable[[Frame, str], bool]:
    def run(frame: Frame, text: str) -> bool:
        charge_scan(frame, text)
        return test(text)

    return run


def _strip(strip: Callable[..., str]) -> Callable[..., str]:
    def run(frame: Frame, text: str, characters: str | None = None) -> str:
        charge_scan(frame, text, 2 + len(characters or "") // 8)
        charge_new(frame, text)
        return strip(text, characters)

    return run


def _ends(test: Callable[[str, str | tuple[str, ...]], bool]) -> Callable[..., bool]:
    def run(_frame: Frame, text: str, *parts: str | tuple[Value, ...]) -> bool:
        return any(test(text, texts_of(part)) for part in parts)

    return run


def texts_of(value: str | tuple[Value, ...]) -> tuple[str, ...]:
    """Return a text, or a list of nothing but texts, as a list of texts.

    Raises
    ------
    Fault
        The list holds something else.
    """
    if isinstance(value, str):
        return (value,)
    texts = tuple(part for part in value if isinstance(part, str))
    if len(texts) != len(value):
        raise Fault("type", "this list must hold nothing but texts")
    return texts


def _find(find: Callable[[str, str], int], charge: Callable[[Frame, str, str], None]) -> Callable[..., int]:
    def run(frame: Frame, text: str, part: str) -> int:
        charge(frame, text, part)
        return find(text, part)

    return run


def _count(frame: Frame, value: str | tuple[Value, ...], part: Value) -> int:
    if isinstance(value, str):
        if not isinstance(part, str):
            raise Fault("type", "the part to count in a text must be a text", wrap=(1, "str"))
        charge_search(frame, value, part)
        return value.count(part)
    frame.work(len(value) * 50)
    return sum(1 for item in value if item.__class__ is part.__class__ and item == part)


def _replace(frame: Frame, text: str, old: str, new: str) -> str:
    if len(text) + len(new) > FREE:
        charge_search(frame, text, old)
        found = text.count(old)
        frame.work(found * 20)
        length = len(text) + found * max(0, len(new) - len(old))
        frame.room(length * (1 if text.isascii() and new.isascii() else _WIDEST))
    return text.replace(old, new)


def _split(frame: Frame, text: str, separator: str | None = None, most: int = -1) -> tuple[str, ...]:
    if separator == "":
        raise Fault("value", "a text cannot be split at the empty text")
    charge_search(frame, text, separator or " ")
    limit = most if 0 <= most <= MAX_PIECES else MAX_PIECES
    pieces = text.split(separator, limit)
    if len(pieces) > MAX_PIECES:
        raise Fault("limit", f"a text can be split into at most {MAX_PIECES:,} values")
    if len(pieces) + len(text) > FREE:
        frame.work(len(pieces) * 60)
        frame.room(len(pieces) * _PIECE + size_of(text))
    return tuple(pieces)


def _split_back(frame: Frame, text: str, separator: str | None = None, most: int = -1) -> tuple[str, ...]:
    if separator == "":
        raise Fault("value", "a text cannot be split at the empty text")
    charge_search_back(frame, text, separator or " ")
    pieces = text.rsplit(separator, most if 0 <= most <= MAX_PIECES else MAX_PIECES)
    if len(pieces) > MAX_PIECES:
        raise Fault("limit", f"a text can be split into at most {MAX_PIECES:,} values")
    frame.work(len(pieces) * 60)
    frame.room(len(pieces) * _PIECE + size_of(text))
    return tuple(pieces)


def _lines(frame: Frame, text: str) -> tuple[str, ...]:
    charge_scan(frame, text, 70)
    charge_new(frame, text, 2)
    lines = text.splitlines()
    frame.room(len(lines) * _PIECE)
    return tuple(lines)


def _without_tabs(frame: Frame, text: str, width: int = 8) -> str:
    if width.__class__ is not int or width > MAX_PIECES:
        raise Fault("value", "this is no width")
    charge_scan(frame, text)
    charge_new(frame, text, 1)
    frame.room(text.count("\t") * max(0, width) * _WIDEST)
    return text.expandtabs(width)


def _last_index(frame: Frame, text: str, part: str) -> int:
    charge_search_back(frame, text, part)
    position = text.rfind(part)
    if position < 0:
        raise Fault("value", "the part is not there", "rfind gives -1 then, and in tells whether it is there")
    return position


def _partition(frame: Frame, text: str, separator: str) -> tuple[str, ...]:
    charge_search(frame, text, separator)
    charge_new(frame, text)
    return text.partition(separator)


def _partition_back(frame: Frame, text: str, separator: str) -> tuple[str, ...]:
    charge_search_back(frame, text, separator)
    charge_new(frame, text)
    return text.rpartition(separator)


def _join(frame: Frame, separator: str, values: tuple[Value, ...]) -> str:
    parts = texts_of(values)
    frame.work(len(parts) * 20)
    frame.room(sum(map(size_of, parts)) + len(parts) * size_of(separator))
    return separator.join(parts)


def _without(remove: Callable[[str, str], str]) -> Callable[..., str]:
    def run(frame: Frame, text: str, part: str) -> str:
        charge_new(frame, text)
        return remove(text, part)

    return run


def _fill(fill: Callable[..., str]) -> Callable[..., str]:
    def run(frame: Frame, text: str, width: int, *character: str) -> str:
        if width.__class__ is not int or width > MAX_WIDTH:
            raise Fault("value", f"a text is filled up to a whole number of at most {MAX_WIDTH:,} characters")
        charge_new(frame, text, 1)
        charge_new(frame, "".join(character) or " ", max(0, width))
        return fill(text, width, *character)

    return run


_TEXT: Final = Parameter("text", ValueKind.TEXT)
_PART: Final = Parameter("part", ValueKind.TEXT)
_PARTS: Final = Parameter("part", ValueKind.TEXT | ValueKind.LIST, many=True)
_CHARACTERS: Final = Parameter("characters", ValueKind.TEXT, optional=True)
_WIDTH: Final = Parameter("width", ValueKind.NUMBER)
_FILL: Final = Parameter("character", ValueKind.TEXT, optional=True)


def _index_of(frame: Frame, value: str | tuple[Value, ...], part: Value) -> int:
    if isinstance(value, str):
        if not isinstance(part, str):
            raise Fault("type", "the part to look for in a text must be a text", wrap=(1, "str"))
        charge_search(frame, value, part)
        position = value.find(part)
    else:
        frame.work(len(value) * 50)
        position = next((n for n, item in enumerate(value) if item.__class__ is part.__class__ and item == part), -1)
    if position < 0:
        raise Fault("value", "the part is not there", "find gives -1 then, and in tells whether it is there")
    return position


def _text_methods() -> list[Function]:
    on = (_TEXT,)
    case: dict[str, Callable[[str], str]] = {
        "lower": str.lower, "upper": str.upper, "casefold": str.casefold,
        "title": str.title, "capitalize": str.capitalize, "swapcase": str.swapcase,
    }  # fmt: skip
    tests: dict[str, Callable[[str], bool]] = {
        "isalpha": str.isalpha, "isdigit": str.isdigit, "isalnum": str.isalnum, "isnumeric": str.isnumeric,
        "isdecimal": str.isdecimal, "islower": str.islower, "isupper": str.isupper, "isspace": str.isspace,
        "isascii": str.isascii, "istitle": str.istitle, "isidentifier": str.isidentifier,
        "isprintable": str.isprintable,
    }  # fmt: skip
    ends: dict[str, Callable[..., bool]] = {"startswith": str.startswith, "endswith": str.endswith}
    strips: dict[str, Callable[..., str]] = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}
    fills: dict[str, Callable[..., str]] = {"ljust": str.ljust, "rjust": str.rjust, "center": str.center}
    return [
        *(plain(name, on, ValueKind.TEXT, _case(change)) for name, change in case.items()),
        *(plain(name, on, ValueKind.TRUTH, _is(test)) for name, test in tests.items()),
        *(plain(name, (_TEXT, _PARTS), ValueKind.TRUTH, _ends(test)) for name, test in ends.items()),
        *(plain(name, (_TEXT, _CHARACTERS), ValueKind.TEXT, _strip(strip)) for name, strip in strips.items()),
        *(plain(name, (_TEXT, _WIDTH, _FILL), ValueKind.TEXT, _fill(fill)) for name, fill in fills.items()),
        plain("zfill", (_TEXT, _WIDTH), ValueKind.TEXT, _fill(str.zfill)),
        plain("find", (_TEXT, _PART), ValueKind.NUMBER, _find(str.find, charge_search)),
        plain("rfind", (_TEXT, _PART), ValueKind.NUMBER, _find(str.rfind, charge_search_back)),
        plain(
            "replace",
            (_TEXT, Parameter("old", ValueKind.TEXT), Parameter("new", ValueKind.TEXT)),
            ValueKind.TEXT,
            _replace,
        ),
        plain(
            "split",
            (
                _TEXT,
                Parameter("sep", ValueKind.TEXT, optional=True),
                Parameter("maxsplit", ValueKind.NUMBER, optional=True),
            ),
            ValueKind.LIST,
            _split,
        ),
        plain(
            "rsplit",
            (
                _TEXT,
                Parameter("sep", ValueKind.TEXT, optional=True),
                Parameter("maxsplit", ValueKind.NUMBER, optional=True),
            ),
            ValueKind.LIST,
            _split_back,
        ),
        plain("splitlines", (_TEXT,), ValueKind.LIST, _lines),
        plain(
            "expandtabs", (_TEXT, Parameter("tabsize", ValueKind.NUMBER, optional=True)), ValueKind.TEXT, _without_tabs
        ),
        plain("rindex", (_TEXT, _PART), ValueKind.NUMBER, _last_index),
        plain("rpartition", (_TEXT, Parameter("separator", ValueKind.TEXT)), ValueKind.LIST, _partition_back),
        plain("partition", (_TEXT, Parameter("separator", ValueKind.TEXT)), ValueKind.LIST, _partition),
        plain(
            "join", (Parameter("separator", ValueKind.TEXT), Parameter("list", ValueKind.LIST)), ValueKind.TEXT, _join
        ),
        plain("removeprefix", (_TEXT, _PART), ValueKind.TEXT, _without(str.removeprefix)),
        plain("removesuffix", (_TEXT, _PART), ValueKind.TEXT, _without(str.removesuffix)),
    ]


_TEXT_OR_LIST: Final = Parameter("value", ValueKind.TEXT | ValueKind.LIST)

METHODS: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        *_text_methods(),
        plain("count", (_TEXT_OR_LIST, Parameter("part", ValueKind.PLAIN)), ValueKind.NUMBER, _count),
        plain("index", (_TEXT_OR_LIST, Parameter("part", ValueKind.PLAIN)), ValueKind.NUMBER, _index_of),
    )
}
"""Methods of texts and lists."""
