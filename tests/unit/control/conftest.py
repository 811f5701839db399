"""A control server over an initialised root, with callers of any role."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.control.api.base import Role
from appliance.control.configuration import setup
from appliance.control.roles import Caller
from appliance.control.rpc.client import Client
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.config import Root
from mercure.spool import Spool
from tests.support.control_server import AsRole, RawConnection, Served, serving
from tests.support.tasks import PutTask, events_of, place_task


@pytest.fixture
def clock() -> Clock:
    """The clock of the session; where ages matter, one that stands still takes its place."""
    return Clock()


@pytest.fixture
def root(clock: Clock) -> Iterator[Root]:
    """An initialised root that other users can reach."""
    with tempfile.TemporaryDirectory(prefix="mercure-control-") as folder:
        Path(folder).chmod(0o755)
        root = Root(Path(folder) / "root")
        session = Session(root, "alice", clock=clock)
        setup.initialise(session)
        for path in (root.path, root.run):
            path.chmod(0o755)
        events_of(session)
        yield root


@pytest.fixture
def session(root: Root, clock: Clock) -> Session:
    return Session(root, "alice", clock=clock)


@pytest.fixture
def spool(session: Session) -> Spool:
    return session.spool


@pytest.fixture
def put_task(session: Session) -> PutTask:
    """Give a function that puts a task with some images into a stage."""
    return lambda *args, **fields: place_task(session, *args, **fields)


@pytest.fixture
def served(root: Root) -> Iterator[Served]:
    with serving(root) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.root, seconds=20) as client:
        yield client


@pytest.fixture
def as_role(served: Served, monkeypatch: pytest.MonkeyPatch) -> AsRole:
    """Give a function that makes everybody who connects from now on a user with a role."""

    def become(role: Role | None) -> None:
        caller = Caller("bob", 4242, role)
        monkeypatch.setattr("appliance.control.rpc.server.identify", lambda peer, owner, groups: caller)

    return become


@pytest.fixture
def raw(served: Served) -> Iterator[Callable[[], RawConnection]]:
    with ExitStack() as stack:

        def connect() -> RawConnection:
            connection = RawConnection(served.root)
            stack.callback(connection.close)
            return connection

        yield connect
