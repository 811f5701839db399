"""E-mail by SMTP (RFC 5321), over TLS unless the configuration says otherwise."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from mercure.config.notifications import EMail
from mercure.config.secrets import SecretError, read_secret
from mercure.notifications.channels.outcome import TOO_LONG, ChannelCall, ChannelError, SendResult, calling
from mercure.notifications.message import Message
from mercure.printable import one_line

_FINAL: Final = range(500, 600)
"""Replies by which a server refuses for good (RFC 5321, section 4.2.1)."""


def send_email(settings: EMail, message: Message) -> SendResult:
    """Send a message to all recipients of a channel.

    Raises
    ------
    ChannelError
        The server took it for none of them.
    """
    try:
        password = read_secret(settings.password) if settings.password is not None else ""
        tls = ssl.create_default_context(cafile=settings.ca_file)
    except (SecretError, OSError) as error:
        raise ChannelError(f"{settings.host} was not asked: {error}") from error
    where = f"{settings.host}:{settings.port}"
    with calling(settings.host, settings.port, settings.timeout_seconds) as call:
        try:
            return _converse(call, settings, password, tls, written(settings, message))
        except smtplib.SMTPException as error:
            # smtplib tells of a time-out as of a lost connection.
            if call.late.is_set() or isinstance(error.__context__, TimeoutError):
                raise ChannelError(f"{where}: {TOO_LONG}") from error
            raise _failure(where, error, settings) from error


def written(settings: EMail, message: Message) -> EmailMessage:
    """Write the mail. Nothing from outside gets into a header but the subject, and that as one line."""
    mail = EmailMessage(policy=SMTP.clone(max_line_length=78))
    mail["Subject"] = one_line(message.subject)
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.recipients)
    mail["Date"] = format_datetime(message.created)
    # The same at each try: who gets a message twice after a crash of ours can tell.
    mail["Message-ID"] = f"<{message.id}.{message.channel}@{settings.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text or message.subject)
    return mail


class _Client(smtplib.SMTP):
    """A client over a connection that is there already."""

    def __init__(self, connection: socket.socket, host: str, seconds: float) -> None:
        self._connection = connection
        super().__init__(timeout=seconds)
        self._host = host  # the name that `starttls` checks
        self.connect(host)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connection


def _converse(call: ChannelCall, settings: EMail, password: str, tls: ssl.SSLContext, mail: EmailMessage) -> SendResult:
    connection = call.socket
    if settings.security == "tls":
        connection = tls.wrap_socket(connection, server_hostname=settings.host)
    client = _Client(connection, settings.host, settings.timeout_seconds)
    try:
        if settings.security == "starttls":
            client.starttls(context=tls)
        if settings.username:
            client.login(settings.username, password)
        refused = client.send_message(mail, settings.sender, list(settings.recipients))
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
    finally:
        client.close()
    texts = [f"{name}: {code} {_text(reply)}" for name, (code, reply) in refused.items()]
    return SendResult(f"refused for {'; '.join(texts)}" if texts else "")


def _failure(where: str, error: smtplib.SMTPException, settings: EMail) -> ChannelError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        name, (code, reply) = next(iter(error.recipients.items()))
        text = f"{where}: refused for every recipient, {name}: {code} {_text(reply)}"
        return ChannelError(text, final=all(code in _FINAL for code in codes))
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Not for good: it is the password that will be put right, and the message is still worth sending.
        return ChannelError(f"{where}: the login of {settings.username} was refused: {error.smtp_code}")
    if isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused):
        text = f"{where}: {error.smtp_code} {_text(error.smtp_error)}"
        return ChannelError(text, final=error.smtp_code in _FINAL)
    if isinstance(error, smtplib.SMTPResponseException):
        return ChannelError(f"{where}: {error.smtp_code} {_text(error.smtp_error)}")
    return ChannelError(f"{where}: {one_line(str(error), 300)}")


def _text(reply: bytes | str) -> str:
    return one_line(reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply, 300)
