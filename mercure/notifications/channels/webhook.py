"""Webhooks: a POST of JSON, signed by HMAC-SHA256; no redirects, and a total time limit."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import ssl
from typing import Final
from urllib.parse import urlsplit

from mercure import __version__
from mercure.clock import wall_seconds
from mercure.config.notifications import Webhook
from mercure.config.secrets import SecretError, read_secret
from mercure.names import utc_text
from mercure.notifications.channels.outcome import TOO_LONG, ChannelError, SendResult, calling
from mercure.notifications.message import Message
from mercure.printable import one_line

SIGNATURE: Final = "Mercure-Signature"
MAX_BODY: Final = 256 * 1024
"""Bytes that are sent at most; `values` are left out of a larger body."""

_PORTS: Final = {"http": 80, "https": 443}
_READ: Final = 4096
"""Bytes of an answer that are looked at."""

_GOOD: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_LATER: Final = frozenset({401, 403, 404, 408, 409, 421, 423, 425, 429})
"""What may be right later, when something was put right at the other side or in our configuration."""

_LONGEST_WAIT: Final = 3600.0


def send_webhook(settings: Webhook, message: Message) -> SendResult:
    """Post a message.

    Raises
    ------
    ChannelError
        The other side did not answer with 2xx.
    """
    parts = urlsplit(settings.url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        body = body_of(message)
        headers = _headers(settings, message, body)
        tls = ssl.create_default_context(cafile=settings.ca_file) if parts.scheme == "https" else None
    except (SecretError, OSError) as error:
        raise ChannelError(f"{host}:{port} was not asked: {error}") from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with calling(host, port, settings.timeout_seconds) as call:
        connection = http.client.HTTPConnection(host, port)
        try:
            connection.sock = tls.wrap_socket(call.socket, server_hostname=host) if tls is not None else call.socket
            connection.request("POST", path, body, headers)
            # Closed here: an answer that is not read to its end keeps the connection open beyond its own end.
            with contextlib.closing(connection.getresponse()) as answer:
                return _judged(f"{host}:{port}", answer.status, answer.headers, answer.read(_READ))
        except http.client.HTTPException as error:
            text = TOO_LONG if call.late.is_set() else f"no answer of HTTP: {type(error).__name__}"
            raise ChannelError(f"{host}:{port}: {text}") from error
        finally:
            connection.close()


def body_of(message: Message) -> bytes:
    """Return what is posted."""
    content = {
        "id": message.id,
        "occasion": message.occasion,
        "created": utc_text(message.created),
        "subject": message.subject,
        "text": message.text,
        "values": message.values,
    }
    body = json.dumps(content).encode()
    return body if len(body) <= MAX_BODY else json.dumps({**content, "values": {}}).encode()[:MAX_BODY]


def signature(secret: str, body: bytes, seconds: int) -> str:
    """Return the signature of a body at a time (seconds since 1970): ``t=…,v1=…``.

    ``v1`` is the HMAC-SHA256 (RFC 2104) of the time in decimal, a dot, and the body, in hexadecimal. The time is part
    of it so that a recorded message can be told from a fresh one.
    """
    digest = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _headers(settings: Webhook, message: Message, body: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"mercure/{__version__}",
        "Mercure-Message": message.id,
        "Connection": "close",
    }
    if settings.secret is not None:
        headers[SIGNATURE] = signature(read_secret(settings.secret), body, int(wall_seconds()))
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {_one_word(read_secret(settings.token))}"
    return headers


def _one_word(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SecretError("the token is not one word of ASCII")
    return token


def _judged(where: str, status: int, headers: http.client.HTTPMessage, body: bytes) -> SendResult:
    if status in _GOOD:
        return SendResult()
    if status in _REDIRECTS:
        to = one_line(headers.get("Location", ""), 200)
        raise ChannelError(f"{where}: {status}, a redirect to {to or 'nowhere'}, which is not followed")
    words = one_line(body.decode("utf-8", "replace"), 200)
    final = status < http.client.INTERNAL_SERVER_ERROR and status not in _LATER
    raise ChannelError(f"{where}: {status} {words}".strip(), final=final, wait=_wait(headers.get("Retry-After", "")))


def _wait(text: str) -> float:
    """Read ``Retry-After`` in seconds (RFC 9110, section 10.2.3); a date is passed over."""
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0
