"""A root with a past and a present: received and routed series with their history, and a queue with a stuck target."""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from appliance.control.api.modules import SwitchModule
from appliance.control.api.selftest import Outcome, Selftest, Step
from appliance.control.api.services import ProcessFigures
from appliance.control.api.status import DiskTraffic, MachineState, NetworkTraffic
from appliance.control.api.streams import CountersItem
from appliance.control.configuration import edits
from appliance.supervision.client import ProcessInfo
from mercure.clock import ManualClock
from mercure.config import Retry
from mercure.delivery.acceptance import AcceptanceBook
from mercure.delivery.target_breaker import TargetBreaker
from mercure.event_details import ContextRefused, Identity
from mercure.events import EventWriter
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.common import Context
from mercure.services.router import Router
from mercure.spool import Changes, Stage, uptime
from mercure.spool.task import Attempt, Failure, Hold
from mercure.targets import Trouble
from tests.support.incoming import Association, date_back, make_images
from tests.support.tasks import claim_of, place_task
from tests.support.terminal_ui import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from appliance.control.session import Session

AN_HOUR: Final = timedelta(hours=1)
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
    clock = route(session)
    attempt = Attempt(number=1, started=NOW, seconds=2, outcome="failure", kind="refused", error="0xA700 no room there",
                      sent=2, confirmed=0)  # fmt: skip
    failure = Failure(stage="outgoing", reason="0xA700 no room there", advice="make room there, then retry", at=NOW)
    place_task(session, Stage.ERROR, age=90_000, identity=HEAD, attempts=(attempt,), attempts_made=5, failure=failure)
    place_task(session, Stage.OUTGOING, age=10, identity=HEAD)
    place_task(session, Stage.OUTGOING, age=400, identity=HEAD, hold=Hold(by="bob", at=NOW, reason="asked to"))
    other = HEAD.model_copy(update={"PatientID": "P2"})
    place_task(session, Stage.OUTGOING, age=7300, identity=other, priority="urgent")
    place_task(session, Stage.PROCESSING, age=70, identity=HEAD, target=None, module="segment", action="process")
    take_down(session, "delivered", timedelta(seconds=7300))
    with session.changing() as events:
        session.audit(events, "task.hold", "the third", before="waiting", after="held")
    _refuse(session)
    let_work(session, Bookkeeper, "bookkeeper", clock)
    keep_backup(session)
    _told_before(session, NOW - AN_HOUR)


def _refuse(session: Session) -> None:
    """Let the receiver refuse a scanner two things as its associations begin, one after the other."""
    scanner = {"address": "10.0.0.8", "calling_aet": "MR1", "called_aet": "MERCURE"}
    reasons = ("another context has the class uncompressed", "the SOP class is not among those that are accepted")
    refused = (
        ContextRefused(**scanner, what="transfer syntaxes", abstract_syntax="1.3.46.670589.5.0.2.1",
                       transfer_syntax="1.2.840.10008.1.2.4.70", reason=reasons[0]),
        ContextRefused(**scanner, what="abstract syntax", abstract_syntax="1.2.840.10008.5.1.4.1.1.88.22",
                       transfer_syntax="1.2.840.10008.1.2", reason=reasons[1], times=7),
    )  # fmt: skip
    for hours, refusal in zip((3, 2), refused, strict=True):
        events = EventWriter(session.spool.stage(Stage.OUTBOX), "receiver", ManualClock(NOW - hours * AN_HOUR))
        events.emit(refusal)
        events.sync()
        events.close()


def take_down(session: Session, target: str, since: timedelta) -> None:
    """Let a target be unreachable for so long, asked as often as a dispatcher asks."""
    breaker, when = TargetBreaker(session.spool, target), NOW - since
    trouble = Trouble("unreachable", "the folder of the archive is not there; mount it or make it")
    while when < NOW:
        outage, _ = breaker.failed(trouble, Retry(), when)
        when = outage.until


def keep_backup(session: Session) -> None:
    """Put a backup of yesterday where backups are."""
    backup = session.root.path / "backup" / "mercure-mercure-20261120T120000000000Z.tar"
    backup.parent.mkdir()
    backup.touch()
    os.truncate(backup, 1_500_000)
    os.utime(backup, (NOW.timestamp() - 86400, NOW.timestamp() - 86400))


def _told_before(session: Session, instant: datetime) -> None:
    """Date back what was told: by the times of the files it is told how far the history is behind."""
    for path in session.spool.stage(Stage.OUTBOX).iterdir():
        os.utime(path, (instant.timestamp(), instant.timestamp()))


