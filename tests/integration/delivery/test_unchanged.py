"""What was acknowledged is what arrives, bit by bit, or nothing arrives and a person hears of it: end to end."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import Root
from mercure.history.verify import Kind, verify
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Stage, load_task
from mercure.spool.altered_images import AlteredBook
from tests.support.box import deliveries, turn
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import Peer, associate_rq
from tests.support.incoming import date_back
from tests.support.polling import eventually
from tests.support.receipts import spoil
from tests.support.receiver import receiver
from tests.support.router_desk import RouterDesk
from tests.support.store_node import store_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.receiver import Receiver

SERIES = "1.2.3.4"
RETRY = {"first_seconds": 10, "max_refusals": 10}
DAMAGES = ["pixel", "transfer syntax", "header", "cut off", "digest"]


@dataclass
class Archive:
    """A DICOM node that keeps the data sets that it takes, as they came off the wire."""

    port: int
    got: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: Any) -> int:
        with self.lock:
            self.got[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return 0


class Chain:
    """Receiver, router, dispatcher and three kinds of target."""

    def __init__(self, root: Path, archive: Archive) -> None:
        self.desk = RouterDesk(root)
        self.box = self.desk.box
        self.archive = archive
        node = {"kind": "dicom", "host": "127.0.0.1", "port": archive.port, "called_aet": "ARCHIVE", "retry": RETRY}
        self.targets: dict[str, Any] = {
            "pacs": node,
            "folder": {"kind": "folder", "path": str(self.box.delivered), "layout": "flat", "retry": RETRY},
            "member": {**node, "calling_aet": "MEMBER"},
            "group": {"kind": "group", "members": ["member"], "strategy": "failover"},
        }
        self.dispatcher = Dispatcher(self.box.context("dispatcher"))

    def configure(self, *targets: str, **more: Any) -> None:
        rules = {"all": {"rule": "True", "targets": list(targets)}}
        self.box.configure(targets=self.targets, rules=rules, **more)
        for context in self.box.contexts:
            context.live.refresh()

    def route(self) -> list[Path]:
        """Let the router take all series that are there; return the tasks in ``outgoing``."""
        date_back(self.box.spool, self.box.clock.now())
        self.desk.turn()
        self.desk.turn(600)
        return self.box.tasks(Stage.OUTGOING)

    def deliver(self) -> None:
        """Deliver what can be delivered."""
        for _ in range(6):
            turn(self.dispatcher)
            eventually(lambda: not deliveries(), seconds=60, what="the end of all deliveries")
        turn(self.dispatcher)

    def verified(self, *, deep: bool = False) -> list[Kind]:
        report = verify(Root(self.box.root), self.desk.context.config, self.box.clock, deep=deep)
        return [finding.kind for finding in report.findings if finding.kind in (Kind.ALTERED, Kind.IMAGE_UNREADABLE)]


@pytest.fixture
def chain(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Chain]:
    archive = Archive(free_port())
    made = Chain(tmp_path / "root", archive)
    with store_node(archive.port, archive.store):
        yield made
    made.dispatcher.end()
    made.box.close()


def send(receiving: Receiver, images: dict[str, bytes]) -> None:
    with Peer(receiving.port) as peer:
        peer.associate(associate_rq(calling=b"CT1", called=b"ROUTER"))
        assert [peer.store(data, sop).status for sop, data in images.items()] == [0] * len(images)
        peer.release()
    receiving.until_idle()


def three() -> dict[str, bytes]:
    return {sop: ct_image(sop, SERIES) for sop in (uid(), uid(), uid())}


@contextmanager
def received(chain: Chain, images: dict[str, bytes]) -> Iterator[Receiver]:
    with receiver(chain.box.root) as receiving:
        send(receiving, images)
        yield receiving


def arrived(chain: Chain) -> dict[str, bytes]:
    """Return all data sets that any target has."""
    folder = {path.stem: data_set_of(path.read_bytes()) for path in chain.box.delivered.rglob("*.dcm")}
    return {**folder, **chain.archive.got}


@pytest.mark.parametrize(
    ("target", "damage"),
    [*(("pacs", damage) for damage in DAMAGES), ("folder", "pixel"), ("folder", "transfer syntax"), ("group", "pixel")],
)
def test_an_altered_image_never_arrives_and_the_others_do(chain: Chain, target: str, damage: str) -> None:
    """`meaning/flipped_bit.py`: a bit flips on the disk while a task waits."""
    images = three()
    chain.configure(target)
    with received(chain, images):
        (task,) = chain.route()
    bad, *good = sorted(images)
    spoil(task / f"{bad}.dcm", damage)
    chain.deliver()
    assert arrived(chain) == {sop: images[sop] for sop in good}
    (failed,) = chain.box.tasks(Stage.ERROR)
    model = load_task(failed)
    assert model.failure is not None
    assert bad in model.failure.reason
    assert "sent again from the scanner" in model.failure.advice
    assert (model.attempts_made, model.attempts[-1].kind) == (1, "altered")
    assert [known.task for known in AlteredBook(chain.box.spool).images()] == [failed.name]
    # What must not happen: an altered image on its way, and the verification well.
    assert chain.verified() == chain.verified(deep=True) == [Kind.ALTERED]


def test_all_tasks_of_a_fan_out_find_it_and_nobody_gets_it(chain: Chain) -> None:
    images = three()
    chain.configure("pacs", "folder")
    with received(chain, images):
        tasks = chain.route()
    bad, *good = sorted(images)
    spoil(tasks[0] / f"{bad}.dcm", "pixel")
    assert os.stat(tasks[0] / f"{bad}.dcm").st_ino == os.stat(tasks[1] / f"{bad}.dcm").st_ino
    chain.deliver()
    assert set(chain.archive.got) == set(good)
    assert {path.stem for path in chain.box.delivered.iterdir()} == set(good)
    assert len(chain.box.tasks(Stage.ERROR)) == 2
    assert len(AlteredBook(chain.box.spool).images()) == 2


def test_what_is_whole_arrives_whole(chain: Chain) -> None:
    images = three()
    chain.configure("pacs", "folder")
    with received(chain, images):
        chain.route()
    chain.deliver()
    assert chain.archive.got == images
    assert arrived(chain) == images
    assert chain.verified(deep=True) == []


@pytest.mark.parametrize(
    ("damage", "files"), [("pixel", 3), ("header", 3), ("digest", 3), ("cut off", 3), ("transfer syntax", 4)]
)
def test_sent_again_into_the_same_folder_the_good_copy_is_delivered(chain: Chain, damage: str, files: int) -> None:
    """The copy is altered while its series is still open: the sender's repetition must not be taken for it."""
    images = three()
    chain.configure("pacs")
    bad = min(images)
    with received(chain, images) as receiving:
        spoil(receiving.spool / "incoming" / SERIES / f"{bad}.dcm", damage)
        send(receiving, {bad: images[bad]})
        (task,) = chain.route()
    assert len(list(task.glob("*.dcm"))) == files
    chain.deliver()
    assert chain.archive.got == images
    assert len(chain.box.tasks(Stage.ERROR)) == files - 3, "what was replaced needs nobody"


def test_sent_again_later_it_goes_out_and_the_failed_task_can_be_discarded(chain: Chain) -> None:
    images = three()
    chain.configure("pacs")
    bad = min(images)
    with received(chain, images) as receiving:
        (task,) = chain.route()
        spoil(task / f"{bad}.dcm", "pixel")
        chain.deliver()
        assert bad not in chain.archive.got
        send(receiving, {bad: images[bad]})
        chain.route()
        chain.deliver()
    assert chain.archive.got == images
    (failed,) = chain.box.tasks(Stage.ERROR)
    failed.rename(chain.box.spool.entry(Stage.DISCARD, failed.name))
    assert chain.verified() == []
