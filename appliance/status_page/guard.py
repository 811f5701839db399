"""What holds for every request, before and after the pages: methods, who may look, and the headers of every answer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from html import escape
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from mercure.config.status_page import Network, StatusPage

Address = IPv4Address | IPv6Address
BY_SOCKET: Final = "localhost"
"""What stands for the address of who comes by a Unix socket: a proxy on this machine, by the socket's permissions."""

_MOST_HOPS: Final = 20


def client_of(environ: Mapping[str, Any], trusted: Iterable[Network]) -> Address | None:
    """Return the address of who asks.

    ``X-Forwarded-For`` is read from its end, where the nearest proxy wrote, and only as far as proxies are trusted;
    what stands before that could be written by anybody. Who comes by a Unix socket is a trusted proxy.

    Parameters
    ----------
    environ : mapping
        Of the request (PEP 3333).
    trusted : iterable of Network
        The proxies.

    Returns
    -------
    address or None
        None when the server does not know, or a trusted proxy says something that is no address.
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
    """Tell whether an address is in an allowed network; without any, everybody may."""
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
"""Where the pages find the address of who asks in the environment of a request."""

_log = logging.getLogger(__name__)


class Guard:
    """Stands before an application.

    Parameters
    ----------
    application : callable
        The pages (WSGI, PEP 3333).
    settings : callable
        Returns the settings in force; None while they are not known, when there is nothing to see either.
    """

    def __init__(self, application: Application, settings: Callable[[], StatusPage | None]) -> None:
        self._application = application
        self._settings = settings
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

        if environ.get("REQUEST_METHOD") not in METHODS:
            text = "This page can only be looked at: GET and HEAD."
            return _plain(begin, "405 Method Not Allowed", text, [("Allow", ", ".join(METHODS))])
        settings = self._settings()
        environ[CLIENT] = client_of(environ, settings.trusted_proxies if settings else ())
        if settings is not None and not may_look(environ[CLIENT], settings):
            _log.info("turned away: %s is in no allowed network", environ[CLIENT])
            text = "You may not look at this page from here. Ask the administrator of the router to allow your network."
            return _plain(begin, "403 Forbidden", text, [])
        return self._application(environ, begin)


def _plain(begin: StartResponse, status: str, text: str, headers: list[tuple[str, str]]) -> Iterable[bytes]:
    """Answer in a sentence, with a page that needs no template."""
    page = f'<!doctype html><html lang="en"><title>{escape(status[4:])}</title><h1>{escape(status[4:])}</h1><p>{escape(text)}</p></html>\n'  # noqa: E501 - one line of HTML
    body = page.encode()
    begin(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), *headers])
    return [body]
