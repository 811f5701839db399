"""A control server over an initialised root, with callers of any role."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from appliance.control import setup, wire
from appliance.control.api.base import Role
from appliance.control.client import Client
from appliance.control.connection import Limits
from appliance.control.roles import Caller
from appliance.control.server import Server
from appliance.control.session import Session
from mercure.config import Root
from tests.unit.appliance.conftest import events_of

QUICK = Limits(connections=12, connections_of_one=8, request_seconds=0.3, idle_seconds=30.0, send_seconds=0.5)


@pytest.fixture
def root() -> Iterator[Root]:
    """An initialised root that other users can reach."""
    with tempfile.TemporaryDirectory(prefix="mercure-control-") as folder:
        Path(folder).chmod(0o755)
        root = Root(Path(folder) / "root")
        session = Session(root, "alice")
        setup.initialise(session)
        for path in (root.path, root.run):
            path.chmod(0o755)
        events_of(session)
        yield root


@pytest.fixture
def session(root: Root) -> Session:
    return Session(root, "alice")


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


@pytest.fixture
def served(root: Root) -> Iterator[Served]:
    with serving(root) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.root, seconds=20) as client:
        yield client


AsRole = Callable[[Role | None], None]


@pytest.fixture
def as_role(served: Served, monkeypatch: pytest.MonkeyPatch) -> AsRole:
    """Give a function that makes everybody who connects from now on a user with a role."""

    def become(role: Role | None) -> None:
        caller = Caller("bob", 4242, role)
        monkeypatch.setattr("appliance.control.server.identify", lambda peer, owner, groups: caller)

    return become


class RawConnection(AbstractContextManager["RawConnection"]):
    """A connection that may say anything."""

    def __init__(self, root: Path, seconds: float = 10.0) -> None:
        self.socket = wire.connect(root / "run", seconds)
        self.lines = wire.Lines(self.socket, wire.MAX_ANSWER_BYTES)

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


@pytest.fixture
def raw(served: Served) -> Iterator[Callable[[], RawConnection]]:
    with ExitStack() as stack:

        def connect() -> RawConnection:
            connection = RawConnection(served.root)
            stack.callback(connection.close)
            return connection

        yield connect


def limits(**changes: Any) -> Limits:
    return replace(QUICK, **changes)
