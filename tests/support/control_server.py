"""A control server in this process, with callers of any role, and connections that may say anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.control.api.base import Role
from appliance.control.rpc import jsonrpc
from appliance.control.rpc.connection import Limits
from appliance.control.rpc.server import Server
from mercure.config import Root

QUICK = Limits(connections=12, connections_of_one=8, request_seconds=0.3, idle_seconds=30.0, send_seconds=0.5)


@dataclass
class Served:
    """A running server; whoever connects has the groups set here."""

    server: Server
    thread: threading.Thread
    groups: frozenset[str]

    @property
    def root(self) -> Path:
        return self.server.root.path

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.server.close()


@contextmanager
def serving(root: Root, limits: Limits = QUICK) -> Iterator[Served]:
    server = Server(root, limits)
    served = Served(server, threading.Thread(target=server.serve, daemon=True), frozenset())
    server.groups = lambda uid: served.groups
    server.open()
    server.path.chmod(0o666)  # so that a test can also be refused by its role, and not by the file
    served.thread.start()
    try:
        yield served
    finally:
        if served.thread.is_alive():
            served.stop()


AsRole = Callable[[Role | None], None]


class RawConnection(AbstractContextManager["RawConnection"]):
    """A connection that may say anything."""

    def __init__(self, root: Path, seconds: float = 10.0) -> None:
        self.socket = jsonrpc.connect(root / "run", seconds)
        self.lines = jsonrpc.Lines(self.socket, jsonrpc.MAX_ANSWER_BYTES)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes | None:
        """Read one line; None when the server has closed."""
        try:
            return self.lines.read(idle=10.0, seconds=10.0)
        except (ConnectionResetError, BrokenPipeError):
            return None

    def close(self) -> None:
        self.socket.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def limits(**changes: Any) -> Limits:
    return replace(QUICK, **changes)
