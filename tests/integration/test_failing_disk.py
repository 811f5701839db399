"""The disk under a whole router is full, has no inodes, or is read-only: refusals, alerts, and it goes on by itself."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from appliance.control.alerts.health import current_alerts
from appliance.control.alerts.monitor import AlertWatch
from appliance.control.configuration import setup
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.spool import Stage
from tests.crash.running_router import SERVICES, RunningRouter, running_router
from tests.oracle.judge import STAGE, Run, judged
from tests.oracle.meaning import DISCARD, ERROR
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.rules import ELSEWHERE, of_the_scanner
from tests.support.account import SUCCESS, Account, Sent, ct_series
from tests.support.dicom_peer import Peer, PeerError
from tests.support.disks import fill
from tests.support.failing_disk import FailingDisk
from tests.support.folders import short_folder
from tests.support.held import arrivals, digest, digests
from tests.support.mail_server import Mailbox, mail_server
from tests.support.polling import eventually
from tests.support.tasks import events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.oracle.meaning import Rule
    from tests.support.cuttable_disk import CuttableDisk

pytestmark = pytest.mark.timeout(240)

WAITING = (Stage.INCOMING, Stage.ROUTING, Stage.OUTGOING)
RETRY = {"first_seconds": 0.2, "cap_seconds": 1}


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    with short_folder() as folder:
        made = FailingDisk(folder)
        made.make()
        yield made
        made.unmount()


# --- the alert ------------------------------------------------------------------------------------------------------


class Watched:
    """An initialised root on a disk, somebody who watches it, and the mails that he sends."""

    def __init__(self, disk: FailingDisk | CuttableDisk, mailbox: Mailbox) -> None:
        self.clock = ManualClock()
        self.root = Root(disk.point / "root")
        self.mailbox = mailbox
        session = self.session()
        setup.initialise(session)
        self._configure(mailbox.port)
        self.watch = AlertWatch(self.session)
        self.look()
        events_of(session)
        self.look()  # it lets go of the file that was recorded: one that is removed and open keeps a disk writable

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()

    def session(self) -> Session:
        return Session(self.root, "alice", clock=self.clock)

    def _configure(self, port: int) -> None:
        path = self.root.config / "mercure.json"
        content = json.loads(path.read_text())
        mail = {"kind": "email", "host": "127.0.0.1", "port": port, "security": "none", "sender": "router@box.example"}
        content["notifications"] = {"channels": {"mail": {**mail, "recipients": ["pacs@hospital.example"]}}}
        quiet = {kind: {"enabled": False} for kind in ("service", "clock", "history", "certificate")}
        content["alerts"] = {"channels": ["mail"], "clear_seconds": 1, "disk": {"free_bytes": 0}, **quiet}
        content["receiver"] = {**content.get("receiver", {}), "min_free_bytes": 4_000_000}
        content["retention"] = {**content.get("retention", {}), "pressure_free_bytes": 0}
        path.write_text(json.dumps(content))

    def look(self, seconds: float = 3.0) -> None:
        self.clock.advance(seconds)
        self.watch.look()

    def disk_mails(self) -> list[str]:
        return [mail.get_content() for mail in self.mailbox.mails if "disk" in str(mail["Subject"])]

    def alert(self) -> str:
        """Return what a person is shown: text and advice of the alert of the disk."""
        found = [alert for alert in current_alerts(self.session()).alerts if alert.kind == "disk"]
        return " / ".join(f"{alert.severity}: {alert.text}: {alert.advice}" for alert in found)


@pytest.fixture
def watched(disk: FailingDisk) -> Iterator[Watched]:
    with mail_server() as mailbox, Watched(disk, mailbox) as made:
        yield made


def full(disk: FailingDisk) -> Callable[[], object]:
    ballast = fill(disk.point)
    return ballast.unlink


def without_inodes(disk: FailingDisk) -> Callable[[], object]:
    hoard = disk.point / "hoard"
    hoard.mkdir()
    with suppress(OSError):  # whoever else works there takes some as well
        for number in range(os.statvfs(disk.point).f_favail):
            os.mknod(hoard / str(number))
    return lambda: shutil.rmtree(hoard)


def read_only(disk: FailingDisk) -> Callable[[], object]:
    disk.turn("ro")
    return lambda: disk.turn("rw")


FAULTS = {
    "full": (full, "is nearly full: new images are refused", "make room"),
    "no inodes": (without_inodes, "has no inodes left", "many small files"),
    "read-only": (read_only, "is read-only", "fsck"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_people_are_told_although_nothing_can_be_written_down(watched: Watched, disk: FailingDisk, fault: str) -> None:
    """The queue of messages and the book of alerts are on the disk that takes nothing."""
    befall, text, advice = FAULTS[fault]
    mend = befall(disk)
    watched.look()
    (mail,) = watched.disk_mails()
    assert text in mail
    assert advice in mail
    for _ in range(40):
        watched.look()
    assert len(watched.disk_mails()) == 1, "told once"
    assert watched.alert().startswith("critical: ")
    assert text in watched.alert()
    assert advice in watched.alert()
    mend()
    watched.look()
    watched.look()
    assert watched.alert() == ""
    told = [event.type for event in events_of(watched.session()) if event.type.startswith("alert.")]
    assert told == ["alert.raised", "alert.cleared"], "the history is told when it can be"


def test_a_mail_server_that_is_down_too_is_tried_again(disk: FailingDisk, free_port: Callable[[], int]) -> None:
    port = free_port()
    with Watched(disk, Mailbox(port=port)) as watched:
        disk.turn("ro")
        watched.look()
        with mail_server(port=port) as mailbox:
            watched.mailbox = mailbox
            watched.look(3)
            assert watched.disk_mails() == []
            watched.look(60)
            assert len(watched.disk_mails()) == 1
        disk.turn("rw")


@pytest.mark.parametrize("cuttable_disk", ["xfs"], indirect=True)
def test_a_disk_that_cannot_even_be_read(cuttable_disk: CuttableDisk) -> None:
    """XFS shuts itself down after an error; configuration, book and queue are on it."""
    with mail_server() as mailbox, Watched(cuttable_disk, mailbox) as watched:
        watched.session().spool.stage(Stage.ERROR).joinpath("20260101T000000000000-00000000").mkdir()
        watched.look()
        before = len(mailbox.mails)
        cuttable_disk.cut()
        for _ in range(40):
            watched.look()
        (mail,) = watched.disk_mails()
        assert "cannot be read" in mail
        assert "xfs_repair" in mail
        assert len(mailbox.mails) == before + 1, "nobody is told that the rest is over"
        cuttable_disk.unmount()
        cuttable_disk.mount()
        watched.look()
        watched.look()
        assert watched.alert() == ""


# --- the services ---------------------------------------------------------------------------------------------------


class House:
    """A router on a disk, its scanner, and its target beside that disk."""

    def __init__(self, router: RunningRouter, delivered: Path, rules: tuple[Rule, ...]) -> None:
        self.router = router
        self.delivered = delivered
        self.elsewhere = delivered.parent / ELSEWHERE
        self.rules = rules
        self.account = Account(timeout=30, calling="CT1", source="127.0.0.2")

    def refused(self, sent: Sent) -> str:
        """Send an image that must not be acknowledged, and return what the sender was told."""
        try:
            with Peer(self.router.port) as peer:
                peer.associate()
                response = peer.store(sent.data, sent.sop)
        except PeerError as error:
            return str(error)
        assert response.status != SUCCESS
        return f"{response.status:04X} {response.comment}"

    def all_are_there(self) -> None:
        """Wait until all that was acknowledged is delivered, and let ``mercure verify`` judge."""
        spool = self.router.box.spool
        eventually(
            lambda: self.router.kept() and not any(map(spool.names, WAITING)), seconds=90, what="nothing waits any more"
        )
        stages = {place: self.router.root / "spool" / place.removeprefix(STAGE) for place in (DISCARD, ERROR)}
        places = {"folder": self.delivered, ELSEWHERE: self.elsewhere, **stages}
        run = Run(self.account.sent, self.rules, {name: arrivals(folder) for name, folder in places.items()})
        judged(run)
        assert_planted_are_found(run)
        assert self.router.box.tasks(Stage.ERROR) == []
        database = self.router.root / "history.db"
        eventually(lambda: self.router.kept() and database.exists(), seconds=60, what="the bookkeeper is there")
        self.router.stop()
        verified = self.router.verify()
        assert verified.returncode == 0, verified.stdout + verified.stderr

    def is_accounted_for(self) -> bool:
        there = digests(self.router.root / "spool", self.delivered)
        return all(digest(sent.data) in there for sent in self.account.acknowledged)


@pytest.fixture
def house(disk: FailingDisk) -> Iterator[House]:
    with _house(disk) as made:
        yield made


@contextmanager
def _house(disk: FailingDisk, **more: Any) -> Iterator[House]:
    delivered = disk.folder / "delivered"
    targets: dict[str, Any] = {}
    for name, folder in {"folder": delivered, ELSEWHERE: disk.folder / ELSEWHERE}.items():
        folder.mkdir()
        targets[name] = {"kind": "folder", "path": str(folder), "retry": RETRY}
    rules = of_the_scanner("folder", calling="CT1", address="127.0.0.2")
    written = {rule.name: dict(rule.written) for rule in rules}
    with running_router(disk.point / "root", targets, rules=written, **more) as router:
        disk.settle()
        yield House(router, delivered, rules)


@pytest.mark.parametrize("fault", ["full", pytest.param("no inodes", marks=pytest.mark.slow)])
def test_without_room_the_services_wait_and_go_on_by_themselves(house: House, disk: FailingDisk, fault: str) -> None:
    """Some images are on their way through the services when there is no room any more for any of them to write."""
    house.delivered.rename(disk.folder / "away")
    house.account.send_all(house.router.port, ct_series("1.2.1", 6))
    eventually(lambda: house.router.box.spool.names(Stage.OUTGOING), seconds=60, what="a task waits for its target")
    mend = FAULTS[fault][0](disk)
    (disk.folder / "away").rename(house.delivered)
    left = ct_series("1.2.2", 3)
    said = house.refused(left[0])
    assert "A700" in said or "result 2" in said, said
    assert house.is_accounted_for()
    mend()
    house.account.send_all(house.router.port, left)
    house.all_are_there()


def test_after_an_error_of_the_disk_it_is_read_only_and_mended_as_the_alert_says(
    house: House, disk: FailingDisk
) -> None:
    house.delivered.rename(disk.folder / "away")
    house.account.send_all(house.router.port, ct_series("1.2.1", 6))
    eventually(lambda: house.router.box.spool.names(Stage.OUTGOING), seconds=60, what="a task waits for its target")
    (disk.folder / "away").rename(house.delivered)
    disk.fail()
    left = ct_series("1.2.2", 3)
    said = house.refused(left[0])
    assert "Read-only" in said or "result 2" in said, said
    assert house.is_accounted_for()
    house.router.stop()
    disk.mend()
    assert house.is_accounted_for()
    for name in SERVICES:
        house.router.start(name)
    house.router.listening()
    house.account.send_all(house.router.port, left)
    house.all_are_there()


@pytest.mark.slow
def test_a_disk_that_is_read_only_when_the_services_start(house: House, disk: FailingDisk) -> None:
    """As after a boot at which the check failed. They are started again and again, or wait; then they go on."""
    house.delivered.rename(disk.folder / "away")
    house.account.send_all(house.router.port, ct_series("1.2.1", 3))
    eventually(lambda: house.router.box.spool.names(Stage.OUTGOING), seconds=60, what="a task waits for its target")
    (disk.folder / "away").rename(house.delivered)
    house.router.stop()
    disk.turn("ro")
    with ExitStack() as mending:
        mending.callback(disk.turn, "rw")
        for name in SERVICES:
            house.router.start(name)
        eventually(
            lambda: "cannot be written" in house.router.programs["dispatcher"].output(), seconds=60, what="it complains"
        )
        assert house.is_accounted_for()
    house.router.listening()
    house.all_are_there()


HISTORY_AWAY = "postgresql://nobody@127.0.0.1:1/history"
LARGE = 40_000
"""An image of 300 to 400 kB."""


@pytest.mark.slow
def test_the_history_is_away_for_longer_than_the_disk_lasts(disk: FailingDisk) -> None:
    """What is delivered makes room for what comes, though nobody can ask the history whether it knows it."""
    away = {"history": {"url": HISTORY_AWAY}, "retention": {"pressure_free_bytes": 30_000_000}}
    with _house(disk, receiver={"min_free_bytes": 4_000_000}, **away) as house:
        for number in range(1, 16):
            house.account.send_all(house.router.port, ct_series(f"1.2.{number}", 20, repeated=LARGE))
        eventually(lambda: not any(map(house.router.box.spool.names, WAITING)), seconds=120, what="nothing waits")
        places = {"folder": house.delivered, ELSEWHERE: house.elsewhere}
        run = Run(house.account.sent, house.rules, {name: arrivals(folder) for name, folder in places.items()})
        judged(run)
