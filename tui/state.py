"""State of the router as the UI knows it: one object that all screens read and the app's handlers write."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from appliance.control.rpc.client import api

KEPT_SECONDS: Final = 120


class LiveRates:
    """Counts per second, by name (senders, targets)."""

    def __init__(self) -> None:
        self._series: dict[str, deque[float]] = {}

    def add(self, counts: Mapping[str, int], seconds: float) -> None:
        """Add the counts of the last interval; idle names get a zero and are dropped after two minutes."""
        for name in {*self._series, *counts}:
            series = self._series.setdefault(name, deque([0.0] * KEPT_SECONDS, KEPT_SECONDS))
            series.append(counts.get(name, 0) / max(seconds, 0.001))
            if not any(series):
                del self._series[name]

    @property
    def names(self) -> list[str]:
        """The names that did something in the last two minutes, the busiest first."""
        return sorted(self._series, key=lambda name: (-sum(self._series[name]), name))

    def now(self, name: str) -> float:
        """Return how many per second, smoothed over the last three."""
        last = list(self._series.get(name, ()))[-3:]
        return sum(last) / len(last) if last else 0.0

    def values(self, name: str) -> list[float]:
        """Return the last two minutes, a value for each second."""
        return list(self._series.get(name, ()))

    def total(self) -> list[float]:
        """Return the sum over all names, a value for each second."""
        return [sum(column) for column in zip(*self._series.values(), strict=True)]


class RouterState:
    """The newest state received. Without a connection it stays as it was, and `connected` is false."""

    def __init__(self) -> None:
        self.connected = False
        self.why = ""
        self.who: api.status.WhoAmI | None = None
        self.status: api.status.Status | None = None
        self.alerts: api.status.Alerts | None = None
        self.received = LiveRates()
        self.received_bytes = LiveRates()
        self.delivered = LiveRates()
        self.delivered_bytes = LiveRates()

    @property
    def heard(self) -> datetime | None:
        """Time of the last status."""
        return self.status.time if self.status else None

    def allows(self, verb: str) -> bool:
        """Return whether the user may use a verb."""
        return not verb or (self.who is not None and verb in self.who.verbs)

    def count(self, item: api.streams.CountersItem) -> None:
        """Take the counters of a second."""
        self.received.add(item.received, item.seconds)
        self.received_bytes.add(item.received_bytes, item.seconds)
        self.delivered.add(item.delivered, item.seconds)
        self.delivered_bytes.add(item.delivered_bytes, item.seconds)

    def take(self, item: api.streams.StatusItem) -> None:
        """Take a status."""
        self.status, self.alerts = item.status, item.alerts
