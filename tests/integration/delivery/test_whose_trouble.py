"""DICOM nodes that are full, abort at an image, or have no room, through the real sender: whose trouble it is."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from mercure.delivery.target_breaker import read_outage
from mercure.spool import Stage, load_task
from tests.integration.delivery.nodes import Node, Office, dicom_target
from tests.support.raw_target import REJECT, Peer, pdu, raw_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCAL_LIMIT_EXCEEDED = bytes([0, 2, 3, 2])
"""Transient, by the presentation layer of the provider (PS3.8 table 9-21)."""


@contextmanager
def aborting_node(port: int, poison: set[str]) -> Iterator[list[str]]:
    """Run a node that takes everything, and aborts the association at some images."""
    taken: list[str] = []

    def store(event: Any) -> int:
        sop = str(event.request.AffectedSOPInstanceUID)
        if sop in poison:
            event.assoc.abort()
            return 0xC000
        taken.append(sop)
        return 0x0000

    entity = AE(ae_title="NODE")
    entity.add_supported_context(CTImageStorage)
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield taken
    finally:
        server.shutdown()


def sops(task: Path) -> list[str]:
    return sorted(path.stem for path in task.glob("*.dcm"))


def test_an_image_at_which_a_node_aborts_is_its_own_trouble(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    port = free_port()
    desk = office(pacs=dicom_target(port))
    bad, good = desk.wait_for("pacs", 8), desk.wait_for("pacs", 2)
    poison = set(sops(bad)[:3])
    with aborting_node(port, poison) as taken:
        desk.settle()
        assert len(taken) == 5 + 2
        assert desk.box.spool.names(Stage.SUCCESS) == [good.name]
        assert (load_task(bad).refusals, load_task(bad).attempts[0].kind) == (1, "aborted")
        for _ in range(2):
            desk.box.clock.advance(60)
            desk.wait_for("pacs", 1)
            desk.settle()
    assert desk.box.spool.names(Stage.ERROR) == [bad.name]
    assert desk.count(Stage.SUCCESS) == 3
    assert desk.box.events("target.down") == []


def test_a_full_node_is_asked_with_one_image_and_takes_all_when_it_has_room(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    node = Node(free_port(), answers={"": 0xA700})
    desk = office(pacs=dicom_target(node.port))
    for _ in range(3):
        desk.wait_for("pacs", 25)
    with node.running():
        desk.settle()
        first = sum(node.asked.values())
        assert first <= 2 * 4  # of 75: where one image goes after the first, and those on their way when it is told
        for _ in range(4):
            desk.box.clock.advance(60)
            desk.settle()
        assert sum(node.asked.values()) <= first + 2 * 4
        assert all(load_task(task).refusals == 0 for task in desk.box.tasks(Stage.OUTGOING))
        (down,) = desk.box.events("target.down")
        assert "0xA700" in down.details["error"]
        node.answers.clear()
        desk.box.clock.advance(60)
        desk.settle()
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 3


@pytest.mark.parametrize(("statuses", "kind"), [((), "refused"), (("0110",), "unable"), (("01xx",), "unable")])
def test_which_statuses_speak_of_the_node_is_a_setting(
    office: Callable[..., Office], free_port: Callable[[], int], statuses: tuple[str, ...], kind: str
) -> None:
    node = Node(free_port(), answers={"": 0x0110})
    desk = office(pacs=dicom_target(node.port, outage_statuses=["A7xx", *statuses]))
    task = desk.wait_for("pacs", 1)
    with node.running():
        desk.settle()
    assert load_task(task).attempts[0].kind == kind
    assert (read_outage(desk.box.spool, "pacs") is not None) == (kind == "unable")


def test_a_node_that_takes_one_association_at_a_time_is_not_down(office: Callable[..., Office]) -> None:
    busy, taken, rejected = threading.Lock(), [], []

    def serve(peer: Peer) -> None:
        if not busy.acquire(blocking=False):
            peer.read_request()
            peer.write(pdu(REJECT, LOCAL_LIMIT_EXCEEDED))
            rejected.append(1)
            return
        try:
            peer.accept()
            number = 0
            while (image := peer.read_image()) is not None:
                number += 1
                taken.append(image)
                peer.answer(image[0], number, 0x0000)
        finally:
            busy.release()

    with raw_target(serve) as node:
        desk = office(pacs=dicom_target(node.port, concurrency=4))
        for _ in range(8):
            desk.wait_for("pacs", 4)
        for _ in range(12):
            desk.settle()
            desk.box.clock.advance(2)
    assert desk.count(Stage.SUCCESS) == 8
    assert len(taken) == 32
    assert 1 <= len(rejected) <= 8
    assert desk.box.events("target.down") == []
