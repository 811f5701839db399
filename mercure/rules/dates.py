"""Dates as DICOM writes them, and ages."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from mercure.rules.errors import Fault
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value

_DATE: Final = re.compile(
    r" *(\d{4})(?:(\d{2})(\d{2})(?:\d{0,6}(?:\.\d{1,6})?(?:[+-]\d{4})?)?|([-./])(\d{1,2})\4(\d{1,2}))[ \0]*", re.ASCII
)
"""DA ``YYYYMMDD``, its older form ``YYYY.MM.DD`` (PS3.5 section 6.2), the day of a DT, and others from year to day."""
_AGE: Final = re.compile(r" *(\d{1,3}) *([DWMY])[ \0]*", re.ASCII | re.IGNORECASE)
"""AS ``nnnD``, ``nnnW``, ``nnnM``, ``nnnY``; some equipment leaves out the zeros."""
_PER_YEAR: Final = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_DAY_OF_STUDY: Final = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
AGE_KEYWORDS: Final = frozenset({"PatientBirthDate", "PatientAge", *_DAY_OF_STUDY})
"""What `age_years` looks at."""
_LONGEST: Final = 40
_ADVICE: Final = 'give what to take instead: date(…, "19000101")'


def to_date(text: str) -> date | None:
    """Read a date; None when the text is not one."""
    match = _DATE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or match[5]), int(match[3] or match[6]))
    except ValueError:
        return None


def to_years(text: str) -> float | None:
    """Read an age in years; None when the text is none."""
    match = _AGE.fullmatch(text) if len(text) <= _LONGEST else None
    return None if match is None else int(match[1]) / _PER_YEAR[match[2].upper()]


def day(_frame: Frame, value: Value, *default: Value) -> Value:
    """Make a date of a text; anything else gives the default, which is read the same way, or a fault."""
    if isinstance(value, date):
        return value
    found = to_date(value) if isinstance(value, str) else None
    if found is not None:
        return found
    if default:
        return day(_frame, default[0])
    if value == "":
        raise Fault("value", "the text is empty and no date", _ADVICE)
    raise Fault("value", "the text is not a date such as 20260131", _ADVICE)


def difference(_frame: Frame, later: date, earlier: date) -> int:
    """Return the days from one date to another."""
    return (later - earlier).days


def days_since(frame: Frame, value: Value, *default: Value) -> Value:
    """Return the whole days from a date to today; negative when it is to come."""
    found = value if isinstance(value, date) else to_date(value) if isinstance(value, str) else None
    if found is None and default:
        return default[0]
    start = found or day(frame, value)
    return (frame.today - start).days if isinstance(start, date) else 0


def age_years(frame: Frame, *default: Value) -> Value:
    """Return the patient's age at the study in completed years.

    From PatientBirthDate and the day of the study; without a day of the study, today; without a date of birth,
    PatientAge.
    """
    tags = frame.tags
    born = to_date(tags.text("PatientBirthDate"))
    if born is not None:
        days = (to_date(tags.text(keyword)) for keyword in _DAY_OF_STUDY)
        on = next((found for found in days if found is not None), None) or frame.today
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    age = to_years(tags.text("PatientAge"))
    if age is not None:
        return int(age)
    if default:
        return default[0]
    advice = "give what to take instead: age_years(0)"
    why = "neither PatientBirthDate nor PatientAge says how old the patient is"
    if tags.text("PatientAge").strip():
        why += "; PatientAge is no age such as 018Y"
    raise Fault("value", why, advice)