@contextmanager
def at_work(session: Session) -> Iterator[None]:
    """Make a router at work: two scanners send, tasks are under way, a module runs, nothing is wrong."""
    AcceptanceBook(session.spool, "delivered").took(NOW)
    switch = edits.switched("modules", "statistics", on=True)
    wanted = SwitchModule(name="statistics", on=True, edited_from=1, comment="measured from now on")
    edits.apply(session, "modules.switch", "statistics", switch, wanted)
    receive(session, timedelta(minutes=10))
    tasks = (
        place_task(session, Stage.OUTGOING, age=4, identity=HEAD, images=40),
        place_task(session, Stage.PROCESSING, age=90, target=None, module="statistics", action="process"),
    )
    place_task(session, Stage.OUTGOING, age=2, identity=HEAD.model_copy(update={"PatientID": "P1002"}))
    keep_backup(session)
    clock = ManualClock(NOW)
    with contextlib.ExitStack() as until_left:
        for number, calling in enumerate(("SCANNER1", "SCANNER2"), start=4):
            association = until_left.enter_context(Association(session.spool, clock, calling))
            for image in make_images(number, series=f"1.2.{number}"):
                association.store(image)
        date_back(session.spool, NOW - timedelta(seconds=2))
        for task in tasks:
            stage = Stage.PROCESSING if task.module else Stage.OUTGOING
            until_left.enter_context(claim_of(session.spool, stage, task))
        _told_before(session, NOW)
        yield


COUNTERS: Final = tuple(
    CountersItem(
        time=NOW,
        seconds=1.0,
        received={"SCANNER1": 100 + 7 * (second % 40), "SCANNER2": 4 * (second % 25)},
        received_bytes={"SCANNER1": 104_857_600, "SCANNER2": 26_214_400},
        delivered={"delivered": 3 * second},
        delivered_bytes={"delivered": 115_343_360},
    )
    for second in range(120)
)
"""What a router at work counted in the last two minutes."""

PROCESSES: Final = tuple(
    ProcessInfo(service=name, name=f"{name}_00", state=state, pid=4000 + number, since=NOW - timedelta(seconds=age))
    for number, (name, state, age) in enumerate(
        (
            ("receiver", "running", 9000),
            ("router", "running", 9000),
            ("processor", "stopping", 5),
            ("dispatcher", "running", 9000),
            ("cleaner", "starting", 1),
            ("notifier", "running", 9000),
            ("bookkeeper", "running", 9000),
            ("page", "running", 9000),
            ("control", "running", 9000),
            ("listener", "running", 9000),
        )
    )
)
"""What supervisord says of a router at work, two services of which are just being restarted."""


FIGURES: Final = ProcessFigures(processor=0.04, processor_seconds=90.0, memory_bytes=52_000_000, open_files=23)
"""What each process takes."""

MACHINE: Final = MachineState(
    processors=4,
    processor_seconds=9000.0,
    load=(0.42, 0.38, 0.31),
    memory_bytes=16_000_000_000,
    memory_available_bytes=12_000_000_000,
    up_seconds=400_000.0,
    networks=(
        NetworkTraffic(
            interface="eth0",
            received_bytes=10**12,
            sent_bytes=10**12,
            received_per_second=48_000_000,
            sent_per_second=41_000_000,
        ),
    ),
    disk=DiskTraffic(
        device="sda",
        read_bytes=10**12,
        written_bytes=10**12,
        read_per_second=41_000_000,
        written_per_second=52_000_000,
        busy=0.12,
    ),
)
"""The machine that has all of this to do."""


def receive(session: Session, ago: timedelta = AN_HOUR, *, accession: str = "") -> None:
    """Receive and route a series some time ago, and let the history know of all that was told."""
    let_work(session, Bookkeeper, "bookkeeper", route(session, ago, accession=accession))


def route(session: Session, ago: timedelta = AN_HOUR, *, accession: str = "") -> ManualClock:
    """Receive and route a series some time ago; before what came later: a task is numbered after all that wait."""
    clock = ManualClock(NOW - ago)
    uptime(session.spool, clock)  # services have run since then: ages are counted in the time that they lived through
    with Association(session.spool, clock) as association:
        for image in make_images(2, AccessionNumber=accession):
            association.store(image)
    date_back(session.spool, clock.now())
    clock.advance(100)
    let_work(session, Router, "router", clock)
    return clock


def let_work(session: Session, service: type[Router] | type[Bookkeeper], name: str, clock: ManualClock) -> None:
    """Turn a service until nothing is left to do."""
    context = Context(session.root.path, name, clock)
    assert context.start()
    running = service(context)
    for _ in range(3):
        running.turn(Changes.everything())
    context.events.close()
