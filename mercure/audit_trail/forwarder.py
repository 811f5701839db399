"""Forwarder: sends the audit messages of what is in the history as syslog over TLS, and never loses them silently.

The history is the queue on disk: while the repository is away nothing waits but a position in it. What is older than
`keep_days` by then is left out, which is an event and an alert. Syslog has no answers, so what was written shortly
before a connection ended is written again: a repository may get a message twice, with the same content.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.audit_trail.messages import TYPES, MessageContext, audit_message
from mercure.clock import Clock
from mercure.config import Config, Root
from mercure.config.audit import AuditRepository
from mercure.dicom.tls import TlsFilesError, client_context
from mercure.event_details import Warned
from mercure.history.changes_since import CurrentHistory, HistoryChanges
from mercure.history.database import HistoryError
from mercure.history.records import EventRecord
from mercure.model import Record, read_state
from mercure.spool import Spool, Stage, notices

LOOK_SECONDS: Final = 1.0
AGAIN: Final = timedelta(seconds=60)
"""What was written so long before now is written again after a connection was lost, and after a restart. The same slack
is for events that are recorded after the time that they bear."""

ALERT_SECONDS: Final = 300.0
"""A repository that is away for longer is an alert."""

_AT_ONCE: Final = 500
"""The position is moved after so many events, so that a long backlog is not begun anew after each lost connection."""

POSITION: Final = "position.json"
"""In ``state/audit/``."""
_ABOUT: Final = "audit repository"
_log = logging.getLogger(__name__)
Emit = Callable[[Warned], object]


class Position(Record):
    """Up to when the messages of all events were written to a repository."""

    to: AwareDatetime
    repository: str = ""


class AuditForwarder:
    """The forwarder.

    Parameters
    ----------
    root, spool : Root and Spool
        Where history and notices are.
    config : callable
        Returns the configuration in force.
    clock : Clock
        Time.
    emit : callable
        Writes an event; called from the forwarder's thread.
    """

    def __init__(self, root: Root, spool: Spool, config: Callable[[], Config], clock: Clock, emit: Emit) -> None:
        self._history = CurrentHistory(root)
        self._spool, self._config, self._clock = spool, config, clock
        self._emit = emit
        self._file = spool.stage(Stage.STATE) / "audit" / POSITION
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="audit trail", daemon=True)
        self._connection: SyslogConnection | None = None
        self._sent: dict[str, datetime] = {}
        self._position: Position | None = None
        self._recorded: tuple[HistoryChanges, datetime] | None = None
        self._away_since: float | None = clock.monotonic()
        """None while it is connected."""
        self._logged = False
        self._alert_at = float("-inf")

    def start(self) -> None:
        """Begin to forward, unless it was begun."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _keep_on(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.turn()
            except Exception:  # noqa: BLE001 - a mistake in one look must not end the trail; the log has each
                _log.exception("a look at the audit trail failed")
        self._disconnect()
        self._history.close()

    def turn(self) -> None:
        """Send what is new."""
        config = self._config()
        repository = config.audit.repository
        if repository is None:
            self._disconnect()
            self._back()
            return
        try:
            self._forward(config, repository)
        except (OSError, ssl.SSLError, TlsFilesError) as error:
            self._lost(repository, str(error))
        except HistoryError as error:
            _log.debug("the audit trail waits for the history: %s", error)
            self._recorded = None

    def _forward(self, config: Config, repository: AuditRepository) -> None:
        news = self._history.of(config)
        position = self._begin(repository)
        if self._connection is None:
            self._connection = SyslogConnection(repository)
            self._sent = {key: time for key, time in self._sent.items() if time < position.to - AGAIN}
            self._recorded = None
        self._connection.check()
        self._back()
        recorded = news.recorded(config.name)
        if recorded is None or (news, recorded) == self._recorded:
            return
        now = self._clock.now()
        waits = news.oldest_unrecorded(self._spool.stage(Stage.OUTBOX), config.name)
        oldest = now - timedelta(days=repository.keep_days)
        lost = 0
        for number, event in enumerate(news.since(TYPES, min(position.to, now) - AGAIN, config.name), 1):
            if number % _AT_ONCE == 0:
                self._advance(min(waits or event.time, event.time), repository)
            if event.id in self._sent:
                continue
            if event.time < oldest:
                lost += event.time >= position.to
            else:
                self._send(event, MessageContext(config, news.task(event.task) if event.task else None))
                self._sent[event.id] = event.time
        if lost:
            self._told_of_loss(lost, repository)
        self._recorded = (news, recorded)
        self._advance(min(waits or now, now), repository)

    def _send(self, event: EventRecord, context: MessageContext) -> None:
        try:
            message = audit_message(event, context)
        except ValidationError as error:
            _log.warning("an event has no audit message: %s", error, extra={"event": event.id, "type": event.type})
            return
        if message is not None and self._connection is not None:
            self._connection.send(event.time, message)

    def _begin(self, repository: AuditRepository) -> Position:
        """Return the position; for another repository than that of before it begins now."""
        if self._position is None:
            self._position = read_state(self._file, Position)
        if self._position is None or self._position.repository != _name(repository):
            self._disconnect()
            self._sent = {}
            self._position = Position(to=self._clock.now(), repository=_name(repository))
            self._save()
        return self._position

    def _advance(self, to: datetime, repository: AuditRepository) -> None:
        before, self._position = self._position, Position(to=to, repository=_name(repository))
        self._sent = {key: time for key, time in self._sent.items() if time >= to - 2 * AGAIN}
        if before != self._position:
            self._save()

    def _save(self) -> None:
        if self._position is not None:
            durable.make_directory(self._file.parent)
            # Not synced: after a power cut it is older, and messages are written again.
            durable.write_file(self._file, self._position.model_dump_json().encode(), sync=False)

    def _lost(self, repository: AuditRepository, why: str) -> None:
        """Note that the repository is away; it is tried again at the next look."""
        self._disconnect()
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        if not self._logged:
            _log.warning("the audit repository %s cannot be reached: %s", _name(repository), why)
            self._logged = True
        if now - self._away_since >= ALERT_SECONDS and now >= self._alert_at:
            text = f"the audit repository {_name(repository)} cannot be reached: {why}"
            advice = f"messages wait for {repository.keep_days} days; see 'audit.repository' in the configuration"
            notices.post(self._spool, "audit", _ABOUT, text, advice, now=self._clock.now())
            self._alert_at = now + ALERT_SECONDS  # a notice that is not repeated is over some day

    def _back(self) -> None:
        if self._away_since is not None:
            notices.withdraw(self._spool, "audit", _ABOUT)
        self._away_since, self._logged, self._alert_at = None, False, float("-inf")

    def _told_of_loss(self, lost: int, repository: AuditRepository) -> None:
        text = f"{lost} audit messages for {_name(repository)} are older than {repository.keep_days} days: not sent"
        advice = "`mercure history events` has what they would have said; 'audit.repository.keep_days' is the bound"
        _log.error("%s", text)
        self._emit(Warned(text=text, advice=advice))
        notices.post(self._spool, "audit", "audit messages", text, advice, now=self._clock.now())

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _name(repository: AuditRepository) -> str:
    return f"{repository.host}:{repository.port}"


