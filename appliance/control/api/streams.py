"""What a subscription brings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from appliance.control.api.base import Verb
from appliance.control.api.services import LogLine
from appliance.control.api.status import Alerts, Status
from mercure.model import Model

Topic = Literal["events", "counters", "status", "logs"]


class Subscribe(Model):
    """Which topics; the connection belongs to the stream from then on, and is closed to end it.

    `types`: of which events (``task.`` stands for all that begin so); empty: all but ``image.received``
    and ``metrics``.
    `logs`: names of processes or services whose new log lines are wanted.
    """

    topics: Annotated[tuple[Topic, ...], Field(min_length=1)]
    types: tuple[str, ...] = ()
    logs: Annotated[tuple[str, ...], Field(max_length=20)] = ()


class Subscribed(Model):
    """The stream begins after this; `heartbeat_seconds` is the longest silence on it."""

    topics: tuple[Topic, ...]
    heartbeat_seconds: float


class EventItem(Model):
    """An event, as it was written to the outbox."""

    id: str
    time: datetime
    service: str
    type: str
    task: str | None = None
    series: str | None = None
    details: dict[str, Any] = {}


class CountersItem(Model):
    """What happened in the last second.

    ``received`` and ``delivered`` count images by calling AE title and by target; bytes likewise.
    """

    time: datetime
    seconds: float
    received: dict[str, int] = {}
    received_bytes: dict[str, int] = {}
    delivered: dict[str, int] = {}
    delivered_bytes: dict[str, int] = {}
    series_completed: int = 0
    attempts_failed: dict[str, int] = {}
    refused: int = 0
    events: int = 0


class StatusItem(Model):
    """The status and the alerts, every few seconds."""

    status: Status
    alerts: Alerts


class LogItem(Model):
    """New lines of a log."""

    lines: tuple[LogLine, ...]


class Heartbeat(Model):
    """Nothing else happened; the router is there."""

    time: datetime


Item = EventItem | CountersItem | StatusItem | LogItem | Heartbeat
ITEMS: Final[dict[str, type[Item]]] = {
    "event": EventItem,
    "counters": CountersItem,
    "status": StatusItem,
    "log": LogItem,
    "heartbeat": Heartbeat,
}
"""The method of each notification, and the model of its parameters."""

SUBSCRIBE: Final = Verb("subscribe", Subscribe, Subscribed, "viewer", "Stream events, counters, the status, log lines.")
