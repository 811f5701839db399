"""Which TCP ports of a guest answer, seen from one of the networks.

    python -m tests.guests.scan SOURCE HOST

Prints a JSON list of the open ports, of all 65535. Each is knocked at with the first packet of a connection (SYN,
RFC 9293 section 3.5), and what answers that it is welcome (SYN and ACK) is open. Nothing is opened: this machine's
kernel knows of no such connection and answers with a reset. Whole connections take ten times the work, and on a busy
machine their time limits make open ports look closed.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import struct
import sys
import time
from typing import Final

PORTS: Final = range(1, 65536)
FROM_PORT: Final = 61000
"""Outside of what kernels choose for connections of their own (``ip_local_port_range``)."""
PASSES: Final = 3
"""A packet may be lost on the way, when a queue is full; each port is knocked at again, as TCP itself would."""
BETWEEN: Final = 1.0
"""Seconds that answers are waited for after each pass. They come from the same machine."""
PATIENCE: Final = 20.0
"""Seconds that a full queue of the network card may take to empty."""
AT_ONCE: Final = 256
"""Packets between two looks at what came back, so that neither queue is full for long."""
SYN: Final = 0x02
SYN_ACK: Final = 0x12
RECEIVE_BUFFER: Final = 4 << 20


def knock(source: str, host: str, port: int) -> bytes:
    """Return the TCP header of a SYN, with its checksum (RFC 9293 section 3.1)."""
    addresses = socket.inet_aton(source) + socket.inet_aton(host)

    def header(checksum: int) -> bytes:
        return struct.pack("!HHIIBBHHH", FROM_PORT, port, port, 0, 5 << 4, SYN, 64240, checksum, 0)

    empty = header(0)
    words = struct.unpack("!16H", addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(empty)) + empty)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total += total >> 16
    return header(~total & 0xFFFF)


def welcome(packet: bytes, host: str) -> int | None:
    """Return the port that a packet comes from, when it says that a knock of ours is welcome."""
    begin = (packet[0] & 0xF) * 4
    from_port, to_port, _, _, _, flags = struct.unpack_from("!HHIIBB", packet, begin)
    is_ours = packet[12:16] == socket.inet_aton(host) and to_port == FROM_PORT and flags & 0x3F == SYN_ACK
    return from_port if is_ours else None


def scan(source: str, host: str) -> list[int]:
    """Return the open ports, in order."""
    found: set[int] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        wire.bind((source, 0))
        for _ in range(PASSES):
            for port in PORTS:
                if port not in found:
                    found |= _send(wire, knock(source, host, port), host)
                if port % AT_ONCE == 0:
                    found |= _answers(wire, host, 0)
            found |= _answers(wire, host, BETWEEN)
    return sorted(found)


def _send(wire: socket.socket, packet: bytes, host: str) -> set[int]:
    """Send a packet; return the ports that answered meanwhile.

    A raw socket does not wait for room in the queue of the network card: it is told that there is none (ENOBUFS).
    """
    found: set[int] = set()
    end = time.monotonic() + PATIENCE
    while True:
        try:
            wire.sendto(packet, (host, 0))
        except OSError as error:
            if error.errno != errno.ENOBUFS or time.monotonic() > end:
                raise
            found |= _answers(wire, host, 0.01)
        else:
            return found


def _answers(wire: socket.socket, host: str, seconds: float) -> set[int]:
    """Return the ports that have answered, after waiting for more."""
    found = set()
    end = time.monotonic() + seconds
    while select.select([wire], [], [], max(0.0, end - time.monotonic()))[0]:
        port = welcome(wire.recv(1 << 16), host)
        if port is not None:
            found.add(port)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(scan(*sys.argv[1:])))
