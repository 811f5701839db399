"""Channels of notifications: one file for each kind, and the table of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mercure.config.notifications import ChannelSettings
from mercure.notifications.channels.email import send_email
from mercure.notifications.channels.outcome import ChannelError, SendResult
from mercure.notifications.channels.webhook import send_webhook
from mercure.notifications.message import Message

_SEND: Final[dict[str, Callable[[Any, Message], SendResult]]] = {"email": send_email, "webhook": send_webhook}


def send(settings: ChannelSettings, message: Message) -> SendResult:
    """Send one message, in the time that the channel has for it.

    Raises
    ------
    ChannelError
        It was not taken; the error tells whether it may be later.
    """
    kind: str = getattr(settings, "kind", "")
    return _SEND[kind](settings, message)


__all__ = ["ChannelError", "SendResult", "send"]
