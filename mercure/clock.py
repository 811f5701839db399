"""Time as a parameter: services take a `Clock`, so that tests decide what the time is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clocks: an aware UTC instant, and a monotonic count for durations."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""
        return time.monotonic()


@dataclass
class ManualClock(Clock):
    """A clock that stands still until it is told to go on (for tests and rehearsals).

    Parameters
    ----------
    instant : datetime
        What `now` returns; aware.
    """

    instant: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    ticks: float = 1000.0

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self.instant

    def monotonic(self) -> float:
        """Return the count that was set, in seconds."""
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self.instant += timedelta(seconds=seconds)
        self.ticks += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does; the monotonic one does not notice."""
        self.instant += timedelta(seconds=seconds)
