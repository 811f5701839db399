"""What alerts need to know beyond the status: silent senders, certificates, the clock, notifications, the page."""

from __future__ import annotations

import ctypes
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime

from appliance.control.alerts.sender_silence import silent_senders
from appliance.control.api.tls import KnownCertificate
from appliance.control.pace import Pace
from appliance.control.tls.known import known_certificates
from mercure import durable
from mercure.history.database import HistoryError
from mercure.history.queries import History
from mercure.model import Model, Record, read_state
from mercure.names import id_time
from mercure.notifications.queue import MessageQueue
from mercure.notifications.send_queue import failing_channels
from mercure.retention.scrub import read_scrub
from mercure.routing.task_ids import newest_id
from mercure.spool import Spool, Stage, uptime
from mercure.spool.notices import Notice, notices

if TYPE_CHECKING:
    from appliance.control.session import Session
    from mercure.config import Config

_OVERDUE: Final = 3
"""A scrub is late when so many times its days have passed: on a large disk that is busy one takes long."""

_UNSYNCHRONISED: Final = 0x40
"""``STA_UNSYNC`` in adjtimex(2)."""


class SilentSender(Model):
    """A sender that is silent for longer than is its habit."""

    sender: str
    last: AwareDatetime
    reason: str
    contact: str = ""


class ClockState(Model):
    """The machine's clock, as the kernel knows it from whatever keeps it in time."""

    synchronised: bool
    error_seconds: float = 0.0


class FailingChannel(Model):
    """A channel of notifications that takes no messages."""

    name: str
    failing_since: AwareDatetime | None
    error: str


class Signals(Model):
    """All of it; nothing where nothing is to be told."""

    silences: tuple[SilentSender, ...] = ()
    certificates: tuple[KnownCertificate, ...] = ()
    clock: ClockState | None = None
    doubt: str = ""
    """Why the wall clock is not believed, and nothing retired for its age."""
    scrub_seconds: float | None = None
    """So long ago, as lived, the last scrub ended, where it is overdue."""
    channels: tuple[FailingChannel, ...] = ()
    given_up: int = 0
    given_up_since: AwareDatetime | None = None
    page: str = ""
    front: str = ""
    """What is wrong with the web server in front of the page."""
    notices: tuple[Notice, ...] = ()
    backup_at: AwareDatetime | None = None
    """When the last backup was made; None: never."""


def look(session: Session, silent: tuple[SilentSender, ...] = (), page: str = "", pace: Pace | None = None) -> Signals:
    """Look at what the rules of the configuration ask for.

    Looked for apart are the silent senders (`silences`), and what is wrong with the page (`PageWatch`).
    """
    config = session.config
    rules = config.alerts
    queue = MessageQueue(session.spool)
    failing = failing_channels(queue, config.notifications.channels) if rules.notification.enabled else {}
    first = next(queue.messages("given_up"), None)
    return Signals(
        silences=silent,
        certificates=certificates(session, pace) if rules.certificate.enabled else (),
        clock=clock_state() if rules.clock.enabled else None,
        doubt=doubt_of(session) if pace is None else pace.look("the clock", lambda: doubt_of(session)),
        scrub_seconds=overdue_scrub(session),
        channels=tuple(
            FailingChannel(name=name, failing_since=state.failing_since, error=state.error)
            for name, state in failing.items()
        ),
        given_up=queue.count("given_up"),
        given_up_since=None if first is None else first.finished,
        page=page,
        notices=tuple(notices(session.spool)),
        backup_at=last_backup(session.spool),
    )


class LastBackup(Record):
    """When a backup was made last: ``state/backup.json``."""

    made: AwareDatetime


def last_backup(spool: Spool) -> datetime | None:
    """Return when a backup was made last; None where nothing tells it."""
    found = read_state(_backup_note(spool), LastBackup)
    return None if found is None else found.made


def note_backup(session: Session) -> None:
    """Write down that a backup was made now: the folder in which it is may be anywhere.

    Raises
    ------
    OSError
        The disk refuses.
    """
    note = LastBackup(made=session.clock.now())
    durable.write_file(_backup_note(session.spool), note.model_dump_json().encode(), sync=False)


def _backup_note(spool: Spool) -> Path:
    return spool.stage(Stage.STATE) / "backup.json"


def doubt_of(session: Session) -> str:
    """Tell why the wall clock is doubted, as the cleaner does; empty when it is not."""
    newest = newest_id(session.spool)
    lived, synchronised = uptime(session.spool, session.clock), session.clock.synchronised()
    return lived.doubt(newest=id_time(newest) if newest else None, unsynchronised=not synchronised)


def overdue_scrub(session: Session) -> float | None:
    """Return for how long, as lived, no scrub has ended, where that is too long; None where all is well."""
    days, state = session.config.scrub.every_days, read_scrub(session.spool)
    since = state.last.finished if state.last is not None else None
    since = since or (state.run.begun if state.run is not None else None)
    if not days or since is None:
        return None
    age = uptime(session.spool, session.clock).age(since)
    return age if age > _OVERDUE * days * 86400 else None


def certificates(session: Session, pace: Pace | None) -> tuple[KnownCertificate, ...]:
    """Look at all certificates: seldom, for it takes reading files and asking the history."""
    return (
        known_certificates(session) if pace is None else pace.look("certificates", lambda: known_certificates(session))
    )


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read; the rest is room."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    ]


def clock_state() -> ClockState | None:
    """Ask the kernel how well the clock is kept (chrony tells it, with ``rtcsync``); None where it cannot be asked."""
    state = _Timex()  # modes 0: nothing is set, and no privilege needed
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return None
    if answer < 0:
        return None
    return ClockState(synchronised=not state.status & _UNSYNCHRONISED, error_seconds=state.maxerror / 1e6)


def silences(session: Session) -> tuple[SilentSender, ...]:
    """Look for senders that are silent for too long; none when the history cannot be asked: that is another alert."""
    rule, now = session.config.alerts.silence, session.clock.now()
    since = (now - timedelta(days=rule.learn_days)).replace(minute=0, second=0, microsecond=0)
    try:
        with History.open(session.root, session.config) as history:
            points = history.counters(["images.received"], since, now, step=60, node=session.config.name)
    except HistoryError:
        return ()
    config = session.config
    entries = {name: entry.silence for name, entry in config.senders.items() if entry.silence is not None}
    hours: dict[str, set[datetime]] = {}
    for point in points:
        if point.value > 0:
            name = _name_of(config, point.label)
            hours.setdefault(name if name in entries else point.label, set()).add(point.minute)
    in_order = {sender: sorted(active) for sender, active in hours.items()}
    return tuple(
        SilentSender(sender=found.sender, last=found.last, reason=found.reason, contact=_contact(config, found.sender))
        for found in silent_senders(in_order, rule, now, entries)
    )


def _name_of(config: Config, label: str) -> str:
    """Return the name in `senders` of a machine by its label (``AET@address``)."""
    title, _, address = label.rpartition("@")
    return config.sender_of(title, address)


def _contact(config: Config, sender: str) -> str:
    entry = config.senders.get(sender) or config.senders.get(_name_of(config, sender))
    return entry.contact if entry is not None else ""
