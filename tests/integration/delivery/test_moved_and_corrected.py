"""A target that is given another address in the middle of a task, and corrections, with real nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercure.services.dispatcher import Dispatcher
from mercure.services.router import Router
from mercure.spool import Stage, load_task, read_tags
from mercure.spool.delivered import by_place
from mercure.spool.images import ledger_lines
from tests.integration.delivery.nodes import Node, Office, dicom_target
from tests.support.box import GRACE, deliveries, turn
from tests.support.incoming import Image
from tests.support.polling import eventually
from tests.support.series import synthetic_images

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_new_archive_gets_all_of_a_half_delivered_task(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    old, new = Node(free_port()), Node(free_port())
    desk = office(pacs=dicom_target(old.port))
    task = desk.wait_for("pacs", 6)
    sops = sorted(str(record["SOPInstanceUID"]) for record in read_tags(task))
    old.answers.update(dict.fromkeys(sops[3:], 0xC000))  # not A7xx: after two of these no more images go
    with old.running():
        desk.settle()
    assert load_task(task).attempts[0].outcome == "partial"
    desk.box.configure(targets={"pacs": dicom_target(new.port)}, rules={})
    for context in desk.box.contexts:
        context.live.refresh()
    desk.box.clock.advance(60)
    with new.running():
        desk.settle()
    assert set(new.asked) == set(sops)
    (done,) = desk.box.tasks(Stage.SUCCESS)
    places = by_place(ledger_lines(done))
    assert {place: len(lines) for place, lines in places.items()} == {
        f"dicom:127.0.0.1:{old.port}:NODE": 3,
        f"dicom:127.0.0.1:{new.port}:NODE": 6,
    }


class Keeper(Node):
    """A node that keeps the last it was sent of each image, and is too busy for the first."""

    kept: list[str]

    def store(self, event: Any) -> int:
        if not self.asked:
            self.asked["first"] += 1
            return 0xA700
        self.kept.append(str(event.dataset.PatientName))
        return super().store(event)


def test_an_archive_that_overwrites_keeps_the_correction(
    office: Callable[..., Office], free_port: Callable[[], int]
) -> None:
    node = Keeper(free_port())
    node.kept = []
    desk = office(pacs=dicom_target(node.port))
    desk.box.configure(targets={"pacs": dicom_target(node.port)}, rules={"all": {"rule": "True", "targets": ["pacs"]}})
    router = Router(desk.box.context("router"))
    dispatchers = [desk.dispatcher, Dispatcher(desk.box.context("dispatcher"))]

    def round_() -> None:
        for dispatcher in dispatchers:
            turn(dispatcher)
        eventually(lambda: not deliveries(), what="the end of all deliveries")

    with node.running():
        for name in ("WRONG", "RIGHT"):
            ((uid, data),) = synthetic_images(1, 16, 16, seed="one", PatientName=name)
            tags: dict[str, object] = {"SOPInstanceUID": uid, "SeriesInstanceUID": "1.2.3", "PatientID": "P1"}
            desk.box.receive([Image(uid, "1.2.3", data, tags)])
            turn(router)
            desk.box.clock.advance(GRACE + 1)
            turn(router)
            round_()
        for _ in range(4):
            desk.box.clock.advance(60)
            round_()
    assert node.kept == ["RIGHT"]
    assert desk.count(Stage.SUCCESS) == 2
    assert len(desk.box.events("images.superseded")) == 1
