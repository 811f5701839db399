"""The header of the PROXY protocol, version 2, as a proxy sends it before what its caller says."""

from __future__ import annotations

import struct
from ipaddress import ip_address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPECIFIED, TCP4, TCP6, UNIX = 0x00, 0x11, 0x21, 0x31
TO_PORT = 11112


def header(kind: int, family: int, body: bytes = b"") -> bytes:
    """Build a header of any kind."""
    return SIGNATURE + struct.pack(">BBH", kind, family, len(body)) + body


def proxied(address: str, additions: bytes = b"") -> bytes:
    """Build the header by which a proxy speaks for the caller at an address."""
    caller = ip_address(address)
    body = caller.packed + caller.packed + struct.pack(">HH", 50_000, TO_PORT)
    return header(PROXY, TCP4 if caller.version == 4 else TCP6, body + additions)


def addition(kind: int, value: bytes) -> bytes:
    """Build a type-length-value that follows the addresses."""
    return struct.pack(">BH", kind, len(value)) + value
