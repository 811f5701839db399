"""A router's root with a configuration, and tasks put into its spool."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.control.configuration import setup
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.spool import Spool
from tests.support.tasks import NOW, PutTask, events_of, place_task


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def session(tmp_path: Path, clock: ManualClock) -> Session:
    """A session of alice at an initialised root; the events of the initialisation are gone."""
    session = Session(Root(tmp_path / "root"), "alice", clock=clock)
    setup.initialise(session)
    events_of(session)
    return session


@pytest.fixture
def spool(session: Session) -> Spool:
    return session.spool


@pytest.fixture
def put_task(session: Session) -> PutTask:
    """Give a function that puts a task with some images into a stage."""
    return lambda *args, **fields: place_task(session, *args, **fields)
