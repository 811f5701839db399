"""For how long something was wrong on each of the last days: by alerts, and by pauses of the router."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appliance.control.alerts.days import day_begins, days_of
from mercure.history.records import EventRecord

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
BEGINS = [datetime(2026, 11, day, tzinfo=UTC) for day in (18, 19, 20, 21, 22)]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def told(day: int, hour: int, type_: str, *, service: str = "control", minute: int = 0, **details: Any) -> EventRecord:
    time = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
    return EventRecord(id=f"{time:%d%H%M}-{type_}", node="a", time=time, service=service, type=type_, details=details)


def raised(day: int, hour: int, key: str = "outage:pacs", severity: str = "critical") -> EventRecord:
    return told(day, hour, "alert.raised", key=key, severity=severity)


def cleared(day: int, hour: int, key: str = "outage:pacs") -> EventRecord:
    return told(day, hour, "alert.cleared", key=key)


def hours(*events: EventRecord, now_raised: tuple[str, ...] = (), first: datetime | None = LONG_AGO) -> list[Any]:
    found = days_of(events, BEGINS, NOW, frozenset(now_raised), first)
    return [None if day.bad_seconds is None else day.bad_seconds / 3600 for day in found]


def test_an_outage_counts_on_each_day_that_it_touches() -> None:
    assert hours(raised(18, 22), cleared(20, 1)) == [2, 24, 1, 0]


def test_two_at_once_are_one_and_warnings_are_none() -> None:
    both = (raised(19, 1), raised(19, 2, "failed"), cleared(19, 3), cleared(19, 4, "failed"))
    assert hours(*both) == [0, 3, 0, 0]
    assert hours(raised(19, 1, severity="warning"), cleared(19, 5)) == [0, 0, 0, 0]


def test_a_warning_that_becomes_critical_counts_from_then() -> None:
    assert hours(raised(19, 1, severity="warning"), raised(19, 3), cleared(19, 4)) == [0, 1, 0, 0]


def test_one_that_is_raised_now_lasts_until_now_and_one_that_nobody_ended_does_not() -> None:
    assert hours(raised(21, 12), now_raised=("outage:pacs",)) == [0, 0, 0, 2]
    assert hours(raised(19, 12)) == [0, 0, 0, 0]


def test_a_router_that_was_switched_off_counts_and_a_restart_does_not() -> None:
    off = (told(19, 8, "service.stopped"), told(19, 10, "service.started"))
    assert hours(*off) == [0, 2, 0, 0]
    assert hours(told(19, 8, "service.stopped"), told(19, 8, "service.started", minute=4)) == [0, 0, 0, 0]
    assert hours(*(event.model_copy(update={"service": "router"}) for event in off)) == [0, 0, 0, 0]


def test_of_days_before_the_router_was_there_nothing_is_known() -> None:
    assert hours(first=datetime(2026, 11, 20, 9, tzinfo=UTC)) == [None, None, 0, 0]
    assert hours(first=None) == [None] * 4


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns"])
def test_days_begin_at_midnight_of_the_site(name: str) -> None:
    zone = ZoneInfo(name)
    begins = day_begins(NOW, 90, zone)
    assert len(begins) == 91
    assert begins[-2] <= NOW < begins[-1]
    assert all(begin.astimezone(zone).hour == 0 for begin in begins)
    assert len({begin.astimezone(zone).date() for begin in begins}) == 91
    assert {(after - before) // timedelta(hours=1) for before, after in pairwise(begins)} <= {23, 24, 25}
