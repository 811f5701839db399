"""Streams: one look at the outbox, the logs and the status for all who subscribed."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.control.alerts.health import judged
from appliance.control.api import streams as api
from appliance.control.api.streams import CountersItem, EventItem, Heartbeat, LogItem, StatusItem, Subscribe, Topic
from appliance.control.errors import ControlError
from appliance.control.history.outbox_tail import OutboxTail
from appliance.control.registry import carries_out
from appliance.control.rpc import jsonrpc
from appliance.control.rpc.mailbox import Mailbox
from appliance.control.services import logs
from appliance.control.session import Session
from appliance.control.status import facts
from mercure.clock import Clock
from mercure.event_details import AssociationRefused, ImageReceived, TaskAttempt
from mercure.events import Event
from mercure.history.database import HistoryError
from mercure.history.queries import History, ResultPage
from mercure.spool import Stage, Watcher

HEARTBEAT_SECONDS: Final = 5.0
"""The longest silence on a stream."""

MAILBOX_BYTES: Final = 8 * 1024 * 1024
"""Of a stream that wait for its reader; one that is slower is dropped."""

LOOK_SECONDS: Final = 0.25
"""Between two looks at the outbox and the logs."""

COUNT_SECONDS: Final = 1.0
STATUS_SECONDS: Final = 2.0

MISSED_SECONDS: Final = 30.0
MISSED_EVENTS: Final = 2000
"""How far back, and how many events, the history is asked for when a file was gone before it was read."""

REMEMBERED: Final = 50_000
"""Events by which is known what was told already."""

UNASKED: Final = frozenset({"image.received", "metrics"})
"""Types of events that come only to who names them: there may be thousands a second."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Stream:
    """One subscription."""

    wanted: Subscribe
    mailbox: Mailbox
    follower: logs.Follower = field(default_factory=lambda: logs.Follower(()))

    def asks_for(self, topic: Topic) -> bool:
        return topic in self.wanted.topics

    def wants(self, type: str) -> bool:
        if not self.wanted.types:
            return type not in UNASKED
        return any(type == known or (known.endswith(".") and type.startswith(known)) for known in self.wanted.types)


class Hub:
    """Looks for all subscribers together, as long as there are any.

    Parameters
    ----------
    open_session : callable
        Makes a session for looking.
    clock : Clock
        Where the time comes from.
    mailbox_bytes : int
        See `MAILBOX_BYTES`.
    """

    def __init__(self, open_session: Callable[[], Session], clock: Clock, mailbox_bytes: int = MAILBOX_BYTES) -> None:
        self._open = open_session
        self._clock = clock
        self._mailbox_bytes = mailbox_bytes
        self._streams: list[_Stream] = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []

    def join(self, wanted: Subscribe, session: Session) -> Mailbox:
        """Begin a stream; what happens from now on comes into the mailbox.

        Raises
        ------
        ControlError
            There is no such log.
        """
        paths = [path for name in wanted.logs for path in logs.log_files(session, name)]
        stream = _Stream(wanted, Mailbox(self._mailbox_bytes), logs.Follower(paths))
        with self._changed:
            self._streams.append(stream)
            if not self._threads:
                for work in (self._follow, self._watch):
                    thread = threading.Thread(target=self._keep_on, args=(work,), name=work.__name__, daemon=True)
                    self._threads.append(thread)
                    thread.start()
            self._changed.notify_all()
        return stream.mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """End a stream."""
        with self._changed:
            self._streams = [stream for stream in self._streams if stream.mailbox is not mailbox]
            self._changed.notify_all()
        mailbox.close()

    def close(self) -> None:
        """End all looking."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def heartbeat(self) -> bytes:
        """Return what is sent when nothing else is."""
        return jsonrpc.notification("heartbeat", Heartbeat(time=self._clock.now()))

    def _asking(self, *topics: Topic) -> list[_Stream]:
        with self._changed:
            return [stream for stream in self._streams if any(stream.asks_for(topic) for topic in topics)]

    def _wait_for(self, *topics: Topic) -> bool:
        """Wait until somebody asks for one of these; False when all is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or any(stream.asks_for(topic) for stream in self._streams for topic in topics)
            )
            return not self._closed

    def _keep_on(self, work: Callable[[], None]) -> None:
        """Repeat some work; a failure (no spool yet, a full disk) is told, and the work tried again."""
        while not self._closed:
            try:
                work()
            except (OSError, ControlError) as error:
                _log.warning("streams are interrupted for a moment: %s", error)
                with self._changed:
                    self._changed.wait(STATUS_SECONDS)

    def _follow(self) -> None:
        """Pass on events, counters and log lines until nobody asks for them."""
        if not self._wait_for("events", "counters", "logs"):
            return
        outbox = self._open().spool.stage(Stage.OUTBOX)
        counting, since = Counting(), self._clock.monotonic()
        with (
            contextlib.closing(Watcher([outbox])) as watcher,
            contextlib.closing(OutboxEvents(self._open, outbox)) as news,
        ):
            while not self._closed and (streams := self._asking("events", "counters", "logs")):
                for event in news.read(watcher.wait(LOOK_SECONDS).within(outbox)):
                    counting.add(event)
                    _pass_on(event, streams)
                for stream in streams:
                    lines = stream.follower.read()
                    if lines:
                        stream.mailbox.put(jsonrpc.notification("log", LogItem(lines=tuple(lines))))
                passed = self._clock.monotonic() - since
                if passed >= COUNT_SECONDS:
                    since += passed
                    _put(
                        streams, "counters", jsonrpc.notification("counters", counting.take(self._clock.now(), passed))
                    )

    def _watch(self) -> None:
        """Pass on the status until nobody asks for it."""
        if not self._wait_for("status"):
            return
        while not self._closed and (streams := self._asking("status")):
            session = self._open()
            found, alerts = judged(facts(session), session)
            item = StatusItem(status=found, alerts=alerts)
            _put(streams, "status", jsonrpc.notification("status", item))
            with self._changed:
                # Whoever subscribes meanwhile is not kept waiting.
                self._changed.wait(STATUS_SECONDS)


