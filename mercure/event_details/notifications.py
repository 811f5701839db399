"""Events of alerts and notifications."""

from __future__ import annotations

from datetime import datetime

from mercure.model import Record


class NotificationRequested(Record):
    """A module requests a notification (`requested`), or gives the text for the message about its result.

    Both come from ``__mercure_notification`` in its ``result.json``; `rules` are those of the task.
    """

    module: str
    rules: tuple[str, ...] = ()
    text: str = ""
    requested: bool = True


class NotificationSent(Record):
    """A message was taken by its channel."""

    message: str
    channel: str
    occasion: str
    subject: str = ""
    attempts: int = 1
    seconds: float = 0.0


class NotificationGivenUp(Record):
    """A message was not taken within its time limit, or cannot be sent."""

    message: str
    channel: str
    occasion: str
    subject: str = ""
    attempts: int = 0
    error: str


class AlertRaised(Record):
    """A condition began that a person should look at; `key` is the same until it is over."""

    key: str
    kind: str
    severity: str
    object: str
    text: str
    advice: str = ""
    since: datetime | None = None


class AlertCleared(Record):
    """The condition of an alert is over."""

    key: str
    kind: str
    object: str
    text: str
    raised: datetime
    seconds: float = 0.0
