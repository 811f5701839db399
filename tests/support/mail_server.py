"""A real SMTP server (aiosmtpd) that takes, refuses, or wants TLS and a login; and a listener that never answers."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from tests.support.certificates import Certificate

PASSWORD = "correct horse"  # noqa: S105 - of a server that lives for a test


@dataclass
class Mailbox:
    """What the server took, and what it is to refuse (a reply by recipient, or to the data)."""

    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    refuse_data: str = ""
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Take a recipient."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        if self.refuse_data:
            return self.refuse_data
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


@contextlib.contextmanager
def mail_server(
    certificate: Certificate | None = None, *, security: str = "none", login: bool = False, port: int = 0
) -> Iterator[Mailbox]:
    """Run a server on loopback; `security` as in the configuration of a channel."""
    box = Mailbox()
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.file, certificate.key)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True} if login else {}
    if security == "tls":
        options |= {"ssl_context": tls, "auth_require_tls": False}
    elif security == "starttls":
        options |= {"tls_context": tls, "require_starttls": True}
    controller = _Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


class _Controller(Controller):
    """A controller on a port that the kernel chooses."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's


@contextlib.contextmanager
def silent_server(greeting: bytes = b"", drip: bytes = b"", every: float = 0.05) -> Iterator[int]:
    """Accept connections and never say what is expected: nothing, or a byte now and then; yield the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def speak(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.sendall(greeting)
                while not over.wait(every):
                    connection.sendall(drip)

        def accept() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=speak, args=(connection,)))
                    threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            for thread in threads:
                thread.join()
