"""Real dispatcher processes over real nodes: killed, stopped in mid-transfer, and two at once."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Stage, load_task, read_ledger
from tests.integration.delivery.nodes import Node, dicom_target
from tests.support.box import Box
from tests.support.incoming import Image
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.procfs import command_line, environment, processes
from tests.support.series import synthetic_images
from tests.support.services import service
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.fixtures import MakeStoreScp

QUICK = {"first_seconds": 0.2, "cap_seconds": 1}
STEPS = [n if n in (1, 4, 8, 11, 14, 17, 20, 24) else pytest.param(n, marks=pytest.mark.slow) for n in range(1, 30)]


@pytest.fixture
def box() -> Iterator[Box]:
    with memory_folder() as folder:
        yield Box(folder / "root")


def put(box: Box, number: int, count: int) -> Path:
    images = [
        Image(uid, f"1.2.{number}", data, {"SOPInstanceUID": uid})
        for uid, data in synthetic_images(count, 16, 16, seed=f"process {number}")
    ]
    return box.spool.entry(Stage.OUTGOING, waiting_series(box, f"1.2.{number}", target="pacs", images=images))


def senders(box: Box) -> list[int]:
    """Return the senders that work for this root, and their brokers, by the marks of what started them."""
    found = []
    for pid in processes():
        if "mercure-storescu" in command_line(pid) and str(box.root).encode() in environment(pid):
            found.append(pid)
    return found


def delivered(box: Box, count: int) -> Callable[[], bool]:
    return lambda: len(box.tasks(Stage.SUCCESS)) == count


class SlowNode(Node):
    """A node that answers an image only when it may."""

    def __init__(self, port: int, at_once: int) -> None:
        super().__init__(port)
        self.at_once = at_once
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def store(self, event: Any) -> int:
        if sum(self.asked.values()) >= self.at_once:
            self.reached.set()
            assert self.go_on.wait(60)
        return super().store(event)


def test_a_stop_in_mid_transfer_loses_no_confirmation_and_the_rest_goes_next_time(
    box: Box, free_port: Callable[[], int]
) -> None:
    node = SlowNode(free_port(), at_once=5)
    box.configure(targets={"pacs": dicom_target(node.port, dimse_timeout_seconds=60)}, rules={})
    task = put(box, 1, 60)
    with node.running():
        with service(box.root, "dispatcher", env={"MARK": str(box.root)}) as program:
            assert node.reached.wait(60)
            program.signal(signal.SIGTERM)
            node.go_on.set()
            assert program.wait(seconds=40) == 0
        confirmed = set(read_ledger(task))
        assert 5 <= len(confirmed) < 60
        assert load_task(task).attempts_made == 0
        assert senders(box) == []
        assert box.events("target.down", "task.attempt") == []
        with service(box.root, "dispatcher"):
            eventually(delivered(box, 1), seconds=60)
    assert set(node.asked.values()) == {1}
    assert len(node.asked) == 60


def test_after_a_kill_in_mid_transfer_no_sender_lives_on(box: Box, free_port: Callable[[], int]) -> None:
    """Another dispatcher takes the task in the next moment; two must not send it at once."""
    node = SlowNode(free_port(), at_once=3)
    box.configure(targets={"pacs": dicom_target(node.port, dimse_timeout_seconds=60)}, rules={})
    put(box, 1, 10)
    with node.running():
        with service(box.root, "dispatcher", env={"MARK": str(box.root)}) as program:
            assert node.reached.wait(60)
            assert len(senders(box)) == 2, "one, and the broker that connects for it"
            program.signal(signal.SIGKILL)
            program.wait()
            node.go_on.set()
            eventually(lambda: not senders(box), seconds=20, what="the sender ends with its dispatcher")
        with service(box.root, "dispatcher"):
            eventually(delivered(box, 1), seconds=60)
    assert len(node.asked) == 10
    (done,) = box.tasks(Stage.SUCCESS)
    assert len(read_ledger(done)) == 10


def test_two_dispatchers_deliver_each_image_once(box: Box, free_port: Callable[[], int]) -> None:
    node = Node(free_port())
    target = dicom_target(node.port, concurrency=3, acse_timeout_seconds=30, dimse_timeout_seconds=30)
    box.configure(targets={"pacs": target}, rules={})
    for number in range(20):
        put(box, number, 3)
    with node.running(), ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(service(box.root, "dispatcher"))
        eventually(delivered(box, 20), seconds=60)
    assert len(node.asked) == 60
    assert set(node.asked.values()) == {1}
    assert node.most <= 3
    assert {event.details["attempts"] for event in box.events("task.delivered")} == {1}


@pytest.mark.parametrize(
    "number", [*STEPS, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 30) if n not in STEPS)]
)
def test_a_kill_at_a_step_and_all_arrives(box: Box, storescp: MakeStoreScp, number: int) -> None:
    node = storescp("--bit-preserving", "--fork")
    target = dicom_target(node.port, called_aet=node.aet, concurrency=1, retry=QUICK, acse_timeout_seconds=30)
    box.configure(targets={"pacs": target}, rules={})
    for task in (1, 2):
        put(box, task, 5)
    fault = {"MERCURE_FAULT": f"kill@{number}"}
    with service(box.root, "dispatcher", env=fault) as program:
        eventually(lambda: not program.is_alive or delivered(box, 2)(), seconds=60)
    with service(box.root, "dispatcher"):
        eventually(delivered(box, 2), seconds=60)
    assert len(node.files()) == 10
    for done in box.tasks(Stage.SUCCESS):
        assert len(read_ledger(done)) == 5
    assert len(box.events("task.delivered")) >= 1
