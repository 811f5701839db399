"""Messages to people: what waits, what could not be sent, and a test."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Verb
from mercure.model import Model

MessageState = Literal["queue", "sent", "given_up"]


class ChannelReport(Model):
    """A channel, and how it does.

    ``failing_since`` is None while it takes messages; ``waiting`` and ``given_up`` count messages; ``sent_last_hour``
    counts towards ``max_per_hour``.
    """

    name: str
    kind: str
    disabled: bool
    to: str
    max_per_hour: int
    patient_data: bool
    waiting: int = 0
    given_up: int = 0
    sent_last_hour: int = 0
    last_sent: AwareDatetime | None = None
    failing_since: AwareDatetime | None = None
    failures: int = 0
    error: str = ""
    next_attempt: AwareDatetime | None = None


class MessageReport(Model):
    """A message: when it was made, how often it was tried, and why it was not taken.

    ``digest`` names the message in which it went out together with others.
    """

    id: str
    state: MessageState
    channel: str
    occasion: str
    created: AwareDatetime
    subject: str
    task: str | None = None
    attempts: int = 0
    next_attempt: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    error: str = ""
    members: int = 0
    digest: str | None = None


class ListNotifications(Model):
    """Which messages: those of a state (all when absent), at most so many of each, the newest first."""

    state: MessageState | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50


class Notifications(Model):
    """All channels, and messages."""

    channels: tuple[ChannelReport, ...]
    messages: tuple[MessageReport, ...]


class TestChannel(Model):
    """A channel of the configuration, or settings that are not saved (yet)."""

    __test__ = False

    channel: Annotated[str, Field(max_length=64)]
    settings: dict[str, Any] | None = None


class ChannelTested(Model):
    """Whether a channel took a test message, and what was said; ``problem``: it was taken, and not by all."""

    channel: str
    ok: bool
    text: str
    seconds: float


class SomeMessages(Model):
    """One message by its id, or all that were given up (of one channel)."""

    message: Annotated[str, Field(max_length=64)] | None = None
    channel: Annotated[str, Field(max_length=64)] | None = None


class MessagesChanged(Model):
    """The ids of the messages with which something was done."""

    messages: tuple[str, ...]


LIST: Final = Verb(
    "notifications.list",
    ListNotifications,
    Notifications,
    "operator",
    "List the channels, and the messages that wait, were sent or were given up.",
)
TEST: Final = Verb(
    "notifications.test",
    TestChannel,
    ChannelTested,
    "operator",
    "Send a test message by a channel, at once and past the queue.",
    changes=True,
)
RETRY: Final = Verb(
    "notifications.retry",
    SomeMessages,
    MessagesChanged,
    "operator",
    "Put messages that were given up into the queue again; one that waits is tried now.",
    changes=True,
)
DISCARD: Final = Verb(
    "notifications.discard",
    SomeMessages,
    MessagesChanged,
    "operator",
    "Remove messages that were given up, or one that waits.",
    changes=True,
)
