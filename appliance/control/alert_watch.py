"""Watching: every few seconds the router is looked at, and what begins or ends is told to people and to the history."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from appliance.control.alert_book import Book, Entry, News, Shelf, news, step
from appliance.control.alerts import alerts_of, is_due, rule_of
from appliance.control.api.status import Acknowledgement, Alert, Alerts, Status
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.control.signals import SilentSender, look, silences
from appliance.control.status import status
from mercure.config import Config
from mercure.config.alerts import Alerts as Rules
from mercure.config.notifications import ChannelSettings
from mercure.event_details import AlertCleared, AlertRaised
from mercure.events import EventWriter
from mercure.names import derived_id, utc_text
from mercure.notifications.facts import Facts
from mercure.notifications.message import compose
from mercure.notifications.queue import Queue

LOOK_SECONDS: Final = 3.0
"""A crash loop is told within five seconds."""

SILENCE_SECONDS: Final = 600.0
"""Between two looks at what senders usually do: that costs a walk through weeks of counters."""

PASSING_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


class AlertWatch:
    """Keeps the book of alerts.

    Parameters
    ----------
    open_session : callable
        Makes a session for one look.
    """

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open = open_session
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="alerts", daemon=True)
        self._silences: tuple[SilentSender, ...] = ()
        self._silences_at = float("-inf")
        self._failing = False

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(seconds)

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
            The disk refuses; what was not told is told with the next look.
        """
        session = self._open()
        rules = session.config.alerts
        shelf = Shelf(session.spool)
        if rules.silence.enabled and session.clock.monotonic() - self._silences_at >= SILENCE_SECONDS:
            self._silences, self._silences_at = silences(session), session.clock.monotonic()
        found_status, signals = status(session), look(session, self._silences if rules.silence.enabled else ())
        with shelf.exclusive():
            before = shelf.read()
            found = alerts_of(found_status, signals, rules, frozenset(before.entries))
            book = step(before, found, rules, session.clock.now())
            shelf.write(book, before)
            for key, entry, what in news(book.entries):
                tell(session, entry, what)
                before, book = book, book.noted(key, session.clock.now())
                shelf.write(book, before)
        return book


def listed(session: Session, found: Status | None = None) -> Alerts:
    """Return what a person should look at: what is in the book, or what is found where nobody keeps one."""
    book = Shelf(session.spool).read()
    now = session.clock.now()
    if book.is_fresh(now):
        return book.listed()
    rules = session.config.alerts
    signals = look(session, silences(session) if rules.silence.enabled and found is None else ())
    alerts = alerts_of(found or status(session), signals, rules).alerts
    return Alerts(alerts=tuple(alert for alert in alerts if _seems_due(alert, rules, now)))


def _seems_due(alert: Alert, rules: Rules, now: datetime) -> bool:
    """Judge by a single look: what is known to be too young is left out, and what must last long to mean anything."""
    if alert.since is not None:
        return is_due(alert, rules, now, now)
    return rule_of(alert.kind, rules).after_seconds <= PASSING_SECONDS


def acknowledge(session: Session, key: str, known: Acknowledgement | None) -> Alert:
    """Note that somebody knows of an alert, or take it back.

    Raises
    ------
    ControlError
        There is no such alert.
    """
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


def tell(session: Session, entry: Entry, what: News) -> None:
    """Tell the history, and put messages into the queue; doing it again does no harm."""
    config, alert = session.config, entry.alert
    # By the time of what happened: messages go out in the order of their ids.
    base = derived_id(f"{entry.cleared or entry.raised:%Y%m%dT%H%M%S%f}", alert.key)
    of = derived_id(base, f"{what}:{entry.times}")
    if what != "again":
        with session.changing() as events:
            _record(events, entry, what, of)
    _log.info("alert %s", what, extra={"key": alert.key, "severity": alert.severity})
    queue, facts = Queue(session.spool), _facts(config, entry, what)
    for name, settings in _channels(config, alert).items():
        queue.put(compose(name, settings, config.notifications, facts, now=session.clock.now(), of=of))


def _record(events: EventWriter, entry: Entry, what: News, of: str) -> None:
    alert, ended = entry.alert, entry.cleared
    if what == "raised" or ended is None:
        told = alert.model_dump(include={"key", "kind", "severity", "object", "text", "advice", "since"})
        events.emit(AlertRaised.model_validate(told), id=of)
        return
    seconds = round((ended - entry.raised).total_seconds(), 3)
    cleared = AlertCleared(
        key=alert.key, kind=alert.kind, object=alert.object, text=alert.text, raised=entry.raised, seconds=seconds
    )
    events.emit(cleared, id=of)


def _facts(config: Config, entry: Entry, what: News) -> Facts:
    alert = entry.alert
    since = alert.since or entry.raised
    return Facts(
        router=config.name,
        occasion="alert_cleared" if what == "cleared" else "alert_raised",
        alert=alert.key,
        severity=alert.severity,
        object=alert.object,
        text=alert.text,
        advice="" if what == "cleared" else alert.advice,
        since=f"{utc_text(since)[:19]}Z",
        lasted=round(((entry.cleared or entry.told or entry.raised) - entry.raised).total_seconds()),
        count=entry.times,
    )


def _channels(config: Config, alert: Alert) -> dict[str, ChannelSettings]:
    """Return by which channels an alert goes out: never by the one that it is about."""
    names = rule_of(alert.kind, config.alerts).channels
    known = config.notifications.channels
    return {
        name: known[name]
        for name in (config.alerts.channels if names is None else names)
        if not known[name].disabled and not (alert.kind == "notification" and alert.object == name)
    }