class OutboxEvents:
    """What is told in the outbox, each event once: from its files, or from the history where a file was too quick."""

    def __init__(self, open_session: Callable[[], Session], outbox: Path) -> None:
        self._open = open_session
        self._began = open_session().clock.now()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._tail = OutboxTail(outbox)

    def read(self, changed: Iterable[str]) -> Iterator[Event]:
        """Yield what was told since the last time; `changed` are the names that the kernel told of."""
        for event in self._tail.read():
            if event.type != "image.received":  # the history tells of images otherwise
                if event.id in self._told:  # by the history, which was quicker than this file
                    continue
                self._remember(event.id)
            yield event
        if self._tail.missed(changed):
            yield from self._from_history()

    def _from_history(self) -> Iterator[Event]:
        """Yield the events of a file that is gone: it went because they were recorded. Images are counted only."""
        session = self._open()
        since = max(self._began, session.clock.now() - timedelta(seconds=MISSED_SECONDS))
        try:
            with History.open(session.root, session.config) as history:
                found = history.events(ResultPage(limit=MISSED_EVENTS, since=since), node=session.config.name)
        except HistoryError as error:
            _log.warning("events were told too quickly to be followed, and the history cannot be asked: %s", error)
            return
        for record in reversed(found):
            if record.id not in self._told:
                self._remember(record.id)
                yield Event.model_validate(record.model_dump())

    def _remember(self, event: str) -> None:
        self._told[event] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def close(self) -> None:
        """Let go of the files."""
        self._tail.close()


def _pass_on(event: Event, streams: Iterable[_Stream]) -> None:
    line = b""
    for stream in streams:
        if stream.asks_for("events") and stream.wants(event.type):
            line = line or jsonrpc.notification("event", EventItem.model_validate(event.model_dump()))
            stream.mailbox.put(line)


def _put(streams: Iterable[_Stream], topic: Topic, line: bytes) -> None:
    for stream in streams:
        if stream.asks_for(topic):
            stream.mailbox.put(line)


@carries_out(api.SUBSCRIBE)
def subscribe(session: Session, wanted: Subscribe) -> api.Subscribed:
    """Say what will come; the connection sends it."""
    for name in wanted.logs:
        logs.log_files(session, name)
    return api.Subscribed(topics=wanted.topics, heartbeat_seconds=HEARTBEAT_SECONDS)


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
