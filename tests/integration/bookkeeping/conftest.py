"""A history in SQLite and in PostgreSQL: each test of this folder runs on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.bookkeeping.database import disconnect, open_history
from mercure.bookkeeping.migrate import migrate
from mercure.bookkeeping.recorder import Recorder
from mercure.clock import ManualClock
from tests.support.history import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peewee import Database

    from tests.support.postgres import Cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def history_url(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Cluster) -> str:
    """Give the address of an empty history.

    The server is asked for openly, not by name when needed: it must be up before the test is watched for leftovers.
    """
    if request.param == "postgresql":
        return postgres_server.create_database()
    return f"sqlite://{tmp_path}/history.db"


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


def record_all(recorder: Recorder) -> int:
    """Record until nothing is left, and return how many events were new."""
    recorded = 0
    while (progress := recorder.run_once()).any:
        recorded += progress.recorded
    return recorded
