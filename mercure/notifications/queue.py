"""Message queue on disk: one file a message, moved by one rename from ``queue/`` to ``sent/`` or ``given_up/``.

Who adds and who sends are different programs and need no lock: an id has one file, in one of the folders, and only the
notifier moves files out of ``queue/``.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.model import Record, read_state
from mercure.names import is_id
from mercure.notifications.message import Message
from mercure.scheduling.circuit_breaker import CircuitBreaker
from mercure.scheduling.outage import Outage
from mercure.spool import Spool, Stage
from mercure.spool.layout import list_names

State = Literal["queue", "sent", "given_up"]
STATES: Final[tuple[State, ...]] = ("queue", "sent", "given_up")

MAX_QUEUED: Final = 5000
"""Waiting messages of one channel at most; further ones are counted, and the next digest gives their number."""

MAX_KEPT: Final = 10_000
"""Sent messages that are kept, so that none is sent twice; the same number of those that were given up."""

_SUFFIX: Final = ".json"
_log = logging.getLogger(__name__)


class ChannelState(Record):
    """What the notifier knows of a channel.

    ``failing_since`` is None while it works; ``sent`` are the instants of the last hour's messages; ``dropped`` counts
    messages for which there was no room.
    """

    failing_since: AwareDatetime | None = None
    failures: int = 0
    error: str = ""
    next_attempt: AwareDatetime | None = None
    last_sent: AwareDatetime | None = None
    last_digest: AwareDatetime | None = None
    sent: tuple[AwareDatetime, ...] = ()
    dropped: int = 0

    def outage(self) -> Outage | None:
        """Return what is known of its outage; None while it works."""
        if self.failing_since is None or self.next_attempt is None:
            return None
        return Outage(since=self.failing_since, failures=self.failures, until=self.next_attempt, error=self.error)


class ChannelBreaker(CircuitBreaker[Outage]):
    """The circuit breaker of a channel, in the file of all that is known of the channel."""

    def __init__(self, queue: MessageQueue, name: str) -> None:
        super().__init__(queue.channel_file(name), Outage)
        self._queue, self._name = queue, name

    def outage(self) -> Outage | None:
        """Return what is known of the outage."""
        return self._queue.channel(self._name).outage()

    def _write(self, outage: Outage) -> None:
        self._note(failing_since=outage.since, failures=outage.failures, error=outage.error, next_attempt=outage.until)

    def _remove(self) -> None:
        self._note(failing_since=None, failures=0, error="", next_attempt=None)

    def _note(self, **changed: object) -> None:
        state = self._queue.channel(self._name)
        self._queue.set_channel(self._name, state.model_copy(update=changed))


class MessageQueue:
    """The messages of one router.

    Parameters
    ----------
    spool : Spool
        They are in its ``state/notifications/``.
    """

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.folder = spool.stage(Stage.STATE) / "notifications"
        self._queued: dict[str, int] | None = None

    def create(self) -> None:
        """Make the folders."""
        if all(self._place(state).is_dir() for state in STATES):
            return
        for folder in (self.folder.parent, self.folder, *map(self._place, STATES), self.folder / "channels"):
            durable.make_directory(folder)

    def put(self, message: Message) -> bool:
        """Add a message; tell whether it is new and there was room.

        Raises
        ------
        OSError
            The disk refuses.
        """
        self.create()
        if any(self._path(state, message.id).exists() for state in STATES):
            return False
        if self.waiting(message.channel) >= MAX_QUEUED:
            state = self.channel(message.channel)
            self.set_channel(message.channel, state.model_copy(update={"dropped": state.dropped + 1}))
            return False
        durable.write_file(self._path("queue", message.id), message.model_dump_json().encode())
        if self._queued is not None:
            self._queued[message.channel] = self._queued.get(message.channel, 0) + 1
        return True

    def waiting(self, channel: str) -> int:
        """Return how many messages of a channel wait; counted anew after each `forget_counts`."""
        if self._queued is None:
            self._queued = {}
            for message in self.messages("queue"):
                self._queued[message.channel] = self._queued.get(message.channel, 0) + 1
        return self._queued.get(channel, 0)

    def forget_counts(self) -> None:
        """Look at the disk again before the next answer of `waiting`."""
        self._queued = None

    def messages(self, state: State, limit: int | None = None) -> Iterator[Message]:
        """Walk the messages of a state, the oldest first; with `limit` only so many of the newest."""
        names = [name for name in list_names(self._place(state)) if is_id(name.removesuffix(_SUFFIX))]
        for name in names if limit is None else deque(names, limit):
            message = self._read(self._place(state) / name)
            if message is not None:
                yield message

    def count(self, state: State) -> int:
        """Return how many messages there are in a state."""
        return len(list_names(self._place(state)))

    def find(self, identifier: str) -> tuple[State, Message] | None:
        """Find a message by its id."""
        if not is_id(identifier):
            return None
        for state in STATES:
            message = self._read(self._path(state, identifier))
            if message is not None:
                return state, message
        return None

    def tried(self, message: Message, error: str, next_attempt: datetime) -> Message:
        """Note a try that failed."""
        changed = message.model_copy(
            update={"attempts": message.attempts + 1, "error": error, "next_attempt": next_attempt}
        )
        durable.write_file(self._path("queue", message.id), changed.model_dump_json().encode())
        return changed

    def finish(self, message: Message, state: Literal["sent", "given_up"], now: datetime, error: str = "") -> None:
        """Take a message out of the queue.

        First what became of it is written, then the file is moved: a crash in between leaves a message in the queue
        that is finished, which `settle` moves on.
        """
        attempts = message.attempts + (message.digest is None)
        changed = message.model_copy(update={"attempts": attempts, "error": error, "finished": now})
        source = self._path("queue", message.id)
        durable.write_file(source, changed.model_dump_json().encode())
        durable.rename(source, self._path(state, message.id))

    def settle(self) -> None:
        """Finish what a crash has left half done: at the start of the notifier."""
        self.create()
        for state in STATES:
            for message in list(self.messages(state)):
                if message.members:
                    self.absorb(message, message.created)
        for message in list(self.messages("queue")):
            if message.finished is not None:
                durable.rename(self._path("queue", message.id), self._path("sent", message.id))

    def absorb(self, digest: Message, now: datetime) -> None:
        """Take the messages that a digest stands for out of the queue; the digest is on disk."""
        for member in digest.members:
            message = self._read(self._path("queue", member))
            if message is not None:
                self.finish(message.model_copy(update={"digest": digest.id}), "sent", now)

    def again(self, message: Message, now: datetime) -> None:
        """Put a message that was given up into the queue again, as if it were new."""
        fresh = {"created": now, "attempts": 0, "next_attempt": None, "finished": None}
        changed = message.model_copy(update=fresh)
        source = self._path("given_up", message.id)
        durable.write_file(source, changed.model_dump_json().encode())
        durable.rename(source, self._path("queue", message.id))

    def remove(self, state: State, identifier: str) -> None:
        """Remove a message."""
        durable.unlink(self._path(state, identifier))

    def trim(self, before: datetime) -> None:
        """Remove what was sent or given up before an instant, and the oldest of too many."""
        for state in ("sent", "given_up"):
            names = [name for name in list_names(self._place(state)) if is_id(name.removesuffix(_SUFFIX))]
            too_many = max(0, len(names) - MAX_KEPT)
            for index, name in enumerate(names):
                message = None if index < too_many else self._read(self._place(state) / name)
                if message is None or (message.finished or message.created) < before:
                    durable.unlink(self._place(state) / name)

    def channel(self, name: str) -> ChannelState:
        """Return what is known of a channel."""
        return read_state(self.channel_file(name), ChannelState) or ChannelState()

    def set_channel(self, name: str, state: ChannelState) -> None:
        """Note what is known of a channel; a hint that may be lost with the power."""
        self.create()
        durable.write_file(self.channel_file(name), state.model_dump_json().encode(), sync=False)

    def breaker(self, name: str) -> ChannelBreaker:
        """Return the circuit breaker of a channel."""
        return ChannelBreaker(self, name)

    def failing(self, names: Iterable[str]) -> dict[str, ChannelState]:
        """Return the channels that do not take messages now."""
        states = {name: self.channel(name) for name in names}
        return {name: state for name, state in states.items() if state.failing_since is not None}

    def _read(self, path: Path) -> Message | None:
        try:
            return Message.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            _log.error("a message cannot be read and is left alone", extra={"path": str(path)})
            return None

    def _place(self, state: State) -> Path:
        return self.folder / state

    def _path(self, state: State, identifier: str) -> Path:
        return self.folder / state / f"{identifier}{_SUFFIX}"

    def channel_file(self, name: str) -> Path:
        """Return where what is known of a channel is."""
        return self.folder / "channels" / f"{name}{_SUFFIX}"
