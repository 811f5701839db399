"""What a person can do about messages: see them, test a channel, try again, discard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from appliance.control.api import notifications as api
from appliance.control.api.notifications import (
    ChannelReport,
    ChannelTested,
    ListNotifications,
    MessageReport,
    MessagesChanged,
    Notifications,
    SomeMessages,
    TestChannel,
)
from appliance.control.configuration import edits
from appliance.control.configuration.hidden_values import webhook_address
from appliance.control.errors import ControlError, entry_named
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from mercure.config import Config
from mercure.config.notifications import ChannelSettings, EMail, Webhook
from mercure.events import EventWriter
from mercure.names import new_id
from mercure.notifications.channels import ChannelError, send
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.queue import STATES, MessageQueue, State
from mercure.notifications.send_queue import HOUR


@carries_out(api.LIST)
def list_notifications(session: Session, wanted: ListNotifications) -> Notifications:
    """List channels and messages."""
    queue = MessageQueue(session.spool)
    states = STATES if wanted.state is None else (wanted.state,)
    messages = [(state, message) for state in states for message in queue.messages(state, wanted.limit)]
    messages.sort(key=lambda item: item[1].created, reverse=True)
    return Notifications(
        channels=tuple(_channels(session, queue)),
        messages=tuple(_report(state, message) for state, message in messages),
    )


def _channels(session: Session, queue: MessageQueue) -> Iterator[ChannelReport]:
    waiting = Counter(message.channel for message in queue.messages("queue"))
    given_up = Counter(message.channel for message in queue.messages("given_up"))
    now = session.clock.now()
    for name, settings in session.config.notifications.channels.items():
        state = queue.channel(name)
        yield ChannelReport(
            name=name,
            kind=settings.kind,
            disabled=settings.disabled,
            to=_to(settings),
            max_per_hour=settings.max_per_hour,
            patient_data=settings.patient_data,
            waiting=waiting[name],
            given_up=given_up[name],
            sent_last_hour=sum(now - HOUR < at <= now for at in state.sent),
            last_sent=state.last_sent,
            failing_since=state.failing_since,
            failures=state.failures,
            error=state.error,
            next_attempt=state.next_attempt,
        )


def _to(settings: ChannelSettings) -> str:
    if isinstance(settings, EMail):
        return ", ".join(settings.recipients)
    return webhook_address(settings.url) if isinstance(settings, Webhook) else ""


def _report(state: State, message: Message) -> MessageReport:
    told = message.model_dump(exclude={"text", "values", "members"})
    return MessageReport(**told, state=state, members=len(message.members))


@carries_out_for_caller(api.TEST)
def test_channel(asked: Asked, wanted: TestChannel) -> ChannelTested:
    """Send a test message at once, and tell what came of it; settings that are not saved are for admins.

    Raises
    ------
    ControlError
        There is no such channel, its settings cannot be used, or the caller may not try any.
    """
    session, name, content = asked.session, wanted.channel, wanted.settings
    if content is not None:
        asked.require("admin", "a test with settings that are not saved")
    config = session.config if content is None else edits.tried(session, edits.with_entry("channels", name, content))
    settings = _channel(config, name)
    now = session.clock.now()
    facts = MessageFacts(router=config.name, occasion="test", by=session.user)
    message = compose(name, settings, config, facts, now=now, of=new_id(now))
    began = session.clock.monotonic()
    try:
        taken = send(settings, message)
        ok, text = not taken.problem, taken.problem or f"{_to(settings)}: taken"
    except ChannelError as error:
        ok, text = False, str(error)
    seconds = round(session.clock.monotonic() - began, 3)
    with session.changing() as events:
        session.audit(events, "notifications.test", name, after={"ok": ok, "text": text})
    return ChannelTested(channel=name, ok=ok, text=text, seconds=seconds)


@carries_out(api.RETRY)
def retry(session: Session, wanted: SomeMessages) -> MessagesChanged:
    """Try messages again.

    Raises
    ------
    ControlError
        There is no such message, or it was sent.
    """
    with session.changing() as events:
        queue = MessageQueue(session.spool)
        messages = _wanted(queue, wanted)
        for state, message in messages:
            if state == "given_up":
                queue.again(message, session.clock.now())
        for name in {message.channel for _, message in messages}:
            queue.set_channel(name, queue.channel(name).model_copy(update={"next_attempt": None}))
        return _changed(session, events, "notifications.retry", messages)


@carries_out(api.DISCARD)
def discard(session: Session, wanted: SomeMessages) -> MessagesChanged:
    """Remove messages.

    Raises
    ------
    ControlError
        There is no such message, or it was sent.
    """
    with session.changing() as events:
        queue = MessageQueue(session.spool)
        messages = _wanted(queue, wanted)
        for state, message in messages:
            queue.remove(state, message.id)
        return _changed(session, events, "notifications.discard", messages)


def _changed(
    session: Session, events: EventWriter, verb: str, messages: list[tuple[State, Message]]
) -> MessagesChanged:
    for state, message in messages:
        session.audit(events, verb, message.id, before={"state": state, "error": message.error})
    return MessagesChanged(messages=tuple(message.id for _, message in messages))


def _wanted(queue: MessageQueue, wanted: SomeMessages) -> list[tuple[State, Message]]:
    if wanted.message is None:
        messages = queue.messages("given_up")
        return [("given_up", item) for item in messages if wanted.channel in (None, item.channel)]
    found = queue.find(wanted.message)
    if found is None:
        raise ControlError("not-found", f"there is no message {wanted.message!r}", "`mercure notifications list`")
    if found[0] == "sent":
        raise ControlError("invalid", f"message {wanted.message} was sent", "there is nothing left to be done")
    return [found]


def _channel(config: Config, name: str) -> ChannelSettings:
    none = "there are no channels: add one to 'notifications'"
    return entry_named("channel", name, config.notifications.channels, none)
