"""How long deliveries took by target, and what the spool holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from appliance.control.api.base import Nothing
from appliance.control.api.traffic import DelaysOver, Percentiles
from appliance.control.errors import ControlError
from appliance.control.history.delays import delays, disk
from mercure.clock import ManualClock
from mercure.event_details import TaskDelivered
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.recorder import Recorder
from mercure.spool import Stage
from tests.support.history import START, Outbox, Told, event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.control.session import Session
    from mercure.events import Event
    from tests.support.tasks import PutTask

COUNT = 20


def story(number: int) -> Iterator[Event]:
    """Tell a series that was received in the first minute and delivered after so many minutes, sending for 30 s."""
    told = Told(number=number, images=1, targets=("archive",))
    yield from told.receiver()
    yield from told.router()
    details = TaskDelivered(target="archive", images=told.refs, bytes=1000, seconds=30.0)
    yield event("task.delivered", details, 60.0 * number + 60, task=told.derived("archive"), series=told.uid)


@pytest.fixture
def told(session: Session) -> Session:
    """A root whose history knows some deliveries; the clock is at the end of the last."""
    database = open_history(session.root.history_url(session.config))
    outbox = Outbox(session.root.path / "told")
    try:
        migrate(database, ManualClock())
        outbox.put([each for number in range(1, COUNT + 1) for each in story(number)])
        while Recorder(database, outbox.folder, session.config.name, ManualClock()).run_once().any:
            pass
    finally:
        outbox.close()
        disconnect(database)
    session.clock = ManualClock(START + timedelta(minutes=COUNT + 1))
    return session


def test_median_and_95th_percentile_by_target(told: Session) -> None:
    found = delays(told, DelaysOver(hours=24))
    (archive,) = found.targets
    assert found.all is not None
    assert (archive.name, archive.tasks, found.all.tasks, found.cut) == ("archive", COUNT, COUNT, False)
    # Nearest ranks: the tenth and the nineteenth of twenty, each a minute longer than the one before.
    assert archive.whole.p50 == pytest.approx(11 * 60, abs=1)
    assert archive.whole.p95 == pytest.approx(20 * 60, abs=1)
    assert archive.sending == Percentiles(p50=30.0, p95=30.0)
    assert archive.waiting.p95 < archive.whole.p95
    assert archive.waiting.p50 > 0


def test_what_was_delivered_before_does_not_count(told: Session) -> None:
    told.clock = ManualClock(START + timedelta(days=3))
    assert (delays(told, DelaysOver()).all, delays(told, DelaysOver()).targets) == (None, ())


def test_without_a_history_it_is_refused(session: Session) -> None:
    with pytest.raises(ControlError, match="history"):
        delays(session, DelaysOver())


def test_the_disk_by_what_it_is_used_for(told: Session, put_task: PutTask) -> None:
    put_task(Stage.OUTGOING, bytes=500)
    put_task(Stage.PROCESSING, bytes=70)
    put_task(Stage.ERROR, bytes=40)
    put_task(Stage.SUCCESS, bytes=9)
    found = disk(told, Nothing())
    assert (found.waiting, found.failed, found.quarantine) == (570, 40, 0)
    assert found.delivered > 0
    assert found.discarded == 0
