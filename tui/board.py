"""What the UI knows of the router at the moment: one board that all screens read, written by the app's handlers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from appliance.control.rpc.client import api

KEPT_SECONDS: Final = 120


class Rates:
    """Something counted second by second, by name (senders, targets)."""

    def __init__(self) -> None:
        self._series: dict[str, deque[float]] = {}

    def add(self, counts: Mapping[str, int], seconds: float) -> None:
        """Note what was counted in the last interval; who did nothing gets a zero, and after two minutes goes."""
        for name in {*self._series, *counts}:
            series = self._series.setdefault(name, deque([0.0] * KEPT_SECONDS, KEPT_SECONDS))
            series.append(counts.get(name, 0) / max(seconds, 0.001))
            if not any(series):
                del self._series[name]

    @property
    def names(self) -> list[str]:
        """Who did something in the last two minutes, the busiest first."""
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


class Board:
    """The last that was heard. Without a connection it stays as it was, and `connected` is false."""

    def __init__(self) -> None:
        self.connected = False
        self.why = ""
        self.who: api.status.WhoAmI | None = None
        self.status: api.status.Status | None = None
        self.alerts: api.status.Alerts | None = None
        self.received = Rates()
        self.received_bytes = Rates()
        self.delivered = Rates()
        self.delivered_bytes = Rates()

    @property
    def heard(self) -> datetime | None:
        """When the last status was made."""
        return self.status.time if self.status else None

    def allows(self, verb: str) -> bool:
        """Tell whether the person may use a verb."""
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
