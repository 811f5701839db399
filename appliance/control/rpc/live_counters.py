"""Counters of the last second, from the events of that second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from appliance.control.api.streams import CountersItem
from mercure.event_details import AssociationRefused, ImageReceived, TaskAttempt
from mercure.events import Event


class Counting:
    """Counts events until it is asked."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.received: Counter[str] = Counter()
        self.received_bytes: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.delivered_bytes: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.completed = self.refused = self.events = 0

    def add(self, event: Event) -> None:
        """Count one event; one of an unknown form counts as an event and no more."""
        self.events += 1
        count = _COUNTED.get(event.type)
        if count is not None:
            try:
                count(self, event)
            except ValidationError:
                return

    def take(self, now: datetime, seconds: float) -> CountersItem:
        """Return what was counted in the last so many seconds, and begin anew."""
        item = CountersItem(
            time=now,
            seconds=round(seconds, 3),
            received=dict(self.received),
            received_bytes=dict(self.received_bytes),
            delivered=dict(self.delivered),
            delivered_bytes=dict(self.delivered_bytes),
            series_completed=self.completed,
            attempts_failed=dict(self.failed),
            refused=self.refused,
            events=self.events,
        )
        self._clear()
        return item


def _received(counting: Counting, event: Event) -> None:
    details = ImageReceived.model_validate(event.details)
    counting.received[details.calling_aet] += 1
    counting.received_bytes[details.calling_aet] += details.bytes


def _attempt(counting: Counting, event: Event) -> None:
    details = TaskAttempt.model_validate(event.details)
    name = details.target or details.module or ""
    if details.target:
        counting.delivered[name] += details.confirmed
        counting.delivered_bytes[name] += details.bytes
    if details.outcome != "success":
        counting.failed[name] += 1


def _refused(counting: Counting, event: Event) -> None:
    counting.refused += 1


def _association_refused(counting: Counting, event: Event) -> None:
    counting.refused += AssociationRefused.model_validate(event.details).times


def _completed(counting: Counting, event: Event) -> None:
    counting.completed += 1


_COUNTED: Final[dict[str, Callable[[Counting, Event], None]]] = {
    "image.received": _received,
    "image.refused": _refused,
    "image.quarantined": _refused,
    "association.refused": _association_refused,
    "task.attempt": _attempt,
    "series.completed": _completed,
}
