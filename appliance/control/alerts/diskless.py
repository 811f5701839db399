"""Alerts while the disk takes nothing: kept in memory, and told without the queue, which is on that disk.

A spare place on another disk would be a second truth, and a laptop has no other disk. A restart during the fault may
send an alert a second time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Final

from appliance.control.alerts.conditions import DISK_WORDS
from appliance.control.alerts.notify import messages, record
from appliance.control.alerts.state import Book, Entry, News, Shelf, news, step
from appliance.control.api.status import Alert, Alerts
from appliance.control.session import Session
from mercure.notifications.channels import ChannelError, send

AGAIN_SECONDS: Final = 60.0
"""Between two tries of a channel that took nothing: each may last as long as its time limit."""

_log = logging.getLogger(__name__)


class ByHeart:
    """What the watch knows and could not write down.

    Attributes
    ----------
    book : Book or None
        The book of now; None while it lies on the disk.
    """

    def __init__(self) -> None:
        self.book: Book | None = None
        self._unrecorded: list[tuple[Entry, News]] = []
        self._sent: set[str] = set()
        self._next_try = float("-inf")

    def look(self, session: Session, found: Callable[[frozenset[str]], Alerts], error: OSError) -> Book:
        """Go on with the book in memory, and tell what is new at once.

        Parameters
        ----------
        session : Session
            Whose router.
        found : callable
            Returns all that is not as it should be, for the keys of the alerts that are raised.
        error : OSError
            Why the book cannot be written.
        """
        rules, now = session.config.alerts, session.clock.now()
        if self.book is None:
            _log.warning("alerts are kept in memory and told at once, because the disk refuses writes: %s", error)
        before = self.book or _read(session)
        book = step(before, found(frozenset(before.entries)), rules, now)
        for key, entry, what in news(book.entries):
            if self._tell(session, entry, what):
                self._unrecorded.append((entry, what))
                book = book.noted(key, now)
        self.book = book
        return book

    def look_at_nothing(self, session: Session, error: OSError) -> Book:
        """Go on when the disk cannot even be read: that is told, and of all else nobody knows that it is over."""
        severity, text, advice = DISK_WORDS["unreadable"]
        path = str(session.spool.root)
        text = f"the disk of {path} {text} ({error.strerror})"
        alert = Alert(key="disk", kind="disk", severity=severity, object=path, text=text, advice=advice)
        known = [entry.alert for key, entry in (self.book or Book()).entries.items() if key != "disk"]
        return self.look(session, lambda _: Alerts(alerts=(alert, *known)), error)

    def record(self, session: Session) -> None:
        """Tell the history what could not be told, now that the disk takes it, and keep nothing in memory any more.

        Raises
        ------
        OSError
            It does not after all.
        """
        if self.book is None:
            return
        with session.changing() as events:
            for entry, what in self._unrecorded:
                record(events, entry, what)
        self.book = None
        self._unrecorded.clear()
        self._sent.clear()

    def _tell(self, session: Session, entry: Entry, what: News) -> bool:
        """Send the news by every channel; tell whether all have taken it."""
        if session.clock.monotonic() < self._next_try:
            return False
        for message, settings in messages(session, entry, what):
            if message.id in self._sent:
                continue
            try:
                send(settings, message)
            except ChannelError as error:
                _log.warning("the channel %s took no alert: %s", message.channel, error)
                self._next_try = session.clock.monotonic() + AGAIN_SECONDS
                continue
            self._sent.add(message.id)
        return session.clock.monotonic() >= self._next_try


def why_unreadable(session: Session) -> OSError | None:
    """Return the error of a disk that cannot be read; None when it can be, or is not there."""
    try:
        os.listdir(session.spool.root)
        os.statvfs(session.spool.root)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None


def _read(session: Session) -> Book:
    try:
        return Shelf(session.spool).read()
    except OSError:
        return Book()
