"""Watching: every few seconds the router is looked at, and what begins or ends is told to people and to the history."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.diskless import ByHeart, why_unreadable
from appliance.control.alerts.inputs import SilentSender, look, silences
from appliance.control.alerts.notify import tell
from appliance.control.alerts.page_probe import PageWatch, WebServerWatch
from appliance.control.alerts.refusals import Refusals
from appliance.control.alerts.state import Book, Shelf, news, step
from appliance.control.api import status as api
from appliance.control.api.status import AcknowledgeAlert, Acknowledgement, Alert, Alerts
from appliance.control.audit_chain import DailyRoot
from appliance.control.disk import DiskForecast, with_forecast
from appliance.control.errors import ControlError
from appliance.control.pace import Pace
from appliance.control.registry import carries_out
from appliance.control.senders.news import SenderNews
from appliance.control.session import Session
from appliance.control.status import facts
from appliance.control.targets.returned_nodes import ReturnedNodes

LOOK_SECONDS: Final = 1.0
"""A fault is on every screen a second after it can be seen."""

SILENCE_SECONDS: Final = 600.0
"""Between two looks at what senders usually do: that costs a walk through weeks of counters."""

Found = Callable[[frozenset[str]], Alerts]
"""All that is not as it should be, for the keys of the alerts that are raised."""

_log = logging.getLogger(__name__)


class AlertWatch:
    """Keeps the book of alerts.

    Parameters
    ----------
    open_session : callable
        Makes a session for one look.
    page : PageWatch, optional
        Asks the status page where systemd runs it.
    front : WebServerWatch, optional
        Asks the web server in front of it.
    """

    def __init__(
        self, open_session: Callable[[], Session], page: PageWatch | None = None, front: WebServerWatch | None = None
    ) -> None:
        self._open = open_session
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="alerts", daemon=True)
        self._silences: tuple[SilentSender, ...] = ()
        self._silences_at = float("-inf")
        self._failing = False
        self._by_heart = ByHeart()
        self._page = page or PageWatch()
        self._front = front or WebServerWatch()
        self._refusals = Refusals()
        self._returned = ReturnedNodes()
        self._news = SenderNews()
        self._forecast = DiskForecast()
        self._full_in: float | None = None
        self._last: Session | None = None
        self._root = DailyRoot()
        self._pace: Pace | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """End it, also where only single looks were made."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        self._page.close()
        self._refusals.close()
        self._returned.close()

    def _keep_on(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
                self._failing = False
            except (OSError, ControlError) as error:
                if not self._failing:
                    _log.warning("alerts cannot be looked at for now: %s", error)
                self._failing = True
            except Exception:  # noqa: BLE001 - a mistake in one look must not end the watching; the log has each
                _log.exception("a look at the alerts failed")
            self._stop.wait(LOOK_SECONDS)

    def look(self) -> Book:
        """Look once, and tell what is new.

        Raises
        ------
        ControlError
            There is no configuration or no spool.
        OSError
            Something cannot be read.
        """
        try:
            session, found = self._found()
        except (OSError, ControlError):
            error = None if self._last is None else why_unreadable(self._last)
            if self._last is None or error is None:
                raise
            return self._by_heart.look_at_nothing(self._last, error)
        self._last = session
        self._root.tell(session.spool, session.clock.now())
        try:
            return self._keep_book(session, found)
        except OSError as error:
            return self._by_heart.look(session, found, error)

    def _found(self) -> tuple[Session, Found]:
        """Look at the router, and return what makes the alerts of it."""
        session = self._open()
        rules = session.config.alerts
        if rules.silence.enabled and session.clock.monotonic() - self._silences_at >= SILENCE_SECONDS:
            self._silences, self._silences_at = silences(session), session.clock.monotonic()
        silent, page = self._silences if rules.silence.enabled else (), self._page.look(session)
        self._refusals.look(session)
        self._returned.look(session)
        self._news.look(session)
        pace = self._pace = self._pace or Pace(session.clock)
        front = self._front.look(session)
        found, signals = facts(session, pace), look(session, silent, page, pace).model_copy(update={"front": front})
        self._full_in = self._forecast.seconds_left(session.clock.monotonic(), found.disk)
        found = with_forecast(found, self._full_in)
        return session, lambda raised: alerts_of(found, signals, rules, raised)

    def _keep_book(self, session: Session, found: Found) -> Book:
        shelf, rules = Shelf(session.spool), session.config.alerts
        with shelf.exclusive():
            before = shelf.read()
            kept = self._by_heart.book or before
            book = step(kept, found(frozenset(kept.entries)), rules, session.clock.now())
            book = book.model_copy(update={"disk_full_in": self._full_in})
            shelf.write(book, before)
            self._by_heart.record(session)
            for key, entry, what in news(book.entries):
                tell(session, entry, what)
                before, book = book, book.noted(key, session.clock.now())
                shelf.write(book, before)
        return book


@carries_out(api.ACKNOWLEDGE)
def acknowledge(session: Session, wanted: AcknowledgeAlert) -> Alert:
    """Note that somebody knows of an alert, or take it back.

    Raises
    ------
    ControlError
        There is no such alert, or its acknowledgement would have ended already.
    """
    key, now = wanted.key, session.clock.now()
    if wanted.until is not None and wanted.until <= now:
        raise ControlError("invalid", "the end of the acknowledgement lies in the past", "name a later time, or none")
    known = None
    if not wanted.withdraw:
        known = Acknowledgement(by=session.user, at=now, until=wanted.until, comment=wanted.comment)
    with session.changing() as events:
        shelf = Shelf(session.spool)
        with shelf.exclusive():
            book = shelf.read()
            entry = book.entries.get(key)
            if entry is None or entry.cleared is not None:
                raise ControlError("not-found", f"no alert {key!r} is raised", "`mercure alerts list` shows what is")
            changed = entry.model_copy(update={"acknowledged": known})
            shelf.write(book.model_copy(update={"entries": {**book.entries, key: changed}}), book)
        before, after = (None if item is None else item.model_dump(mode="json") for item in (entry.acknowledged, known))
        session.audit(events, "alerts.acknowledge", key, before=before, after=after)
    return changed.shown
