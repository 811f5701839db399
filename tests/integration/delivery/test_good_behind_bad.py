"""Good series of other studies behind bad ones at a real node, with the default settings: none waits 10 s for them.

The bound is one of injected time. What attempts take on this machine is counted in attempts: a good series waits for
few of them, however many bad ones were there before.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from mercure.delivery.acceptance import PATIENCE_SECONDS, AcceptanceBook, read_acceptance
from mercure.spool import Stage, load_task
from tests.integration.delivery.nodes import Office
from tests.support.box import deliveries, turn
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND = 10.0
FULL, REFUSED = 0xA700, 0xC000
HANGS, ABORTS = -1, -2


@dataclass
class MoodyNode:
    """A node that answers an echo and takes everything, but for some images: a status, or one of `HANGS`, `ABORTS`."""

    port: int
    moods: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def store(self, event: Any) -> int:
        """Answer one C-STORE."""
        sop = str(event.request.AffectedSOPInstanceUID)
        self.asked.append(sop)
        mood = self.moods.get(sop, 0x0000)
        if mood == HANGS:
            self.let_go.wait(120)
        if mood in (HANGS, ABORTS):
            event.assoc.abort()
            return REFUSED
        if not mood:
            self.taken.add(sop)
        return mood

    @contextmanager
    def running(self) -> Iterator[MoodyNode]:
        """Run it for the length of a block."""
        entity = AE(ae_title="NODE")
        entity.maximum_associations = 50
        entity.add_supported_context(CTImageStorage)
        entity.add_supported_context(Verification)
        server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)]
        )
        assert server is not None
        try:
            yield self
        finally:
            self.let_go.set()
            server.shutdown()


@dataclass
class Scene:
    """An office with one node, by default settings."""

    desk: Office
    node: MoodyNode

    def bad(self, mood: int, images: int = 1) -> Path:
        """Let a series wait of which the node takes no image."""
        task = self.desk.wait_for("pacs", images)
        self.node.moods |= dict.fromkeys(sops(task), mood)
        return task

    def good(self) -> Path:
        return self.desk.wait_for("pacs", 1)

    def seconds_until(self, *tasks: Path) -> float:
        """Let time pass, a second at a time, until the node has these; return how much."""
        wanted = {sop for task in tasks for sop in sops(task)}
        for seconds in range(200):
            self.desk.settle()
            if wanted <= self.node.taken:
                return seconds
            self.desk.box.clock.advance(1)
        raise AssertionError("they never leave")

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.desk.settle()
            self.desk.box.clock.advance(1)

    def waiting(self) -> set[str]:
        return {task.name for task in self.desk.box.tasks(Stage.OUTGOING)}


@pytest.fixture
def scene(office: Callable[..., Office], free_port: Callable[[], int]) -> Iterator[Scene]:
    node = MoodyNode(free_port())
    with node.running():
        yield Scene(office(pacs=default_target(node)), node)


def default_target(node: MoodyNode, **more: Any) -> dict[str, Any]:
    return {"kind": "dicom", "host": "127.0.0.1", "port": node.port, "called_aet": "NODE", **more}


def sops(task: Path) -> list[str]:
    return sorted(path.stem for path in task.glob("*.dcm"))


@pytest.mark.parametrize("mood", [ABORTS, FULL, REFUSED], ids=["aborts", "full", "refused"])
def test_one_bad_series_before_and_good_ones_after_it(scene: Scene, mood: int) -> None:
    scene.bad(mood)
    scene.pass_time(1)
    waits = []
    for _ in range(4):
        waits.append(scene.seconds_until(scene.good()))
        scene.pass_time(7)
    assert max(waits) <= BOUND / 2


@pytest.mark.parametrize(
    "moods",
    [
        [ABORTS] * 30,
        [FULL],
        [FULL] * 4,
        [REFUSED] * 30,
        [ABORTS, FULL, REFUSED] * 6,
        [FULL, ABORTS, ABORTS, FULL, REFUSED],
    ],
    ids=["aborts", "full", "full four times", "refused", "all", "few of each"],
)
def test_a_good_series_behind_many_bad_ones_that_were_not_tried_yet(scene: Scene, moods: list[int]) -> None:
    bad = [scene.bad(mood) for mood in moods]
    first = scene.good()
    assert scene.seconds_until(first) <= BOUND
    for _ in range(3):
        before = len(scene.node.asked)
        assert scene.seconds_until(scene.good()) <= BOUND / 2
        assert len(scene.node.asked) - before < 40, "however many bad ones there are"
        scene.pass_time(5)
    assert len(scene.waiting()) == len(bad)


def test_bad_ones_end_with_a_person(office: Callable[..., Office], free_port: Callable[[], int]) -> None:
    node = MoodyNode(free_port())
    with node.running():
        end_with_a_person(Scene(office(pacs=default_target(node, retry={"max_refusals": 3})), node))


def end_with_a_person(scene: Scene) -> None:
    bad = [scene.bad(mood) for mood in (ABORTS, FULL, REFUSED)]
    worst = 0.0
    for _ in range(20):
        worst = max(worst, scene.seconds_until(scene.good()))
        scene.desk.box.clock.advance(30)
        if not scene.waiting():
            break
    assert worst <= BOUND
    assert {task.name for task in scene.desk.box.tasks(Stage.ERROR)} == {task.name for task in bad}


def test_a_series_of_many_bad_images(scene: Scene) -> None:
    scene.bad(ABORTS, images=60)
    scene.bad(FULL, images=60)
    scene.bad(REFUSED, images=60)
    assert scene.seconds_until(scene.good()) <= BOUND


# -- an image at which the node hangs, and answers an echo


def until_taken(scene: Scene, task: Path, *, seconds: float = BOUND) -> float:
    """Let real time pass, since a hanging node does; return how much."""
    start, last = time.monotonic(), time.monotonic()
    wanted = set(sops(task))

    def is_taken() -> bool:
        nonlocal last
        now = time.monotonic()
        scene.desk.box.clock.advance(now - last)
        last = now
        turn(scene.desk.dispatcher)
        return wanted <= scene.node.taken

    eventually(is_taken, seconds=seconds, what="the node has the good series")
    return time.monotonic() - start


@pytest.mark.parametrize("count", [1, 2, 5])
def test_images_at_which_the_node_hangs_keep_no_other_series_for_long(
    scene: Scene, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a change of any setting: an answer may take 60 s, and two tasks go at a time."""
    monkeypatch.setattr("mercure.delivery.acceptance.PATIENCE_SECONDS", 1.0)
    bad = [scene.bad(HANGS) for _ in range(count)]
    for _ in range(3):
        until_taken(scene, scene.good())
    eventually(lambda: scene.waiting() == {task.name for task in bad}, what="only the bad ones wait")
    assert all(load_task(task).refusals == 0 for task in bad), "nothing is blamed for our impatience"
    scene.node.let_go.set()
    eventually(lambda: not deliveries(), seconds=20, what="the end of all deliveries")


def test_a_slow_node_is_given_the_time_that_it_takes(scene: Scene) -> None:
    """It took an image in 20 s: then 40 s are no sign of anything, in whatever slot."""
    desk = scene.desk
    now = desk.box.clock.now()
    assert read_acceptance(desk.box.spool, "pacs").patience(now) == PATIENCE_SECONDS
    AcceptanceBook(desk.box.spool, "pacs").took(now, 20.0)
    assert read_acceptance(desk.box.spool, "pacs").patience(now) == 40
    AcceptanceBook(desk.box.spool, "pacs").took(now, 0.1)
    assert read_acceptance(desk.box.spool, "pacs").patience(now) == 40
    desk.box.clock.advance(2 * 3600)
    assert read_acceptance(desk.box.spool, "pacs").patience(desk.box.clock.now()) == PATIENCE_SECONDS
