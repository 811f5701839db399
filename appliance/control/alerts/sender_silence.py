"""Senders that are silent for longer than is their habit.

A silence is measured in hours in which the sender usually sends: an hour of the week counts by the share of weeks in
which something came in it. So a night or a weekend without images is no silence for a scanner that works by day, and
three hours on a weekday morning are. The largest gap by the clock would hide a dead scanner for as long as a weekend;
opening hours as a setting differ by scanner, and nobody keeps them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from mercure.config.alerts import SenderSilence, SilenceAlert

HOUR: Final = timedelta(hours=1)
WEEK_HOURS: Final = 168
LEAST_WEEKS: Final = 2
"""A sender that was first seen later than this has no habit yet."""

LEAST_ACTIVE_HOURS: Final = 20
"""Nor has one that has sent in fewer hours."""

_EPOCH: Final = datetime.fromisoformat("2024-01-01T00:00:00+00:00")  # a Monday
_UNNAMED: Final = SenderSilence()


@dataclass(frozen=True)
class Silent:
    """A sender that is silent for too long; `last` is the end of the last hour in which it sent, at the latest now."""

    sender: str
    last: datetime
    reason: str


def silent_senders(
    hours: Mapping[str, Sequence[datetime]],
    settings: SilenceAlert,
    now: datetime,
    entries: Mapping[str, SenderSilence] = MappingProxyType({}),
) -> list[Silent]:
    """Tell which senders are silent for too long.

    Parameters
    ----------
    hours : mapping
        For each sender (``AET@address``, or its name) the beginnings of the hours in which it sent something, in order.
    settings : SilenceAlert
        The rule.
    now : datetime
        Aware instant.
    entries : mapping
        What the entries of `senders` say, by name; it goes before what the rule says.
    """
    found = []
    for sender, active in sorted(hours.items()):
        own = (
            entries.get(sender)
            or settings.senders.get(sender)
            or settings.senders.get(sender.rpartition("@")[0])
            or _UNNAMED
        )
        if not active or not own.enabled:
            continue
        last = min(active[-1] + HOUR, now)
        reason = _by_time(last, own.seconds, now) if own.seconds else _by_habit(active, settings, now)
        if reason:
            found.append(Silent(sender, last, reason))
    return found


def _by_time(last: datetime, seconds: float, now: datetime) -> str:
    silent = (now - last).total_seconds()
    return f"and {seconds / 3600:.1f} h are the limit that was set for it" if silent > seconds else ""


def _by_habit(active: Sequence[datetime], settings: SilenceAlert, now: datetime) -> str:
    first, last = active[0], active[-1]
    weeks = (last + HOUR - first) / timedelta(days=7)
    if weeks < LEAST_WEEKS or len(active) < LEAST_ACTIVE_HOURS:
        return ""
    shares = _shares(active, weeks)
    usual = max(_missed(before + HOUR, after, shares) for before, after in itertools.pairwise(active))
    missed = _missed(last + HOUR, now, shares)
    limit = max(settings.least_hours, settings.factor * usual)
    if missed <= limit:
        return ""
    return f"{missed:.1f} hours in which it usually sends; its longest silence before was {usual:.1f} of them"


def _shares(active: Sequence[datetime], weeks: float) -> list[float]:
    """Return for each hour of the week in which share of the weeks something came."""
    counts = [0] * WEEK_HOURS
    for hour in active:
        counts[_slot(hour)] += 1
    return [min(1.0, count / weeks) for count in counts]


def _missed(begin: datetime, end: datetime, shares: Sequence[float]) -> float:
    """Return how many hours of use, by habit, fall between two instants."""
    if end <= begin:
        return 0.0
    first, last = begin.timestamp() / 3600, end.timestamp() / 3600
    whole_weeks, rest = divmod(last - first, WEEK_HOURS)
    total, at, left = whole_weeks * sum(shares), begin, rest
    while left > 0:
        until = at.replace(minute=0, second=0, microsecond=0) + HOUR
        part = min(left, (until - at) / HOUR)
        total += part * shares[_slot(at)]
        at, left = until, left - part
    return total


def _slot(instant: datetime) -> int:
    return int((instant - _EPOCH) / HOUR) % WEEK_HOURS
