"""What the status says of the scrub."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from appliance.cli.status import _scrub as words
from appliance.control.alerts.health import status
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.config.models import ScrubSettings as Settings
from mercure.events import EventWriter
from mercure.retention.scrub import Scrub
from mercure.spool import Stage
from tests.support.tasks import place_task

if TYPE_CHECKING:
    from mercure.config import Root


def test_its_age_and_what_it_read_are_told(root: Root) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    session = Session(root, "alice", clock=clock)
    assert words(status(session).copies.scrub) == "none has ended yet"
    place_task(session, Stage.SUCCESS)
    events = EventWriter(session.spool.stage(Stage.OUTBOX), "cleaner", clock)
    stop: list[bool] = []
    scrub = Scrub(session.spool, events, clock, Settings, lambda _seconds: bool(stop))
    done = scrub.run()
    assert done is not None
    clock.advance(timedelta(days=3).total_seconds())
    told = status(session).copies.scrub
    assert (told.images, told.age_seconds, told.begun) == (done.images, 3 * 86400, None)
    assert words(told).startswith(f"3 d ago: {done.images} images, ")
    stop.append(True)
    assert scrub.run() is None
    assert "one is under way: 0 B read" in words(status(session).copies.scrub)
    events.close()


def test_switched_off_it_is_told_as_such(root: Root) -> None:
    path = root.path / "config/mercure.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "scrub": {"every_days": 0}}), encoding="utf-8")
    assert words(status(Session(root, "alice")).copies.scrub) == "switched off"
