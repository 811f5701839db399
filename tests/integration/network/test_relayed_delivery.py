"""The way to a target ends after any number of bytes, or the target reads no further: all is delivered in the end."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import pytest

from mercure.delivery.target_breaker import read_outage
from mercure.spool import Stage, load_task, read_ledger
from tests.integration.delivery.nodes import Office, dicom_target
from tests.support.data_sets import data_set_of
from tests.support.dcmtk import KEEP_EACH_TRY
from tests.support.raw_target import Peer, raw_target
from tests.support.relay import Way, relay, wherever

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.dcmtk import StoreScp
    from tests.support.fixtures import MakeStoreScp
    from tests.support.relay import Ending

IMAGES = 4
SOON = 30.0
"""What time limits of a second or two may really take on a busy machine."""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Give a function that makes an office over one target at a port."""
    made: list[Office] = []

    def make(port: int, **settings: object) -> Office:
        made.append(Office(tmp_path / f"office-{len(made)}", {"pacs": dicom_target(port, **settings)}))
        return made[-1]

    yield make
    for item in made:
        item.dispatcher.end()
        item.box.close()


def data_sets(paths: list[Path]) -> set[bytes]:
    return {data_set_of(path.read_bytes()) for path in paths}


def at(node: StoreScp) -> set[bytes]:
    """Return what a node has; its half files (stock ``storescp`` leaves them under their names) are not told apart."""
    found = set()
    for path in node.files():
        with suppress(ValueError):
            found.add(data_set_of(path.read_bytes()))
    return found


def delivered(desk: Office, task: Path) -> None:
    """Turn until a task is delivered, which must not take more than a few tries."""
    for _ in range(6):
        if desk.box.spool.entry(Stage.SUCCESS, task.name).is_dir():
            return
        desk.box.clock.advance(60)
        desk.settle()
    raise AssertionError(f"not delivered: {load_task(task)}")


@wherever({"reset": 6, "close": 2, "stall": 1}, {"reset": 60, "close": 60, "stall": 20})
def test_wherever_the_way_ends(
    office: Callable[..., Office], storescp: MakeStoreScp, ending: Ending, count: int
) -> None:
    node = storescp("--bit-preserving", "--fork", KEEP_EACH_TRY)
    with relay(node.port) as way:
        desk = office(way.port)
        delivered(desk, desk.wait_for("pacs", IMAGES))
        total = dict(way.passed)
        for direction, number in product(("there", "back"), range(1, count + 1)):
            way.mend()
            setattr(way, direction, Way(number * total[direction] // (count + 1), ending))
            task = desk.wait_for("pacs", IMAGES)
            images = data_sets(list(task.glob("*.dcm")))
            desk.settle()
            # A try that got an image through is followed by the next one at once: it may even be delivered.
            stage = desk.box.spool.find(task.name)
            assert stage is not None
            where = desk.box.spool.entry(stage, task.name)
            confirmed = data_sets([where / name for name in read_ledger(where)])
            assert confirmed <= at(node), "what is confirmed is there"
            # Nothing else waits: an image in the middle of which it is lost is blamed, if the node answers an echo.
            tried = load_task(where)
            assert tried.refusals == sum(attempt.kind == "aborted" for attempt in tried.attempts) <= 1
            way.mend()
            delivered(desk, task)
            assert at(node) >= images
        assert read_outage(desk.box.spool, "pacs") is None
    assert desk.count(Stage.ERROR) == 0


def test_a_way_that_ends_in_every_image_blames_none_while_others_wait(
    office: Callable[..., Office], storescp: MakeStoreScp
) -> None:
    """The node answers an echo all the time, as that is short enough for the way."""
    node = storescp("--bit-preserving", "--fork", KEEP_EACH_TRY)
    with relay(node.port) as way:
        desk = office(way.port)
        delivered(desk, desk.wait_for("pacs", 1))
        way.there = Way(way.passed["there"] * 2 // 3, "reset")
        tasks = [desk.wait_for("pacs", 2) for _ in range(3)]
        for _ in range(4):
            desk.settle()
            desk.box.clock.advance(60)
        tried = [load_task(task) for task in tasks]
        assert {attempt.kind for task in tried for attempt in task.attempts} == {"aborted"}
        assert [task.refusals for task in tried] == [0, 0, 0]
        way.mend()
        for task in tasks:
            delivered(desk, task)
    assert read_outage(desk.box.spool, "pacs") is None
    assert desk.count(Stage.ERROR) == 0


def test_a_target_that_stops_reading_in_the_middle_of_an_image(
    office: Callable[..., Office], storescp: MakeStoreScp
) -> None:
    """Its window is full: nothing can be sent, and no answer comes."""
    released = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        peer.read(10_000)
        released.wait(60)

    with raw_target(serve) as clogged:
        desk = office(clogged.port)
        task = desk.wait_for("pacs", 20, pixels=400)
        start = time.monotonic()
        desk.settle()
        assert time.monotonic() - start < SOON
        outage = read_outage(desk.box.spool, "pacs")
        assert outage is not None
        assert outage.kind == "timeout"
        (down,) = desk.box.events("target.down")
        assert down.details["target"] == "pacs"
        assert read_ledger(task) == {}
        released.set()
    node = storescp("--bit-preserving", port=clogged.port)
    images = data_sets(list(task.glob("*.dcm")))
    delivered(desk, task)
    assert at(node) == images
    assert read_outage(desk.box.spool, "pacs") is None


def test_a_target_behind_a_line_in_crumbs(office: Callable[..., Office], storescp: MakeStoreScp) -> None:
    node = storescp("--bit-preserving")
    with relay(node.port, there=Way(piece=211, delay=0.0005), back=Way(piece=1, delay=0.0005)) as way:
        desk = office(way.port, dimse_timeout_seconds=20)
        task = desk.wait_for("pacs", 3)
        images = data_sets(list(task.glob("*.dcm")))
        desk.settle(60)
        assert desk.count(Stage.SUCCESS) == 1
    assert at(node) == images
