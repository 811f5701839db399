"""TCP ports for servers in tests: nobody else has them, in no other worker and no other run."""

from __future__ import annotations

import random
import socket
from pathlib import Path

# Below the range from which the kernel takes ports for outgoing connections, so that none of those can sit on a
# port between the moment it is given out here and the moment a server binds it.
FIRST, LAST = 15_000, 31_999

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port on which nothing listens, reserved until this process ends.

    The reservation is an abstract Unix socket named after the port: visible to all processes of the machine, gone
    with this one. (Binding port 0 and closing it again, the usual way, gives the same port to two workers.)
    """
    candidates = range(FIRST, LAST + 1)
    for port in random.sample(candidates, len(candidates)):
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            reservation.bind(f"\0mercure-test-port-{port}")
        except OSError:
            reservation.close()
            continue
        _reserved.append(reservation)
        if _can_be_bound(port):
            return port
    message = f"no free port from {FIRST} to {LAST}"
    raise AssertionError(message)


def _can_be_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 a probe: it never listens
        except OSError:
            return False
    return True


LISTEN = "0A"


def is_listening(port: int, *, pid: int | None = None) -> bool:
    """Tell whether something listens on a TCP port, without connecting to it.

    A connection would be one association more in the log of the server, and the only one for some.

    Parameters
    ----------
    port
        The port, 1 to 65535.
    pid
        A process whose network namespace is looked at; default: this one's.
    """
    suffix = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid or 'self'}/net/{table}")
        if not path.exists():
            continue
        for line in path.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(suffix) and fields[3] == LISTEN:
                return True
    return False
