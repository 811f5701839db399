"""The off-peak window follows the clock on the wall, also on the two days a year on which that jumps (LESSONS 27)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mercure.config.models import OffPeak

NIGHT = OffPeak.model_validate({"start": "20:00", "end": "06:00", "timezone": "Europe/Berlin"})
NOON = OffPeak.model_validate({"start": "12:00", "end": "13:30", "timezone": "America/New_York"})
ODD = OffPeak.model_validate({"start": "02:30", "end": "03:30", "timezone": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("window", "instant", "inside"),
    [
        # In winter Berlin is one hour ahead,
        (NIGHT, "2026-01-15T18:59:59", False),
        (NIGHT, "2026-01-15T19:00:00", True),
        (NIGHT, "2026-01-16T04:59:59", True),
        (NIGHT, "2026-01-16T05:00:00", False),
        # and in summer two.
        (NIGHT, "2026-07-15T17:59:59", False),
        (NIGHT, "2026-07-15T18:00:00", True),
        (NIGHT, "2026-07-16T03:59:59", True),
        (NIGHT, "2026-07-16T04:00:00", False),
        # The night of 29 March 2026, an hour shorter, and of 25 October, an hour longer.
        (NIGHT, "2026-03-28T19:00:00", True),
        (NIGHT, "2026-03-29T03:59:59", True),
        (NIGHT, "2026-03-29T04:00:00", False),
        (NIGHT, "2026-10-24T18:00:00", True),
        (NIGHT, "2026-10-25T04:59:59", True),
        (NIGHT, "2026-10-25T05:00:00", False),
        # 02:30 comes twice in October and not at all in March.
        (ODD, "2026-10-25T00:30:00", True),
        (ODD, "2026-10-25T00:59:59", True),
        (ODD, "2026-10-25T01:29:59", False),
        (ODD, "2026-10-25T01:30:00", True),
        (ODD, "2026-10-25T02:29:59", True),
        (ODD, "2026-10-25T02:30:00", False),
        (ODD, "2026-03-29T00:59:59", False),
        (ODD, "2026-03-29T01:00:00", True),
        (NOON, "2026-01-15T17:00:00", True),
        (NOON, "2026-07-15T16:00:00", True),
        (NOON, "2026-07-15T17:30:00", False),
    ],
)
def test_by_the_clock_on_the_wall(window: OffPeak, instant: str, inside: bool) -> None:
    assert window.contains(datetime.fromisoformat(instant).replace(tzinfo=UTC)) is inside


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"])
def test_each_day_has_its_window(day: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    minutes = [NIGHT.contains(start + timedelta(minutes=minute)) for minute in range(0, 24 * 60, 10)]
    assert any(minutes)
    assert not all(minutes)
