"""A message: one file in the queue until it was taken by its channel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from mercure.config import Config
from mercure.config.notifications import ChannelSettings, Occasion
from mercure.model import Record
from mercure.names import derived_id, is_id, new_id
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.message_text import words


class Message(Record):
    """A message for one channel, and the outcome of its attempts.

    ``members`` are the messages that a digest stands for; ``digest`` names the one that stands for this message.
    """

    id: str
    channel: str
    occasion: Occasion
    created: AwareDatetime
    subject: str
    text: str
    values: dict[str, Any] = {}
    task: str | None = None
    attempts: int = 0
    next_attempt: AwareDatetime | None = None
    error: str = ""
    finished: AwareDatetime | None = None
    members: tuple[str, ...] = ()
    digest: str | None = None


def compose(
    channel: str,
    settings: ChannelSettings,
    config: Config,
    facts: MessageFacts,
    *,
    now: datetime,
    of: str,
    members: tuple[str, ...] = (),
) -> Message:
    """Compose a message from the current templates.

    Parameters
    ----------
    channel : str
        Its name.
    settings : ChannelSettings
        Whether it may have patient data.
    config : Config
        The templates, and from where it is sent.
    facts : MessageFacts
        Its content.
    now : datetime
        Aware instant.
    of : str
        What it is about, for good (the id of an event, say). The message's id is made of it, the occasion, the rule and
        the channel, so that repeating it yields the same message.
    members : tuple of str
        Of a digest.
    """
    values = facts.at(config.site, now).values(patient_data=settings.patient_data)
    subject, text = words(config.notifications, facts.occasion, values)
    base = of if is_id(of) else new_id(now)
    return Message(
        id=derived_id(base, f"notification\0{of}\0{facts.occasion}\0{facts.rule}\0{channel}"),
        channel=channel,
        occasion=facts.occasion,
        created=now,
        subject=subject,
        text=text,
        values=values,
        task=facts.task or None,
        members=members,
    )
