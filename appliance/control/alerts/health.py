"""How the router is: what is seen of it, judged by the alerts. Screens, page, ``/healthz`` and CLI all ask here."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from appliance.control.alerts.conditions import USUAL_AT_FIRST, alerts_of, as_watched, is_due, rule_of, worst_first
from appliance.control.alerts.inputs import look, silences
from appliance.control.alerts.state import Book, Shelf
from appliance.control.api import status as api
from appliance.control.api.base import Nothing
from appliance.control.api.status import Alert, Alerts, Status
from appliance.control.disk import with_forecast
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.control.status import facts
from mercure.config.alerts import AlertSettings as Rules

PASSING_SECONDS: Final = 60.0
"""Where nobody watches, a single look raises what need not last longer than this."""


def status(session: Session) -> Status:
    """Return what is seen of the router, and what it amounts to.

    Raises
    ------
    ControlError
        The root has no configuration.
    """
    return judged(facts(session), session)[0]


@carries_out(api.GET)
def get(session: Session, wanted: Nothing) -> Status:
    """Look at everything."""
    return status(session)


@carries_out(api.ALERTS)
def list_alerts(session: Session, wanted: Nothing) -> Alerts:
    """List what a person should look at."""
    return current_alerts(session)


def judged(found: Status, session: Session) -> tuple[Status, Alerts]:
    """Return a status with its health and problems, and the alerts that these come from."""
    book = _fresh_book(session)
    if book is not None:
        found = with_forecast(found, book.disk_full_in)
    alerts = _alerts(session, book, found)
    texts = tuple(f"{alert.text}: {alert.advice}" if alert.advice else alert.text for alert in alerts.alerts)
    return found.model_copy(update={"health": alerts.health, "problems": texts}), alerts


def current_alerts(session: Session) -> Alerts:
    """Return what a person should look at: what is in the book, or what is found where nobody keeps one."""
    return _alerts(session, _fresh_book(session))


def _fresh_book(session: Session) -> Book | None:
    """Read the book; None where nobody keeps it now."""
    book = Shelf(session.spool).read()
    return book if book.is_fresh(session.clock.now()) else None


def _alerts(session: Session, book: Book | None, found: Status | None = None) -> Alerts:
    """Return the alerts of a book, or those of a status: without one it is looked at.

    A router that does not run has nobody who keeps the book, however fresh it is.
    """
    if book is not None and (found is None or found.running):
        return book.listed()
    rules, now = session.config.alerts, session.clock.now()
    signals = look(session, silences(session) if rules.silence.enabled and found is None else ())
    alerts = alerts_of(found or facts(session), signals, rules).alerts
    due = [alert for alert in alerts if _seems_due(alert, rules, now)]
    young = [as_watched(alert, now) for alert in alerts if alert not in due and alert.kind not in USUAL_AT_FIRST]
    return Alerts(alerts=worst_first([*due, *young]))


def _seems_due(alert: Alert, rules: Rules, now: datetime) -> bool:
    """Judge by a single look: what must last long to mean anything is not due, unless it is known for how long."""
    if alert.since is not None:
        return is_due(alert, rules, now, now)
    return rule_of(alert.kind, rules).after_seconds <= PASSING_SECONDS
