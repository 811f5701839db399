"""The last days: for how long on each a critical alert was raised, or the router was switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from appliance.control.alerts.health import current_alerts
from appliance.control.api.traffic import DAYS, DayRecord, Days, ListDays
from appliance.control.history.search import reading
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.history.queries import History, ResultPage
from mercure.history.records import EventRecord
from mercure.history.traffic import Traffic

OF_DAYS: Final = ("alert.raised", "alert.cleared", "service.started", "service.stopped")
"""The events from which it is told."""

_WATCHER: Final = "control"
"""The service that keeps the alerts: while it does not run, the router does not, or nobody would know."""

_RESTART: Final = timedelta(minutes=5)
"""A shorter pause is a restart, an upgrade say, and no outage: the receiver goes on meanwhile."""

_MOST_EVENTS: Final = 5000
"""Events of each type that are read; with more, the earliest days look better than they were."""

_LONGEST: Final = timedelta(days=30)
"""An alert that began so long before the first day is not seen."""

Span = tuple[datetime, datetime]


@carries_out(DAYS)
def days(session: Session, wanted: ListDays) -> Days:
    """Tell for how long something was wrong on each of the last days.

    Raises
    ------
    ControlError
        The history cannot be asked.
    """
    now = session.clock.now()
    begins = day_begins(now, wanted.days, session.config.site.zone)
    node, raised = session.config.name, frozenset(alert.key for alert in current_alerts(session).alerts)
    page = ResultPage(limit=_MOST_EVENTS, since=begins[0] - _LONGEST)
    with reading(session, History) as history:
        found = [event for type_ in OF_DAYS for event in history.events(page, type=type_, node=node)]
    with reading(session, Traffic) as traffic:
        first = traffic.first(node)
    return Days(time=now, days=tuple(days_of(found, begins, now, raised, first)))


def day_begins(now: datetime, days: int, zone: tzinfo) -> list[datetime]:
    """Return the midnights of a time zone with which the last days begin, and the one that ends today."""
    today = now.astimezone(zone).date()
    dates = [today + timedelta(days=place) for place in range(1 - days, 2)]
    return [datetime.combine(date, time(), zone).astimezone(UTC) for date in dates]


def days_of(
    events: Iterable[EventRecord],
    begins: Sequence[datetime],
    now: datetime,
    raised: frozenset[str],
    first: datetime | None,
) -> Iterator[DayRecord]:
    """Yield each day.

    Parameters
    ----------
    events : iterable of EventRecord
        Those of `OF_DAYS`, in any order.
    begins : sequence of datetime
        Of the days, and the end of the last one.
    now : datetime
        The present; aware.
    raised : frozenset of str
        Keys of the alerts that are raised now.
    first : datetime or None
        Since when the router is known; None: it is not.
    """
    ordered = sorted(events, key=lambda event: (event.time, event.id))
    bad = _united([*_alerted(ordered, now, raised), *_switched_off(ordered)])
    for begin, end in pairwise(begins):
        if first is None or end <= first:
            yield DayRecord(begin=begin)
            continue
        overlaps = (min(end, until) - max(begin, since) for since, until in bad)
        seconds = sum((overlap for overlap in overlaps if overlap > timedelta()), timedelta()).total_seconds()
        yield DayRecord(begin=begin, bad_seconds=round(seconds, 3))


def _alerted(events: Iterable[EventRecord], now: datetime, raised: frozenset[str]) -> Iterator[Span]:
    """Yield when a critical alert was raised; of one whose end nobody told, the moment in which it began."""
    open_: dict[str, tuple[datetime, str]] = {}
    for event in events:
        key = str(event.details.get("key", ""))
        if event.type not in ("alert.raised", "alert.cleared"):
            continue
        since, severity = open_.pop(key, (event.time, ""))
        if severity == "critical":
            yield since, event.time
        if event.type == "alert.raised":
            open_[key] = (event.time, str(event.details.get("severity", "")))
    yield from ((since, now) for key, (since, severity) in open_.items() if severity == "critical" and key in raised)


def _switched_off(events: Iterable[EventRecord]) -> Iterator[Span]:
    stopped: datetime | None = None
    for event in events:
        if event.service != _WATCHER or not event.type.startswith("service."):
            continue
        if event.type == "service.started" and stopped is not None and event.time - stopped >= _RESTART:
            yield stopped, event.time
        stopped = event.time if event.type == "service.stopped" else None


def _united(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap: two alerts at once are one outage."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found
