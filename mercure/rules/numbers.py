"""Arithmetic with bounds, and numbers read from text."""

from __future__ import annotations

import math
import re
from typing import Final

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.kinds import Value
from mercure.rules.texts import charge_scan

MAX_BITS: Final = 256
"""Size of a whole number; DICOM's largest has 64 bits."""
_MAX_DIGITS: Final = 64
_MAX_EXPONENT: Final = 1024

_DECIMAL: Final = re.compile(
    r"[ \t]*([+-]?)(?:(\d+)|(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d{1,4})?)[ \t\0]*", re.ASCII
)
_COMMA: Final = re.compile(r"[ \t]*[+-]?(\d*),(\d+)(?:[eE][+-]?\d{1,4})?[ \t\0]*", re.ASCII)
"""A decimal comma, as some equipment writes it; a number has no other comma (PS3.5 section 6.2)."""
_THOUSANDS: Final = 3
_ADVICE: Final = "give what to take instead: number(…, 0)"

Number = int | float


def bounded(value: Number) -> Number:
    """Pass on a result that is not too large, and not a complex number.

    Raises
    ------
    Fault
        A whole number has more than `MAX_BITS` bits.
    """
    if value.__class__ is int and value.bit_length() > MAX_BITS:
        raise Fault("limit", f"the result is a whole number of more than {MAX_BITS} bits")
    if isinstance(value, complex):
        raise Fault("value", "the result is not a real number")
    return value


def power(_frame: Frame, base: Number, exponent: Number) -> Number:
    """Raise a number to a power; the size is estimated beforehand, because ``9**9**9`` would never end."""
    if abs(exponent) > _MAX_EXPONENT:
        raise Fault("limit", f"an exponent is at most {_MAX_EXPONENT}")
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_BITS + 64:
        raise Fault("limit", f"the result is a whole number of more than {MAX_BITS} bits")
    return bounded(base**exponent)


def to_number(text: str) -> Number | None:
    """Read a text as DICOM writes numbers (VR DS and IS, PS3.5 section 6.2); None when it is not one.

    Blanks around it are padding. Not a number, as in Python's ``float``, are ``nan``, ``inf`` and ``1_000``. A decimal
    comma is read where it can be nothing else.

    Raises
    ------
    Fault
        The comma may be that of a fraction, or that of thousands.
    """
    if len(text) > _MAX_DIGITS:
        return None
    if text.isascii():  # the two common forms, several times as fast as the general one
        if text.isdecimal():
            return int(text)
        if text.replace(".", "", 1).isdecimal():
            return float(text)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return _with_comma(text)
    stripped = text.strip(" \t\0")
    return int(stripped) if match[2] is not None else float(stripped)


def _with_comma(text: str) -> Number | None:
    match = _COMMA.fullmatch(text)
    if match is None:
        return None
    before, after = match.groups()
    if len(after) == _THOUSANDS and 0 < len(before) <= _THOUSANDS and before.strip("0"):
        advice = 'say which it is: number(tags.Keyword.replace(",", ".")), or .replace(",", "")'
        raise Fault("value", "the comma of the text may be that of a fraction, or that of thousands", advice)
    return float(text.strip(" \t\0").replace(",", "."))


def number(_frame: Frame, value: Value, *default: Value) -> Value:
    """Make a number of a text; anything else than a number gives the default, or a fault."""
    if not isinstance(value, str):
        return value
    found = to_number(value)
    if found is not None:
        return found
    if "\\" in value:
        raise Fault("value", "the text is several values", 'write numbers(values("Keyword"))')
    if default:
        return default[0]
    if value == "":
        raise Fault("value", "the text is empty and no number", _ADVICE)
    raise Fault("value", "the text is not a number", _ADVICE)


def numbers(frame: Frame, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Make numbers of a list of texts, leaving out the empty ones."""
    frame.work(len(values) * 1000)
    frame.room(len(values) * 40)
    return tuple(number(frame, value) for value in values if value != "")


def whole(frame: Frame, value: Value, base: int = 10) -> int:
    """Do what Python's ``int`` does: cut off a number's fraction, or read a text of digits."""
    if isinstance(value, str):
        if len(value) > _MAX_DIGITS:
            raise Fault("value", "the text is not a whole number")
        try:
            return int(value, base)
        except ValueError:
            pass
        raise Fault("value", "the text is not a whole number", "number(…) reads fractions too, and has a default")
    if not isinstance(value, int | float) or base != 10:  # noqa: PLR2004 - a number has no other base
        raise Fault("type", "only a text is read in another base")
    if isinstance(value, float) and not math.isfinite(value):
        raise Fault("value", "infinity is not a whole number")
    frame.work(0)
    return int(bounded(int(value)))


def fraction(_frame: Frame, value: Value) -> float:
    """Do what Python's ``float`` does with a text or a number."""
    if isinstance(value, str):
        try:
            if len(value) <= _MAX_DIGITS:
                return float(value)
        except ValueError:
            found = to_number(value)
            if found is not None:
                return float(found)
        advice = "number(…, 0) has a default for a text that is no number"
        raise Fault("value", "the text is not a number", advice)
    return float(value)  # type: ignore[arg-type]  # the parameter admits texts and numbers only


def rounded(_frame: Frame, value: Number, digits: int = 0, *, given: bool = False) -> Number:
    """Round half to even; to a whole number without `digits`."""
    if digits.__class__ is not int or abs(digits) > _MAX_DIGITS:
        raise Fault("value", f"round takes a whole number of digits, at most {_MAX_DIGITS}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Fault("value", "infinity cannot be rounded")
    return round(value, digits) if given else round(value)


def to_text(frame: Frame, value: Value) -> str:
    """Do what Python's ``str`` does with a plain value."""
    if isinstance(value, str) and len(value) > FREE:
        charge_scan(frame, value, 0)
    return str(value)
