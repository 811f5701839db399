"""Send queue of the notifications: retries, a limit of messages in an hour, digests of what goes beyond.

`plan` decides what is to be done with a channel and touches nothing; `MessageSender` does it, each channel in a thread
of its own, so that one that hangs keeps no other waiting.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mercure.clock import Clock
from mercure.config import Config
from mercure.config.notifications import ChannelSettings
from mercure.event_details import NotificationGivenUp, NotificationSent
from mercure.model import Record
from mercure.notifications.channels import ChannelError, SendResult, send
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.queue import ChannelState, MessageQueue
from mercure.scheduling.backoff import Backoff
from mercure.scheduling.outage import Outage
from mercure.spool import uptime

LONGEST_PAUSE: Final = 1800.0
PAUSES: Final = Backoff(10.0, LONGEST_PAUSE)
"""Seconds between two tries of a channel that failed."""

SUBJECTS: Final = 50
"""Subjects listed in a digest."""

HOUR: Final = timedelta(hours=1)
_NEVER: Final = 3600.0
_log = logging.getLogger(__name__)

Send = Callable[[ChannelSettings, Message], SendResult]
Emit = Callable[[Record, str | None], None]


@dataclass(frozen=True)
class ChannelPlan:
    """What to do with a channel: send these one by one, combine these into a digest, or wait so many seconds."""

    single: tuple[Message, ...] = ()
    digest: tuple[Message, ...] = ()
    wait: float = _NEVER


def plan(settings: ChannelSettings, state: ChannelState, waiting: Sequence[Message], now: datetime) -> ChannelPlan:
    """Decide what to do with a channel now.

    Parameters
    ----------
    settings : ChannelSettings
        Its limits.
    state : ChannelState
        What it did in the last hour, and whether it fails.
    waiting : sequence of Message
        Its queue, the oldest first.
    now : datetime
        Aware instant.
    """
    if not waiting or settings.disabled:
        return ChannelPlan()
    outage = state.outage()
    left = outage.wait_left(LONGEST_PAUSE * 2, now) if outage is not None else 0.0
    if left:
        return ChannelPlan(wait=left)
    recent = [at for at in state.sent if now - HOUR < at <= now]
    room = settings.max_per_hour - len(recent)
    # A digest is no reason to make another one, and what was tried keeps its place before it.
    digests = [message for message in waiting if message.members or message.attempts]
    single = [message for message in waiting if not (message.members or message.attempts)]
    if len(single) <= max(0, room):
        return ChannelPlan(single=(*digests, *single))
    since = None if state.last_digest is None else (now - state.last_digest).total_seconds()
    if since is None or not 0 <= since < settings.digest_seconds:
        return ChannelPlan(single=tuple(digests), digest=tuple(single))
    if digests:
        return ChannelPlan(single=tuple(digests))
    return ChannelPlan(wait=settings.digest_seconds - since)


class MessageSender:
    """Sends the messages of a queue.

    Parameters
    ----------
    queue : MessageQueue
        The message queue; nothing else takes messages out of it.
    emit : callable
        Takes an event for the history, and the task that it is about.
    wake : callable
        Called, from any thread, when a channel has done its turn.
    send : callable
        Sends one message (another one in tests).
    """

    def __init__(
        self, queue: MessageQueue, clock: Clock, emit: Emit, wake: Callable[[], None] = lambda: None, send: Send = send
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._emit = emit
        self._wake = wake
        self._send = send
        self._busy: dict[str, threading.Thread] = {}

    def turn(self, config: Config) -> float:
        """Start what is due on every free channel; return the seconds until something is due again."""
        now = self._clock.now()
        waiting: dict[str, list[Message]] = {}
        for message in self._queue.messages("queue"):
            waiting.setdefault(message.channel, []).append(message)
        waits = [_NEVER]
        for name, messages in waiting.items():
            if name in self._busy and self._busy[name].is_alive():
                continue
            settings = config.notifications.channels.get(name)
            if settings is None:
                self._orphaned(messages, now)
                continue
            decided = plan(settings, self._queue.channel(name), messages, now)
            if decided.single or decided.digest:
                self._begin(name, settings, config, decided)
            else:
                waits.append(decided.wait)
        return min(waits)

    def join(self, seconds: float) -> None:
        """Wait until no channel is busy, at most so long; what is cut off is sent again."""
        end = self._clock.monotonic() + seconds
        for thread in self._busy.values():
            thread.join(max(0.0, end - self._clock.monotonic()))

    def _begin(self, name: str, settings: ChannelSettings, config: Config, decided: ChannelPlan) -> None:
        def work() -> None:
            try:
                self._work(name, settings, config, decided)
            except OSError:
                _log.exception("a channel's turn ended: the disk refuses", extra={"channel": name})
            finally:
                self._wake()

        # A daemon: a server that hangs must not keep the service from ending.
        thread = threading.Thread(target=work, name=f"send {name}", daemon=True)
        self._busy[name] = thread
        thread.start()

    def _work(self, name: str, settings: ChannelSettings, config: Config, decided: ChannelPlan) -> None:
        messages = list(decided.single)
        if decided.digest:
            messages.append(self._together(name, settings, config, decided.digest))
        for message in messages:
            if not self._one(name, settings, message):
                return

    def _together(self, name: str, settings: ChannelSettings, config: Config, messages: Sequence[Message]) -> Message:
        """Combine messages into a digest, which is on disk before they leave the queue."""
        now, state = self._clock.now(), self._queue.channel(name)
        kinds = Counter(message.occasion for message in messages)
        subjects = [message.subject for message in messages[:SUBJECTS]]
        if len(messages) > SUBJECTS or state.dropped:
            counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            subjects.append(
                f"… in all: {counted}" + (f", and {state.dropped} for which there was no room" * bool(state.dropped))
            )
        facts = MessageFacts(
            router=config.name, occasion="digest", count=len(messages) + state.dropped, subjects=tuple(subjects)
        )
        members = tuple(message.id for message in messages)
        digest = compose(name, settings, config, facts, now=now, of=messages[0].id, members=members)
        self._queue.put(digest)
        self._queue.absorb(digest, now)
        self._queue.set_channel(name, state.model_copy(update={"last_digest": now, "dropped": 0}))
        return digest

    def _one(self, name: str, settings: ChannelSettings, message: Message) -> bool:
        """Send one message; return whether the channel works, so that the next is worth a try."""
        began = self._clock.monotonic()
        try:
            taken = self._send(settings, message)
        except ChannelError as error:
            return self._refused(name, settings, message, error)
        now, state = self._clock.now(), self._queue.channel(name)
        self._queue.finish(message, "sent", now, taken.problem)
        sent = (*(at for at in state.sent if now - HOUR < at <= now), now)
        self._queue.set_channel(name, ChannelState(last_sent=now, sent=sent, last_digest=state.last_digest))
        if taken.problem:
            _log.warning("a message was taken, and not by all", extra={"channel": name, "reason": taken.problem})
        seconds = round(self._clock.monotonic() - began, 3)
        details = NotificationSent(**_about(message), attempts=message.attempts + 1, seconds=seconds)
        self._emit(details, message.task)
        return True

    def _refused(self, name: str, settings: ChannelSettings, message: Message, error: ChannelError) -> bool:
        now = self._clock.now()
        too_old = uptime(self._queue.spool, self._clock).age(message.created) > settings.give_up_seconds
        if error.final or too_old:
            self._give_up(message, str(error), now)
        if error.final:
            # It was this message that was refused: the channel itself answers.
            return True

        def until(known: Outage | None, failures: int) -> datetime:
            return now + timedelta(seconds=max(PAUSES.seconds(failures), error.wait))

        outage, known = self._queue.breaker(name).open(now, until, error=str(error))
        if not too_old:
            self._queue.tried(message, str(error), outage.until)
        if known is None:
            _log.warning("a channel does not take messages", extra={"channel": name, "reason": str(error)})
        return False

    def _give_up(self, message: Message, error: str, now: datetime) -> None:
        self._queue.finish(message, "given_up", now, error)
        _log.error("a message was given up", extra={"channel": message.channel, "message_id": message.id, "why": error})
        details = NotificationGivenUp(**_about(message), attempts=message.attempts + 1, error=error)
        self._emit(details, message.task)

    def _orphaned(self, messages: Sequence[Message], now: datetime) -> None:
        for message in messages:
            self._give_up(message, f"there is no channel {message.channel!r} any more", now)


def _about(message: Message) -> dict[str, str]:
    # Without the subject: the history is seen by more people than the mailbox, and keeps it for longer.
    return {"message": message.id, "channel": message.channel, "occasion": message.occasion}


def failing_channels(queue: MessageQueue, channels: Mapping[str, ChannelSettings]) -> dict[str, ChannelState]:
    """Return the channels in use that do not take messages now."""
    return queue.failing(name for name, settings in channels.items() if not settings.disabled)
