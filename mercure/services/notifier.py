"""The notifier: finds in the history what the rules report to people, and sends what is in the queue.

Nothing waits for it. It is the only one that talks to mail servers, webhooks and audit repositories, so that
neither routing nor the control service can hang on one (``docs/decisions/0105-a-notifier-of-its-own.md``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.audit_trail.forwarder import AuditForwarder
from mercure.config import Config
from mercure.event_details import NotificationGivenUp
from mercure.history.changes_since import CurrentHistory, HistoryChanges
from mercure.history.database import HistoryError
from mercure.history.records import EventRecord
from mercure.model import Record, read_state
from mercure.notifications.message import compose
from mercure.notifications.queue import MessageQueue
from mercure.notifications.send_queue import MessageSender
from mercure.notifications.triggers import TYPES, Triggers
from mercure.services.common import Context
from mercure.spool import Changes, Claim, Stage, uptime

LOOK_SECONDS: Final = 1.0
"""Between two looks at the history."""

SLACK: Final = timedelta(seconds=120)
"""An event is written after the time that it bears, and a clock may be set back a little: so far back is looked again.
A message that was sent already is recognised by its id."""

OLDEST: Final = timedelta(days=2)
"""Older events are not notified any more, after an outage of the history, say."""

KEEP: Final = timedelta(days=30)
TRIM_SECONDS: Final = 3600.0
AWAY_SECONDS: Final = 10.0
END_SECONDS: Final = 5.0
CURSOR_STEP: Final = timedelta(seconds=30)
CURSOR: Final = "cursor.json"

_log = logging.getLogger(__name__)


class Cursor(Record):
    """Up to when all events were looked at."""

    to: AwareDatetime


class Notifier:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._queue = MessageQueue(context.spool)
        self._queue.create()
        self._trail = AuditForwarder(
            context.root, context.spool, lambda: context.config, context.clock, context.events.emit
        )
        self._sender = MessageSender(self._queue, context.clock, self._emit, self._wake)
        self._claim: Claim | None = None
        self._history = CurrentHistory(context.root)
        self._recorded: tuple[HistoryChanges, datetime] | None = None
        self._seen: dict[str, datetime] = {}
        self._look_at = self._trim_at = float("-inf")
        self._send_at = float("-inf")
        self._seen_queue: tuple[object, ...] = ()
        self._turns_ended = 0
        self._away = False
        self._cursor = self._read_cursor()
        self._saved = self._cursor

    def watched(self) -> Iterable[Path]:
        """Wake up for new messages."""
        return [self._queue.folder / "queue"]

    def turn(self, changes: Changes) -> float:
        """Look for what is new, and let the channels send what is due."""
        if not self._alone():
            return AWAY_SECONDS
        if self._context.config.audit.repository is not None:
            self._trail.start()
        now = self._context.clock.monotonic()
        if now >= self._look_at:
            with self._context.contained("what the rules want to be told cannot be put into the queue"):
                self._look_at = now + self._look()
        if now >= self._trim_at:
            lived = uptime(self._context.spool, self._context.clock)
            self._queue.trim(lived.instant_before(KEEP.total_seconds()))
            self._trim_at = now + TRIM_SECONDS
        self._queue.forget_counts()
        if now >= self._send_at or self._sees() != self._seen_queue:
            self._seen_queue = self._sees()
            self._send_at = now + self._sender.turn(self._context.config)
        return max(0.0, min(self._look_at, self._send_at) - now)

    def _sees(self) -> tuple[object, ...]:
        """Return what changes when there may be something to send: a long queue is not read each second for nothing."""
        return ((self._queue.folder / "queue").stat().st_mtime_ns, self._turns_ended, id(self._context.config))

    def end(self) -> None:
        """Let what is being sent end, if it does so soon."""
        self._trail.stop(END_SECONDS)
        self._sender.join(END_SECONDS)
        self._save_cursor()
        self._history.close()
        if self._claim is not None:
            self._claim.release()

    def _alone(self) -> bool:
        """Make sure that no other notifier sends from this queue: everything would go out twice."""
        if self._claim is None:
            self._claim = Claim.take(self._queue.folder)
            if self._claim is None:
                _log.error("another notifier sends from %s; this one waits until it ends", self._queue.folder)
                return False
            self._queue.settle()
        return True

    def _look(self) -> float:
        """Put what is new into the queue; return the seconds until the next look."""
        config = self._context.config
        if not any(rule.notifications.any for rule in config.rules.values()):
            # What happens meanwhile is not sent when notifications are configured later.
            self._cursor = self._context.clock.now()
            return LOOK_SECONDS
        try:
            self._tell_news(self._history.of(config), config)
        except HistoryError as error:
            if not self._away:
                _log.warning("what the rules want to be told waits for the history: %s", error)
            self._away, self._recorded = True, None
            return AWAY_SECONDS
        self._away = False
        return LOOK_SECONDS

    def _tell_news(self, news: HistoryChanges, config: Config) -> None:
        """Tell what was recorded since the last look."""
        recorded = news.recorded(config.name)
        if recorded is None or (news, recorded) == self._recorded:
            return
        now = self._context.clock.now()
        waits = news.oldest_unrecorded(self._context.spool.stage(Stage.OUTBOX), config.name)
        begin = max(min(self._cursor, now) - SLACK, now - OLDEST)
        occasions = Triggers(news, config)
        for event in news.since(TYPES, begin, config.name):
            if event.id not in self._seen:
                self._tell(occasions, event, config)
                self._seen[event.id] = event.time
        self._cursor = min(waits or now, now)
        self._seen = {key: time for key, time in self._seen.items() if time >= self._cursor - 2 * SLACK}
        if abs(self._cursor - self._saved) >= CURSOR_STEP:
            self._save_cursor()
        self._recorded = (news, recorded)

    def _tell(self, occasions: Triggers, event: EventRecord, config: Config) -> None:
        now, notifications = self._context.clock.now(), config.notifications
        try:
            found = list(occasions.of(event))
        except ValidationError as error:
            _log.warning("an event is not told of: %s", error, extra={"event": event.id, "type": event.type})
            return
        for news in found:
            for channel in news.channels:
                settings = notifications.channels[channel]
                if not settings.disabled:
                    self._queue.put(compose(channel, settings, config, news.facts, now=now, of=news.of))

    def _wake(self) -> None:
        self._turns_ended += 1
        self._context.wake()  # looked up now: it is set when the loop begins

    def _emit(self, details: Record, task: str | None) -> None:
        self._context.events.emit(details, task=task)
        if isinstance(details, NotificationGivenUp):
            self._context.events.flush()

    def _read_cursor(self) -> datetime:
        now = self._context.clock.now()
        cursor = read_state(self._queue.folder / CURSOR, Cursor)
        return min(cursor.to, now) if cursor is not None else now

    def _save_cursor(self) -> None:
        # Not synced: after a power cut it is older, and a sent message is recognised by its id.
        text = Cursor(to=self._cursor).model_dump_json().encode()
        durable.write_file(self._queue.folder / CURSOR, text, sync=False)
        self._saved = self._cursor
