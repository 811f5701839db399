"""A real root with a real control service, at a time that stands still."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.control.alerts import inputs
from appliance.control.api.base import Role
from appliance.control.configuration import setup
from appliance.control.machine import METER
from appliance.control.roles import Caller
from appliance.control.rpc import server as server_module
from appliance.control.rpc.server import Server
from appliance.control.session import Session
from mercure.config import Root
from tests.support.router import FreePort, Router
from tests.support.terminal_ui import Plays, Serve, StandingClock
from tests.tui.filling import FIGURES, MACHINE
from tests.tui.screenplay import Scene, play
from tui.router_client import RouterClient, RouterProtocol


@pytest.fixture(autouse=True)
def _clock_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show times as in Greenwich, a clock kept in time, a disk with room and little to do, whatever the machine has."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    room = type(shutil.disk_usage("/"))(2_000_000_000_000, 500_000_000_000, 1_500_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    kept_in_time = inputs.ClockState(synchronised=True, error_seconds=0.0)
    monkeypatch.setattr(inputs, "clock_state", lambda: kept_in_time)
    monkeypatch.setattr(METER, "machine", lambda spool: MACHINE)
    monkeypatch.setattr(METER, "process", lambda pid: FIGURES)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def session(mercure_root: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A root as `mercure init` leaves it, with the example module where no checkout has it."""
    monkeypatch.setattr(setup, "EXAMPLE", Path("/opt/mercure/modules/statistics"))
    session = Session(Root(mercure_root), "alice", clock=StandingClock())
    setup.initialise(session)
    session.root.run.mkdir(exist_ok=True)
    return session


@pytest.fixture
def serve(session: Session, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Give a context manager in which the control service of the root answers, to a person of a role."""

    @contextmanager
    def serving(role: Role = "admin", user: str = "alice") -> Iterator[RouterClient]:
        monkeypatch.setattr(server_module, "identify", lambda *_: Caller(user, 1000, role))
        server = Server(session.root, clock=StandingClock())
        server.open()
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield RouterClient(session.root.path)
        finally:
            server.stop()
            thread.join()
            server.close()

    return serving


@pytest.fixture
def plays(serve: Serve) -> Plays:
    """Give what lets a person of a role play a scene at the router, or at what a test puts in its place."""

    def playing(
        scene: Scene,
        role: Role = "admin",
        user: str = "alice",
        *,
        source: RouterProtocol | None = None,
        size: tuple[int, int] = (80, 24),
    ) -> None:
        with serve(role, user) as link:
            play(source or link, scene, size)

    return playing


@pytest.fixture
def router(mercure_root: Path, free_port: FreePort) -> Router:
    """A router as `mercure init` leaves it, but quick to see a series as complete."""
    router = Router(mercure_root, free_port(), free_port())
    router.call("init", *router.ports)
    router.edit(lambda content: content.update(completion={"after_release_seconds": 0.2}))
    return router
