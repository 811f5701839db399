"""A root with a past and a present: received and routed series with their history, and a queue with a stuck target."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from appliance.control.api.selftest import Outcome, Selftest, Step
from mercure.clock import ManualClock
from mercure.event_details import Identity
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.common import Context
from mercure.services.router import Router
from mercure.spool import Changes, Stage
from mercure.spool.task import Attempt, Failure, Hold
from tests.support.incoming import Association, date_back, make_images
from tests.tui.conftest import NOW
from tests.unit.appliance.conftest import place_task

if TYPE_CHECKING:
    from appliance.control.session import Session

HEAD = Identity(
    PatientID="P1001",
    PatientName="Weaver^Ann",
    AccessionNumber="A77",
    Modality="MR",
    StudyDescription="Head",
    SeriesDescription="t1 axial",
    SeriesInstanceUID="1.2.3",
    StudyInstanceUID="1.2",
)


_STEPS: tuple[tuple[str, Outcome, str, str, float], ...] = (
    ("disk", "ok", "1.5 TB free of 2.0 TB", "", 0.002),
    ("clock", "warning", "not synchronised", "see that chrony or systemd-timesyncd runs: `timedatectl`", 0.011),
    ("permissions", "ok", "all folders can be written", "", 0.004),
    ("programs", "ok", "all programs are there", "", 0.003),
    ("start", "ok", "a receiver and a target listen on ports 40001 and 40002 of 127.0.0.1", "", 0.212),
    ("receive", "ok", "an image was sent and acknowledged", "", 0.154),
    ("route", "failed", "the router made no task of it within 30 s", "see the log of the control service", 30.02),
    ("deliver", "not reached", "a step before it failed", "", 0.0),
)
SELFTEST = Selftest(
    ok=False,
    steps=tuple(Step(name=name, outcome=outcome, text=text, advice=advice, seconds=seconds)
                for name, outcome, text, advice, seconds in _STEPS),
    seconds=30.4,
)  # fmt: skip
"""What a self-test says of a box that does not work."""


def fill(session: Session) -> None:
    """Put into the spool what makes each state of the queue, and into the history a series and a change."""
    attempt = Attempt(number=1, started=NOW, seconds=2, outcome="failure", kind="refused", error="0xA700 no room there",
                      sent=2, confirmed=0)  # fmt: skip
    failure = Failure(stage="outgoing", reason="0xA700 no room there", advice="make room there, then retry", at=NOW)
    place_task(session, Stage.ERROR, age=90_000, identity=HEAD, attempts=(attempt,), attempts_made=5, failure=failure)
    place_task(session, Stage.OUTGOING, age=10, identity=HEAD)
    place_task(session, Stage.OUTGOING, age=400, identity=HEAD, hold=Hold(by="bob", at=NOW, reason="asked to"))
    other = HEAD.model_copy(update={"PatientID": "P2"})
    place_task(session, Stage.OUTGOING, age=7300, identity=other, priority="urgent")
    place_task(session, Stage.PROCESSING, age=70, identity=HEAD, target=None, module="segment", action="process")
    with session.changing() as events:
        session.audit(events, "task.hold", "the third", before="waiting", after="held")
    receive(session)
    backup = session.root.path / "backup" / "mercure-mercure-20261120T120000000000Z.tar"
    backup.parent.mkdir()
    backup.touch()
    os.truncate(backup, 1_500_000)
    os.utime(backup, (NOW.timestamp() - 86400, NOW.timestamp() - 86400))
    # By their times it is told how far the history is behind.
    for path in session.spool.stage(Stage.OUTBOX).iterdir():
        os.utime(path, (NOW.timestamp() - 3600, NOW.timestamp() - 3600))


def receive(session: Session) -> None:
    """Receive and route a series an hour ago, and let the history know of all that was told."""
    clock = ManualClock(NOW - timedelta(hours=1))
    with Association(session.spool, clock) as association:
        for image in make_images(2):
            association.store(image)
    date_back(session.spool, clock.now())
    clock.advance(100)
    services: tuple[tuple[type[Router] | type[Bookkeeper], str], ...] = ((Router, "router"), (Bookkeeper, "bookkeeper"))
    for service, name in services:
        context = Context(session.root.path, name, clock)
        assert context.start()
        running = service(context)
        for _ in range(3):
            running.turn(Changes.everything())
        context.events.close()
