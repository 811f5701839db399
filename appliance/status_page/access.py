"""Who asks: the address behind proxies, and whether it may look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
