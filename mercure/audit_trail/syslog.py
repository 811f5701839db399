"""Syslog over TLS: messages by RFC 5424, counted by RFC 5425, for an audit repository."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import datetime
from typing import TYPE_CHECKING, Final

from mercure.dicom.tls import client_context

if TYPE_CHECKING:
    from mercure.config.audit import AuditRepository

_PRIORITY: Final = 10 * 8 + 5
"""Facility 10 (security and authorization), severity 5 (notice): RFC 5424 section 6.2.1, PS3.15 A.6."""

_MESSAGE_ID: Final = "DICOM+RFC3881"
_BOM: Final = b"\xef\xbb\xbf"
_APPLICATION: Final = "mercure"
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
        line = syslog_line(at, message)
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


def syslog_line(at: datetime, message: bytes) -> bytes:
    """Return a message with its header (RFC 5424 section 6)."""
    time = at.isoformat().replace("+00:00", "Z")
    host = socket.getfqdn()[:_NAME_LENGTH] or "-"
    head = f"<{_PRIORITY}>1 {time} {host} {_APPLICATION} {os.getpid()} {_MESSAGE_ID} - "
    return head.encode("ascii", "replace") + _BOM + message
