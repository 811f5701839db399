"""A cable is pulled in the middle of an image, answers are lost on the way: by what the kernel does to packets."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage, load_task, read_ledger
from tests.support.account import Account, ct_series
from tests.support.held import digest, digests
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.account import Sent
    from tests.support.hospital import Hospital

pytestmark = pytest.mark.timeout(240)

LARGE = 40_000
"""An image of 320 kB: at 4 Mbit/s two thirds of a second on the way."""


@contextmanager
def sending(account: Account, port: int, objects: list[Sent]) -> Iterator[None]:
    """Send beside the block; at its end the sender has ended too."""
    sender = threading.Thread(target=account.send, args=(port, objects))
    sender.start()
    try:
        yield
    finally:
        sender.join(60)
        assert not sender.is_alive()


def parts(spool: Path) -> list[Path]:
    """Return the images that are arriving; of a small one all may still be in memory."""
    return list((spool / "receiving").glob("*/*.part"))


def is_accounted_for(hospital: Hospital) -> bool:
    """Tell whether each acknowledged image is in the spool or in the archive, at this moment."""
    there = digests(hospital.router.root / "spool", hospital.archive.folder)
    return all(digest(sent.data) in there for sent in list(hospital.account.acknowledged))


def test_a_cable_is_pulled_in_the_middle_of_an_image_that_arrives(hospital: Hospital) -> None:
    """The scanner is switched off meanwhile, so the router has half an association, of which nobody will ever speak."""
    spool, account, outside = hospital.router.root / "spool", hospital.account, hospital.cable.sender
    images = ct_series("1.2.1", 6, repeated=LARGE)
    outside.narrow("4mbit")
    with sending(account, hospital.router.port, images):
        eventually(lambda: len(account.acknowledged) >= 2 and parts(spool), seconds=60, what="an image is on its way")
        outside.pull()
    (ended,) = hospital.told("association.closed")
    assert ended["how"] == "timeout"
    assert ended["images"] >= len(account.acknowledged)
    eventually(lambda: not list((spool / "receiving").iterdir()), seconds=10, what="the half image is removed")
    assert 2 <= len(account.acknowledged) < len(images)
    assert is_accounted_for(hospital)
    outside.widen()
    outside.plug()
    left = [sent for sent in images if sent not in account.acknowledged]
    account.send_all(hospital.router.port, left)
    hospital.settled()


def test_a_cable_is_pulled_in_the_middle_of_an_image_that_is_delivered(hospital: Hospital) -> None:
    spool, inside = hospital.router.box.spool, hospital.cable.receiver
    images = ct_series("1.2.2", 6, repeated=LARGE)
    inside.narrow("4mbit")
    hospital.account.send_all(hospital.router.port, images)

    def confirmed() -> int:
        return sum(len(read_ledger(spool.entry(Stage.OUTGOING, name))) for name in spool.names(Stage.OUTGOING))

    eventually(lambda: 1 <= confirmed() < len(images), seconds=60, what="the archive confirmed one, and not all")
    inside.pull()
    eventually(hospital.outage, seconds=60, what="the outage is seen")
    outage = hospital.outage()
    assert outage is not None
    assert outage.kind in ("timeout", "unreachable", "lost")
    assert is_accounted_for(hospital)
    (waiting,) = spool.names(Stage.OUTGOING)
    assert load_task(spool.entry(Stage.OUTGOING, waiting)).refusals == 0, "an outage is no refusal"
    (down,) = hospital.told("target.down")
    assert down["target"] == "archive"
    inside.widen()
    inside.plug()
    eventually(lambda: not spool.names(Stage.OUTGOING), seconds=60, what="all is delivered")
    assert len(hospital.told("target.up")) == 1
    (delivered,) = hospital.told("task.delivered")
    assert delivered["images"] == len(images)
    hospital.settled()


@pytest.mark.slow
def test_answers_are_lost_on_the_way(hospital: Hospital) -> None:
    """What the scanner does not know to be kept it sends again: a repetition, kept once."""
    spool, account, inside = hospital.router.root / "spool", hospital.account, hospital.cable.receiver
    images = ct_series("1.2.3", 4, repeated=LARGE)
    hospital.cable.sender.narrow("4mbit")
    with sending(account, hospital.router.port, images):
        eventually(lambda: len(account.acknowledged) >= 1 and parts(spool), seconds=60, what="an image is on its way")
        inside.drop("tcp", "sport", str(hospital.router.port))
    known = len(account.acknowledged)
    eventually(lambda: not list((spool / "receiving").iterdir()), seconds=30, what="the association has ended")
    inside.drop_nothing()
    hospital.cable.sender.widen()
    account.send_all(hospital.router.port, images)
    assert len(account.acknowledged) == known + len(images)
    assert hospital.told("association.closed")[0]["how"] in ("timeout", "lost")
    hospital.settled()


@pytest.mark.slow
def test_a_short_break_is_not_even_noticed(hospital: Hospital) -> None:
    """TCP sends again what was lost; an association that is patient enough goes on."""
    account, outside = hospital.account, hospital.cable.sender
    account.timeout = 60
    images = ct_series("1.2.4", 5, repeated=LARGE)
    outside.narrow("4mbit")
    with sending(account, hospital.router.port, images):
        eventually(lambda: account.acknowledged, seconds=60, what="the first image is acknowledged")
        outside.drop("tcp", "dport", str(hospital.router.port))
        threading.Event().wait(0.3)  # how long the break lasts is what is tested
        outside.drop_nothing()
    assert [sent.sop for sent in account.acknowledged] == [sent.sop for sent in images]
    assert len(hospital.told("association.opened")) == 1
    outside.widen()
    hospital.settled()
