"""State of the router as the UI knows it: one object that all screens read and the app's handlers write."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from appliance.control.rpc.client import api

KEPT_SECONDS: Final = 120

_LOOKS: Final = 8
"""So many looks at a running task say how fast it goes."""


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

    def lately(self, name: str) -> float:
        """Return how many per second on the average, since it began or for as long as is known."""
        values = list(self._series.get(name, ()))
        begun = next((at for at, value in enumerate(values) if value), len(values))
        return sum(values[begun:]) / max(1, len(values) - begun)

    def total(self) -> list[float]:
        """Return the sum over all names, a value for each second."""
        return [sum(column) for column in zip(*self._series.values(), strict=True)]


class TaskPace:
    """How fast running tasks go: what was confirmed of each at the last looks."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._looks: dict[str, deque[tuple[float, int]]] = {}
        self.by_target: dict[str, float] = {}
        """How many images per second go to each target in running tasks."""

    def look(self, running: Iterable[api.queue.QueueEntry]) -> None:
        """Note how far the running tasks are; those that run no more are forgotten."""
        now = self._now()
        known, self._looks, self.by_target = self._looks, {}, {}
        for entry in running:
            if entry.confirmed is None:
                continue
            looks = self._looks[entry.id] = known.get(entry.id, deque(maxlen=_LOOKS))
            looks.append((now, entry.confirmed))
            target = entry.target or ""
            self.by_target[target] = self.by_target.get(target, 0.0) + self.per_second(entry.id)

    def per_second(self, task: str) -> float:
        """Return how many images per second, by the looks that are kept; 0: not known yet."""
        looks = self._looks.get(task)
        if not looks or looks[-1][0] <= looks[0][0]:
            return 0.0
        return max(0.0, (looks[-1][1] - looks[0][1]) / (looks[-1][0] - looks[0][0]))


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
        self.pace = TaskPace()

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
