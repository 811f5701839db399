"""A history in SQLite and in PostgreSQL: each test of this folder runs on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.reader import Reader
from mercure.history.recorder import Recorder
from mercure.history.verify import Verifier
from tests.support.history import Outbox
from tests.support.recording import VerifyFunction, record_all
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peewee import Database

    from mercure.history.verify import Report
    from tests.support.postgres import Cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def history_url(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Cluster) -> Iterator[str]:
    """Give the address of an empty history.

    The server is asked for openly, not by name when needed: it must be up before the test is watched for leftovers.
    """
    if request.param == "postgresql":
        with postgres_server.database() as url:
            yield url
    else:
        yield f"sqlite://{tmp_path}/history.db"


@pytest.fixture
def database(history_url: str) -> Iterator[Database]:
    """Give a writable history with its tables."""
    opened = open_history(history_url)
    migrate(opened, ManualClock())
    yield opened
    disconnect(opened)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Give an empty outbox."""
    made = Outbox(tmp_path / "outbox")
    yield made
    made.close()


@pytest.fixture
def recorder(database: Database, outbox: Outbox) -> Recorder:
    """Give the recorder of that outbox into that history."""
    return Recorder(database, outbox.folder, "node-a", ManualClock())


@pytest.fixture
def router(tmp_path: Path) -> ScriptedRouter:
    """Give a router that does to images what a test tells it, and tells of it."""
    return ScriptedRouter(tmp_path / "spool", ManualClock())


@pytest.fixture
def recorded(router: ScriptedRouter, database: Database) -> Recorder:
    """Give the recorder of what that router tells."""
    return Recorder(database, router.outbox, "node-a", router.clock)


@pytest.fixture(params=["recorded", "still in the outbox"])
def verified(
    request: pytest.FixtureRequest, router: ScriptedRouter, recorded: Recorder, history_url: str
) -> VerifyFunction:
    """Give a function that verifies, with the events in the history or waiting for it: it must not matter."""

    def verify() -> Report:
        if request.param == "recorded":
            record_all(recorded)
        with Reader(history_url) as history:
            return Verifier(router.spool, "node-a", history, router.clock).run()

    return verify