_PRIORITY: Final = 10 * 8 + 5
"""Facility 10 (security and authorization), severity 5 (notice): RFC 5424 section 6.2.1, PS3.15 A.6."""

_MESSAGE_ID: Final = "DICOM+RFC3881"
_BOM: Final = b"\xef\xbb\xbf"
_PROGRAM: Final = "mercure"
_NAME_LENGTH: Final = 255
_SECONDS: Final = 15.0


class SyslogConnection:
    """A connection to an audit repository.

    Syslog has no answers: that a message was written does not prove that it arrived. `check` finds that the other side
    has ended the connection.

    Parameters
    ----------
    repository : AuditRepository
        Where it is.

    Raises
    ------
    OSError
        It cannot be reached, or its certificate is not believed.
    mercure.dicom.tls.TlsFilesError
        A file of the settings cannot be used.
    """

    def __init__(self, repository: AuditRepository) -> None:
        tls = repository.tls
        context = client_context(tls, [])
        # Asked once for each connection: the name may come from a DNS server, which must not be asked for each message.
        self._host = socket.getfqdn()[:_NAME_LENGTH] or "-"
        plain = socket.create_connection((repository.host, repository.port), timeout=_SECONDS)
        try:
            self._socket = context.wrap_socket(plain, server_hostname=tls.server_name or repository.host)
        except BaseException:
            plain.close()
            raise

    def send(self, at: datetime, message: bytes) -> None:
        """Write a message.

        Raises
        ------
        OSError
            The connection is gone.
        """
        self.check()
        line = syslog_line(self._host, at, message)
        self._socket.sendall(b"%d %s" % (len(line), line))

    def check(self) -> None:
        """Look whether the other side has ended the connection.

        Raises
        ------
        OSError
            It has.
        """
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass  # a repository has nothing to say
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        finally:
            self._socket.settimeout(_SECONDS)
        raise ConnectionResetError("the audit repository has ended the connection")

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def syslog_line(host: str, at: datetime, message: bytes) -> bytes:
    """Return a message with its header (RFC 5424 section 6)."""
    time = at.isoformat().replace("+00:00", "Z")
    head = f"<{_PRIORITY}>1 {time} {host} {_PROGRAM} {os.getpid()} {_MESSAGE_ID} - "
    return head.encode("ascii", "replace") + _BOM + message
