"""Guard of the status page: methods, permitted addresses, the rate of searches, and the headers of every answer."""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from appliance.status_page.language import Words, language_of
from appliance.status_page.source import Snapshot
from mercure.clock import Clock
from mercure.config.status_page import Network, StatusPage

Address = IPv4Address | IPv6Address
BY_SOCKET: Final = "localhost"
"""Address of a client on a Unix socket: a proxy on this machine, admitted by the socket's permissions."""

_MOST_HOPS: Final = 20


def client_of(environ: Mapping[str, Any], trusted: Iterable[Network]) -> Address | None:
    """Return the address of the client.

    ``X-Forwarded-For`` is read from its end, where the nearest proxy wrote, and only as far as proxies are trusted;
    anybody can write what stands before that. A client on a Unix socket is a trusted proxy.

    Parameters
    ----------
    environ : mapping
        Of the request (PEP 3333).
    trusted : iterable of Network
        The proxies.

    Returns
    -------
    address or None
        None when the server does not know it, or a trusted proxy sent something that is no address.
    """
    trusted, remote = tuple(trusted), str(environ.get("REMOTE_ADDR", ""))
    address, believed = _address(remote), remote == BY_SOCKET
    hops = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",") if "HTTP_X_FORWARDED_FOR" in environ else []
    for hop in list(reversed(hops))[:_MOST_HOPS]:
        if not (believed or (address is not None and _within(address, trusted))):
            break
        address, believed = _address(hop.strip()), False
    return address


def may_look(address: Address | None, settings: StatusPage) -> bool:
    """Return True if an address is in an allowed network, or no network is configured."""
    if not settings.allowed_networks:
        return True
    return address is not None and _within(address, settings.allowed_networks)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Of every answer. No script, no outside resource, no frame, no cookie."""

METHODS: Final = ("GET", "HEAD")
CLIENT: Final = "mercure.client"
"""Key of the client's address in the environment of a request (WSGI)."""

_log = logging.getLogger(__name__)


class Guard:
    """WSGI middleware in front of the pages.

    Parameters
    ----------
    application : callable
        The pages (WSGI, PEP 3333).
    known : callable
        Returns what is known of the router; without settings while they are not known, and the pages are empty.
    """

    def __init__(self, application: Application, known: Callable[[], Snapshot]) -> None:
        self._application = application
        self._known = known
        self.answered: Counter[str] = Counter()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:  # noqa: ANN401 - of WSGI
            self.answered[status[:3]] += 1
            names = {name.lower() for name, _ in headers}
            added = [(name, value) for name, value in HEADERS if name.lower() not in names]
            if "cache-control" not in names:
                added.append(("Cache-Control", "no-store"))
            return start_response(status, [*headers, *added], *more)

        accepted = str(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        if environ.get("REQUEST_METHOD") not in METHODS:
            allow = [("Allow", ", ".join(METHODS))]
            return _plain(begin, "405 Method Not Allowed", Words(language_of("", accepted)), allow)
        known = self._known()
        settings = known.settings
        environ[CLIENT] = client_of(environ, settings.trusted_proxies if settings else ())
        if settings is not None and not may_look(environ[CLIENT], settings):
            _log.info("turned away: %s is in no allowed network", environ[CLIENT])
            return _plain(begin, "403 Forbidden", Words(language_of("", accepted, known.site.language)), [])
        return self._application(environ, begin)


def _plain(begin: StartResponse, status: str, words: Words, headers: list[tuple[str, str]]) -> Iterable[bytes]:
    """Answer in a sentence, with a page that needs no template."""
    title, text = (escape(words(f"error.{status[:3]}{part}")) for part in ("", ".text"))
    body = (
        f'<!doctype html><html lang="{words.language}"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1><p>{text}</p></html>\n"
    ).encode()
    begin(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), *headers])
    return [body]


KNOWN_ADDRESSES: Final = 4096
"""Addresses remembered; a forgotten one starts with a full allowance."""

ALL_TOGETHER: Final = 10
"""All addresses together may search this many times as often as one."""

_MINUTE: Final = 60.0


@dataclass
class _Bucket:
    """Tokens left in a bucket, and the time of that count."""

    left: float
    since: float


class Limiter:
    """Token bucket for each address, and one for all together, so that accession numbers cannot be tried out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None

    def wait(self, address: Address | None, per_minute: int) -> int:
        """Take one token of an address.

        Returns
        -------
        int
            0 if there was one, else the seconds until there is one, at least 1.
        """
        now = self._clock.monotonic()
        with self._lock:
            mine = self._bucket(_key(address), now, per_minute)
            everybody = self._all = self._all or _Bucket(per_minute * ALL_TOGETHER, now)
            found = ((mine, per_minute), (everybody, per_minute * ALL_TOGETHER))
            waits = [_missing(bucket, now, allowed) for bucket, allowed in found]
            if max(waits) > 0:
                return int(max(waits)) + 1
            for bucket, _ in found:
                bucket.left -= 1
            return 0

    def _bucket(self, key: str, now: float, per_minute: int) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(per_minute, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > KNOWN_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def _missing(bucket: _Bucket, now: float, per_minute: int) -> float:
    """Refill a bucket up to now; return the seconds until it holds a token, 0 if it does."""
    bucket.left = min(per_minute, bucket.left + (now - bucket.since) * per_minute / _MINUTE)
    bucket.since = now
    return max(0.0, (1 - bucket.left) * _MINUTE / per_minute)


def _key(address: Address | None) -> str:
    """Return the key of an address: an IPv6 machine has 2**64 addresses, so its network counts."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
