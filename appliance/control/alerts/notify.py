"""Telling people and the history what became of an alert."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from appliance.control.alerts.conditions import rule_of
from appliance.control.alerts.state import Entry, News
from appliance.control.api.status import Alert
from appliance.control.session import Session
from mercure.config import Config
from mercure.config.notifications import ChannelSettings
from mercure.event_details import AlertCleared, AlertRaised
from mercure.events import EventWriter
from mercure.names import derived_id, utc_text
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts
from mercure.notifications.queue import MessageQueue

_log = logging.getLogger(__name__)


def tell(session: Session, entry: Entry, what: News) -> None:
    """Tell the history, and put messages into the queue; doing it again does no harm."""
    with session.changing() as events:
        record(events, entry, what)
    queue = MessageQueue(session.spool)
    for message, _ in messages(session, entry, what):
        queue.put(message)


def messages(session: Session, entry: Entry, what: News) -> Iterator[tuple[Message, ChannelSettings]]:
    """Word the news of an alert for each channel that it goes to; the same message each time."""
    config, alert = session.config, entry.alert
    _log.info("alert %s", what, extra={"key": alert.key, "severity": alert.severity})
    facts = _facts(config, entry, what)
    for name, settings in _channels(config, alert).items():
        now, of = session.clock.now(), _identity(entry, what)
        yield compose(name, settings, config, facts, now=now, of=of), settings


def record(events: EventWriter, entry: Entry, what: News) -> None:
    """Tell the history; a reminder is none of its business."""
    alert, ended, of = entry.alert, entry.cleared, _identity(entry, what)
    if what == "again":
        return
    if what == "raised" or ended is None:
        told = alert.model_dump(include={"key", "kind", "severity", "object", "text", "advice", "since"})
        events.emit(AlertRaised.model_validate(told), id=of)
        return
    seconds = round((ended - entry.raised).total_seconds(), 3)
    cleared = AlertCleared(
        key=alert.key, kind=alert.kind, object=alert.object, text=alert.text, raised=entry.raised, seconds=seconds
    )
    events.emit(cleared, id=of)


def _identity(entry: Entry, what: News) -> str:
    """Return what the event and the messages are known by.

    By the time of what happened: messages go out in the order of their ids.
    """
    base = derived_id(f"{entry.cleared or entry.raised:%Y%m%dT%H%M%S%f}", entry.alert.key)
    return derived_id(base, f"{what}:{entry.times}")


def _facts(config: Config, entry: Entry, what: News) -> MessageFacts:
    alert = entry.alert
    since = alert.since or entry.raised
    return MessageFacts(
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
