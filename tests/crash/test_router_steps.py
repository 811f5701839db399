"""The router ends, meets an error, or an image lands, before each of its durable steps: nothing is lost or doubled."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage, load_task
from tests.crash.routed import SCENES, Scene, check_all_is_done, check_nothing_is_nowhere, finish, set_up
from tests.support import killing
from tests.support.box import Box, turn
from tests.support.faults import Crash, at_each_step, counted, crash_at, failing_at
from tests.support.incoming import Image, make_images
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fresh(name: str, folder: Path) -> Iterator[tuple[int, Box, list[Image]]]:
    """Give for each step of a scene a box that was set up anew, and the images of the scene."""
    undisturbed = Box(folder / "undisturbed")
    set_up(undisturbed, SCENES[name])
    with counted() as steps:
        finish(undisturbed, SCENES[name])
    undisturbed.close()
    for number in range(1, len(steps) + 1):
        box = Box(folder / str(number))
        yield number, box, set_up(box, SCENES[name])
        box.close()
        shutil.rmtree(box.root)


def check_after_restart(box: Box, scene: Scene, images: list[Image]) -> None:
    """Everything is somewhere; a new router finishes it; what was still to come comes; all is where it must be."""
    box.close()
    check_nothing_is_nowhere(box, images[: scene.waves[0][1]])
    finish(box)
    to_come = [image for image in images if image.data not in box.places()]
    if to_come:
        box.receive(to_come)
        finish(box)
    check_all_is_done(box, scene, images)


@pytest.mark.parametrize("name", SCENES)
def test_undisturbed(box: Box, name: str) -> None:
    images = set_up(box, SCENES[name])
    finish(box, SCENES[name])
    check_all_is_done(box, SCENES[name], images)


@pytest.mark.parametrize("name", SCENES)
def test_a_crash_at_each_step(memory: Path, name: str) -> None:
    for number, box, images in fresh(name, memory):
        with crash_at(number), suppress(Crash):
            finish(box, SCENES[name])
        check_after_restart(box, SCENES[name], images)


@pytest.mark.parametrize("name", ["two targets", "a study"])
def test_a_kill_at_each_step(memory: Path, name: str) -> None:
    """As above with a real process and SIGKILL: no handler runs, temporary files stay, the kernel frees the locks."""
    for number, box, images in fresh(name, memory):
        assert killing.run(run_router, box.root, name, fault=f"kill@{number}") == -9
        check_after_restart(box, SCENES[name], images)


def run_router(root: Path, name: str) -> None:
    finish(Box(root), SCENES[name])


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("name", ["two targets", "discarded", "undecided", "a study"])
def test_an_error_at_each_step_and_from_it_on(memory: Path, name: str, error: str) -> None:
    """A full or failing disk: the router goes on living, loses nothing, says so, and finishes when it is mended."""
    for number, box, images in fresh(name, memory):
        with failing_at(number, error, onward=True), suppress(AssertionError):
            finish(box, SCENES[name])
        check_nothing_is_nowhere(box, images)
        told = {event.type for event in box.events("task.failed")}
        assert told <= {kind for kind in SCENES[name].told if kind == "task.failed"}
        check_after_restart(box, SCENES[name], images)


@pytest.mark.parametrize("name", ["two targets", "discarded", "undecided", "a study"])
def test_a_single_error_at_each_step_needs_no_restart(memory: Path, name: str) -> None:
    for number, box, images in fresh(name, memory):
        with failing_at(number, "ENOSPC"):
            finish(box, SCENES[name])
        check_all_is_done(box, SCENES[name], images)


@pytest.mark.parametrize("name", ["two targets", "discarded", "torn tag lines"])
def test_an_image_that_lands_at_each_step_is_a_late_arrival_or_part_of_the_series(memory: Path, name: str) -> None:
    """Lesson 1."""
    seen = set()
    for number, box, images in fresh(name, memory):
        (extra,) = make_images(1, first=99)
        with Landing(box, extra, number):
            finish(box)
        finish(box)
        check_all_is_done(box, SCENES[name], [*images, extra])
        for stage in SCENES[name].ends:
            for directory in box.tasks(stage):
                alone = [path.name for path in directory.glob("*.dcm")] == [extra.name]
                assert load_task(directory).late == alone
                seen.add(alone)
    assert seen == {True, False}


class Landing:
    """Lets an image land at a step of the router, over an association of its own.

    The sender waits for the series' lock where a real one would; the router goes on meanwhile.
    """

    def __init__(self, box: Box, image: Image, number: int) -> None:
        self._association = box.associate()
        self._image = image
        self._thread = threading.Thread(target=self._store)
        self._hook = at_each_step(lambda step, *_: self._land() if step == number else None)

    def _store(self) -> None:
        self._association.store(self._image)
        self._association.close()

    def _land(self) -> None:
        self._thread.start()
        eventually(lambda: self._association.waiting.is_set() or not self._thread.is_alive())

    def __enter__(self) -> None:
        self._hook.__enter__()

    def __exit__(self, *_: object) -> None:
        self._hook.__exit__(None, None, None)
        if not self._thread.ident:
            self._thread.start()
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_two_routers_at_once_route_each_series_once(memory: Path) -> None:
    box = Box(memory / "root")
    scene = SCENES["two targets"]
    box.configure(targets={name: {"kind": "folder", "path": f"/{name}"} for name in "ab"}, rules=scene.rules)
    images = [image for series in range(40) for image in make_images(2, series=f"1.2.{series}")]
    box.receive(images)
    routers = [box.router() for _ in range(2)]
    for router in routers:
        turn(router)  # both have seen the series, and then both go for all of them
    box.clock.advance(60)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(50):
                turn(routers[number])
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {stage: len(box.tasks(stage)) for stage in (Stage.INCOMING, Stage.ROUTING)} == {
        Stage.INCOMING: 0,
        Stage.ROUTING: 0,
    }
    assert len(box.tasks(Stage.OUTGOING)) == 80
    assert all(places == {Stage.OUTGOING: 2} for places in box.places().values())
    assert len(box.events("series.completed")) == 40
    assert not any(load_task(directory).late for directory in box.tasks(Stage.OUTGOING))
    box.close()
