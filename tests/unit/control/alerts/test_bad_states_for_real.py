"""Bad states that real parts of the router make, up to the alert that tells of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.inputs import look
from appliance.control.session import Session
from appliance.control.status import facts
from mercure.clock import ManualClock
from mercure.config.models import ScrubSettings as Settings
from mercure.events import EventWriter
from mercure.retention.scrub import Scrub
from mercure.spool import Stage, load_task, uptime
from tests.support.box import GRACE, Box, turn
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.api.status import Alert
    from mercure.config import Root

DAY = 86400.0


def alerts(session: Session, *keys: str) -> list[Alert]:
    found = alerts_of(facts(session), look(session)).alerts
    return [alert for alert in found if alert.key in keys]


@pytest.fixture
def lived(root: Root) -> Session:
    """Give a router that has run for a month."""
    session = Session(root, "alice", clock=ManualClock(datetime(2026, 11, 1, tzinfo=UTC)))
    uptime(session.spool, session.clock)
    session.clock.advance(30 * DAY)  # type: ignore[attr-defined]  # it is the manual one
    uptime(session.spool, session.clock)
    return session


def test_a_clock_from_before_this_program_is_told(lived: Session) -> None:
    clock = lived.clock
    assert isinstance(clock, ManualClock)
    assert alerts(lived, "clock:doubt") == []
    clock.step_wall(-26 * 365 * DAY)
    (alert,) = alerts(lived, "clock:doubt")
    assert "before this program was made" in alert.text
    clock.advance(10 * DAY)
    assert alerts(lived, "clock:doubt"), "for as long as it is so"


def test_a_step_alone_is_not_doubted_for_long(lived: Session) -> None:
    clock = lived.clock
    assert isinstance(clock, ManualClock)
    clock.step_wall(600)
    assert "set a short time ago" in alerts(lived, "clock:doubt")[0].text
    clock.advance(3601)
    assert alerts(lived, "clock:doubt") == []


def test_a_scrub_that_does_not_end_is_told(lived: Session) -> None:
    clock = lived.clock
    assert isinstance(clock, ManualClock)
    assert alerts(lived, "verify:scrub") == []
    events = EventWriter(lived.spool.stage(Stage.OUTBOX), "cleaner", clock)
    Scrub(lived.spool, events, clock, Settings, lambda _seconds: False).run()
    events.close()
    clock.advance(20 * DAY)
    assert alerts(lived, "verify:scrub") == []
    clock.advance(2 * DAY)
    (alert,) = alerts(lived, "verify:scrub")
    assert "22 days ago" in alert.text


@pytest.mark.parametrize(
    ("rule", "tags"),
    [
        ('tags.Modality == "CT"', {"Modality": "KO"}),  # nobody wants it
        ("number(tags.StudyID) > 3", {"StudyID": "none"}),  # nobody can tell
    ],
)
def test_the_part_that_is_kept_of_a_divided_series_is_told(tmp_path: Path, rule: str, tags: dict[str, str]) -> None:
    box = Box(tmp_path / "root")
    box.configure(rules={"wanted": {"rule": rule, "targets": ["archive"]}})
    router = box.router()
    box.receive([*make_images(2, StudyID="7"), *make_images(1, first=3, **{"StudyID": "7", **tags})])
    turn(router)
    box.clock.advance(GRACE + 1)
    turn(router)
    (kept,) = box.tasks(Stage.ERROR)
    assert (load_task(kept).images, len(box.tasks(Stage.OUTGOING))) == (1, 1)
    (box.root / "config" / "services.json").write_text("{}")
    context = box.context("control")
    session = Session(context.root, "alice", clock=box.clock)
    assert [alert.severity for alert in alerts(session, "failed")] == ["critical"]
    box.close()
