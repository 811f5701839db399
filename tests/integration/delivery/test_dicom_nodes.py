"""DICOM targets that refuse, hang, take half, warn, or go away, through the real sender."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification  # type: ignore[attr-defined]

from mercure.delivery.target_breaker import read_outage
from mercure.spool import Claim, Stage, load_task, move, read_ledger, save_task
from tests.integration.delivery.nodes import Node, Office, dicom_target
from tests.support.data_sets import data_set_of
from tests.support.disks import fill
from tests.support.raw_target import Peer, raw_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fixtures import MakeStoreScp, MountSmallDisk


def test_what_is_sent_arrives_bit_by_bit(office: Callable[..., Office], storescp: MakeStoreScp) -> None:
    node = storescp("--bit-preserving")
    desk = office(pacs=dicom_target(node.port, called_aet=node.aet, associations=2))
    task = desk.wait_for("pacs", 20)
    wanted = sorted(data_set_of(path.read_bytes()) for path in task.glob("*.dcm"))
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    assert sorted(data_set_of(path.read_bytes()) for path in node.files()) == wanted
    done = desk.box.spool.entry(Stage.SUCCESS, task.name)
    assert {line.status for line in read_ledger(done).values()} == {"0x0000"}


def test_a_node_that_rejects_us_waits_for_a_person_and_burns_nothing(
    office: Callable[..., Office], storescp: MakeStoreScp
) -> None:
    node = storescp("--refuse")
    desk = office(pacs=dicom_target(node.port))
    tasks = [desk.wait_for("pacs", 1) for _ in range(3)]
    for _ in range(5):
        desk.settle()
        desk.box.clock.advance(60)
    assert sum(load_task(task).refusals for task in tasks) == 0
    assert sum(load_task(task).attempts_made for task in tasks) <= 2
    (down,) = desk.box.events("target.down")
    assert down.details["kind"] == "rejected"
    node.program.stop()
    storescp(port=node.port)
    desk.box.clock.advance(60)
    desk.settle()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 3


def test_a_node_that_says_nothing_is_left_after_its_time_and_holds_up_no_other(
    office: Callable[..., Office], storescp: MakeStoreScp
) -> None:
    """Lessons 18 and 19."""
    node = storescp()
    with raw_target(lambda peer: peer.read(1 << 30)) as silent:
        desk = office(silent=dicom_target(silent.port), pacs=dicom_target(node.port))
        hung = desk.wait_for("silent", 2)
        desk.wait_for("pacs", 2)
        start = time.monotonic()
        desk.settle()
        assert time.monotonic() - start < 20
        assert [task.name for task in desk.box.tasks(Stage.OUTGOING)] == [hung.name]
        outage = read_outage(desk.box.spool, "silent")
        assert outage is not None
        assert outage.kind == "timeout"


def test_of_a_node_that_stops_answering_in_the_middle_only_the_rest_is_sent_again(
    office: Callable[..., Office], storescp: MakeStoreScp
) -> None:
    answered = 3
    echoes = []

    def serve(peer: Peer) -> None:
        request = peer.accept()
        if any(abstract == Verification for abstract, _ in request.contexts.values()):
            echoes.append(request)
            peer.read(1 << 30)
            return
        for number in range(answered):
            image = peer.read_image()
            assert image is not None
            peer.answer(image[0], number + 1, 0x0000)
        peer.read(1 << 30)

    with raw_target(serve) as tired:
        desk = office(pacs=dicom_target(tired.port))
        task = desk.wait_for("pacs", 10)
        desk.settle()
        assert len(read_ledger(task)) == answered
        attempt = load_task(task).attempts[0]
        assert (attempt.outcome, attempt.kind, attempt.confirmed) == ("partial", "timeout", answered)
        assert len(echoes) == 1, "it is asked whether it is there"
        done = set(read_ledger(task))
    node = storescp(port=tired.port)
    desk.box.clock.advance(60)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    assert len(node.files()) == 10 - answered
    assert not any(sop.removesuffix(".dcm") in path.name for sop in done for path in node.files())


def test_a_node_that_knows_half_of_the_sop_classes_gets_the_other_half_when_it_does(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    """What it said in the negotiation does not change by trying again: a person hears of it at once, by name."""
    node = Node(free_port())
    desk = office(pacs=dicom_target(node.port))
    desk.wait_for("pacs", 3, classes=(CTImageStorage, MRImageStorage))
    with node.running():
        desk.settle()
    (failed,) = desk.box.tasks(Stage.ERROR)
    assert sum(node.asked.values()) == len(read_ledger(failed)) == 3
    attempt = load_task(failed).attempts[0]
    assert (attempt.outcome, attempt.kind) == ("partial", "unsupported")
    assert "SOP class not supported" in (attempt.error or "")
    node.classes.append(MRImageStorage)
    claim = Claim.take(failed)
    assert claim is not None
    with claim:
        save_task(failed, load_task(failed).for_retry())
        move(desk.box.spool, claim, Stage.OUTGOING)
    with node.running():
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    assert set(node.asked.values()) == {1}
    assert len(node.asked) == 6


def test_what_a_node_refuses_ends_in_error_with_its_status_and_the_rest_is_there_once(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    """Lesson 24: a partial failure is no success."""
    node = Node(free_port())
    desk = office(pacs=dicom_target(node.port))
    task = desk.wait_for("pacs", 4)
    bad = sorted(path.stem for path in task.glob("*.dcm"))[1]
    node.answers[bad] = 0xA700
    with node.running():
        for _ in range(3):
            desk.settle()
            desk.box.clock.advance(60)
    failed = desk.box.spool.entry(Stage.ERROR, task.name)
    failure = load_task(failed).failure
    assert failure is not None
    assert "0xA700" in failure.reason
    assert node.asked.pop(bad) == 3
    assert set(node.asked.values()) == {1}
    assert len(read_ledger(failed)) == 3
    assert desk.box.events("target.down") == []


def test_a_warning_is_a_delivery_that_is_told(office: Callable[..., Office], free_port: Callable[[], int]) -> None:
    """Lesson 24."""
    node = Node(free_port(), answers={"": 0xB007})
    desk = office(pacs=dicom_target(node.port))
    desk.wait_for("pacs", 2)
    with node.running():
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    (warned,) = desk.box.events("warning")
    assert "0xB007" in warned.details["text"]
    (delivered,) = desk.box.events("task.delivered")
    assert {image["status"] for image in delivered.details["images"]} == {"0xB007"}


def test_a_node_without_verification_comes_back_all_the_same(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    """It cannot answer the question whether it is back; that it accepts an association is answer enough."""
    port = free_port()
    desk = office(pacs=dicom_target(port))
    desk.wait_for("pacs", 1)
    desk.settle()
    assert read_outage(desk.box.spool, "pacs") is not None
    node = Node(port)
    with node.running(echo=False):
        desk.box.clock.advance(60)
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    assert read_outage(desk.box.spool, "pacs") is None


def test_associations_never_exceed_the_concurrency(office: Callable[..., Office], free_port: Callable[[], int]) -> None:
    node = Node(free_port())
    desk = office(pacs=dicom_target(node.port, concurrency=2))
    for _ in range(8):
        desk.wait_for("pacs", 2)
    with node.running():
        for _ in range(8):
            desk.settle()
    assert desk.count(Stage.SUCCESS) == 8
    assert 1 <= node.most <= 2


def test_a_full_disk_behind_a_folder_is_its_outage_and_nobody_elses(
    office: Callable[..., Office], small_disk: MountSmallDisk, tmp_path: Path
) -> None:
    disk = small_disk(4)
    other = tmp_path / "other"
    other.mkdir()
    retry = {"first_seconds": 10, "cap_seconds": 60}
    desk = office(
        full={"kind": "folder", "path": str(disk), "retry": retry}, other={"kind": "folder", "path": str(other)}
    )
    ballast = fill(disk, leave=20_000)
    stuck = desk.wait_for("full", 100)
    desk.wait_for("other", 3)
    for _ in range(4):
        desk.settle()
        desk.box.clock.advance(60)
    assert [task.name for task in desk.box.tasks(Stage.OUTGOING)] == [stuck.name]
    assert load_task(stuck).refusals == 0
    confirmed = set(read_ledger(stuck))
    whole = {path.name for path in disk.rglob("*.dcm") if not path.name.startswith(".")}
    assert confirmed == whole
    assert len(desk.box.events("target.down")) == 1
    ballast.unlink()
    desk.box.clock.advance(60)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 2
    assert len(list(disk.rglob("*.dcm"))) == 100
    assert not list(disk.rglob(".*.tmp"))
