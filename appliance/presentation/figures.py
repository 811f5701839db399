"""Sizes, durations, rates and instants in words, the same on every face."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from appliance.control.api.services import ProcessFigures

_AGES: Final = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
_SOON: Final = ((3, "bad"), (30, "warn"))
"""Days before the end of a certificate, as alerts count them by default, and the style of it then."""

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_TEN: Final = 10
_GROUP: Final = 4


def duration(seconds: float) -> str:
    """Write a duration in one unit: ``45 s``, ``3 min``, ``5 h``, ``12 d``."""
    whole = max(0, int(seconds))
    step, unit = next((step, unit) for least, step, unit in _AGES if whole >= least)
    return f"{whole // step} {unit}"


def seconds(value: float) -> str:
    """Write a short time with a digit behind the point, a longer one as `duration`: ``4.1 s``, ``38 s``, ``3 min``."""
    return f"{value:.1f} s" if value < _TEN else duration(value)


def size(count: float) -> str:
    """Write a number of bytes in one decimal unit: ``512 B``, ``1.5 MB``."""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < _TEN else f"{value:.0f} {_UNITS[unit]}"


def percent(share: float | None) -> str:
    """Write a share: ``0.3 %``, ``45 %``; empty where it is not known."""
    if share is None:
        return ""
    return f"{100 * share:.1f} %" if 0 < share < _TEN / 100 else f"{100 * share:.0f} %"


def process_figures(found: ProcessFigures | None) -> tuple[str, str, str]:
    """Write what a process takes: processor, memory, open files; empty where it is not known."""
    if found is None:
        return "", "", ""
    return percent(found.processor), size(found.memory_bytes), "" if found.open_files is None else str(found.open_files)


def rate(per_second: float) -> str:
    """Write how many per second: ``0``, ``0.4``, ``12``."""
    if per_second == 0:
        return "0"
    return f"{per_second:.1f}" if per_second < _TEN else f"{per_second:.0f}"


def moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here; empty without one."""
    return "" if instant is None else instant.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def zoned_moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here, with its distance from UTC; empty without one."""
    return "" if instant is None else instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def short_moment(instant: datetime | None) -> str:
    """Write an instant by the clock on the wall here, for a table: month, day and time; empty without one."""
    return "" if instant is None else instant.astimezone().strftime("%m-%d %H:%M:%S")


def clock(instant: datetime | None) -> str:
    """Write the time of the day of an instant here; empty without one."""
    return "" if instant is None else instant.astimezone().strftime("%H:%M:%S")


def since(instant: datetime | None, now: datetime | None = None) -> str:
    """Write how long ago an instant was; empty without one."""
    return "" if instant is None else duration(((now or datetime.now(UTC)) - instant).total_seconds())


def until(ends: datetime, now: datetime | None = None) -> tuple[str, str]:
    """Write when a certificate ends, and the style of it: ``2027-01-31, in 41 d``; ``ended 2026-01-31``."""
    left = (ends - (now or datetime.now(UTC))).total_seconds()
    if left <= 0:
        return f"ended {ends:%Y-%m-%d}", "bad"
    soon = next((style for days, style in _SOON if left <= days * 86400), "")
    return f"{ends:%Y-%m-%d}, in {duration(left)}", soon


def grouped(fingerprint: str) -> str:
    """Write a fingerprint in groups of four digits, as people compare it."""
    return " ".join(fingerprint[at : at + _GROUP] for at in range(0, len(fingerprint), _GROUP))
