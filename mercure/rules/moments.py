"""Times, dates with times, and ages as DICOM writes them, and as older equipment does (PS3.5 section 6.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mercure.rules.dates import to_date, to_years
from mercure.rules.errors import Fault
from mercure.rules.frame import Frame

_LONGEST: Final = 40
_TIME: Final = re.compile(
    r" *(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?)?|(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)[ \0]*", re.ASCII
)
"""TM ``HHMMSS.FFFFFF``, of which the end may be missing, and its older form ``HH:MM:SS``; also with nanoseconds."""
_DATE_TIME: Final = re.compile(r" *(\d{4})(?:(\d\d)(?:(\d\d)(\d{2,6}(?:\.\d{1,9})?)?)?)?([+-]\d{4})?[ \0]*", re.ASCII)
"""DT ``YYYYMMDDHHMMSS.FFFFFF&ZZXX``, of which all but the year may be missing."""
_HOURS, _MINUTES, _SECONDS = 24, 60, 61  # a minute may have a leap second

Moment = tuple[float, ...]


def to_time(text: str) -> float | None:
    """Read a time of day in seconds; None when the text is none. Of one that is cut, the rest is 0."""
    match = _TIME.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    hour, minute, second, fraction = (part or "0" for part in (match.groups()[:4] if match[1] else match.groups()[4:]))
    if int(hour) >= _HOURS or int(minute) >= _MINUTES or int(second) >= _SECONDS:
        return None
    return int(hour) * 3600 + int(minute) * 60 + int(second) + float(f"0.{fraction}")


def _of_date(text: str) -> Moment | None:
    found = to_date(text)
    return None if found is None else (found.toordinal(),)


def _of_date_time(text: str) -> Moment | None:
    """Read a date with a time: day, and seconds by the clock of its place. Of one that is cut, the first moment."""
    match = _DATE_TIME.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        day = to_date(text)
        return None if day is None else (day.toordinal(), 0.0)
    year, month, day_of, time, _ = match.groups()
    day = to_date(f"{year}{month or '01'}{day_of or '01'}")
    seconds = to_time(time) if time else 0.0
    return None if day is None or seconds is None else (day.toordinal(), seconds)


def _of(read: Callable[[str], float | None]) -> Callable[[str], Moment | None]:
    def run(text: str) -> Moment | None:
        found = read(text)
        return None if found is None else (found,)

    return run


MOMENTS: Final[dict[str, tuple[Callable[[str], Moment | None], str]]] = {
    "AS": (_of(to_years), "age such as 018Y"),
    "DA": (_of_date, "date such as 20260131"),
    "DT": (_of_date_time, "date with a time such as 20260131081500"),
    "TM": (_of(to_time), "time such as 081500"),
}
"""By value representation how a text is read, and what it should be."""


def ordered(vr: str, compare: Callable[..., bool]) -> Callable[[Frame, str, str], bool]:
    """Return what compares two texts as moments of a value representation; an empty one comes before all others.

    Parameters
    ----------
    vr : str
        One of `MOMENTS`.
    compare : callable
        Compares two numbers, or two texts.
    """
    read, what = MOMENTS[vr]

    def moment(text: str, side: str) -> Moment:
        found = read(text)
        if found is not None:
            return found
        if "\\" in text:
            raise Fault("value", f"the {side} is several values", 'write values("Keyword")[0] for the first')
        raise Fault("value", f"the {side} is no {what}", "compare it as it is sent: tags.Keyword.startswith(…)")

    def run(_frame: Frame, left: str, right: str) -> bool:
        if not left or not right:
            return compare(left, right)
        return compare(moment(left, "left side"), moment(right, "right side"))

    return run
