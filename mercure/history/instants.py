"""Instants in the database: whole microseconds since 1970 in UTC, the same in SQLite and PostgreSQL.

A number sorts, subtracts and takes eight bytes in both. A text would sort too but takes three times the room in every
index; the timestamp types of the two databases do not mean the same, and SQLite has none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

MINUTE: Final = 60_000_000
"""Microseconds of a minute."""

LATEST: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999, beyond which `datetime` cannot say it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Return microseconds since 1970, at least 0; an instant without a time zone is taken for UTC."""
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return max(0, min((aware - _EPOCH) // _MICROSECOND, LATEST))


def instant(value: int) -> datetime:
    """Return the aware instant (UTC) of a number from the database."""
    return _EPOCH + value * _MICROSECOND


def optional_micros(value: datetime | None) -> int | None:
    """Return microseconds since 1970, or None for None."""
    return None if value is None else micros(value)


def instant_of(value: datetime | int) -> datetime:
    """Return the instant of an aggregate, which comes converted by its field or as the plain number."""
    return value if isinstance(value, datetime) else instant(int(value))
