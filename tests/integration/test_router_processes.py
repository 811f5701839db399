"""Real router processes: killed at their steps, two at once, and with the configuration broken under them."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mercure.clock import Clock, ManualClock
from mercure.spool import Stage, load_task
from tests.support.box import Box
from tests.support.incoming import make_images
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.services import service

if TYPE_CHECKING:
    from collections.abc import Iterator

A_B = {"a": {"kind": "folder", "path": "/a"}, "b": {"kind": "folder", "path": "/b"}}
ALL = {"all": {"rule": "True", "targets": ["a", "b"]}}
STEPS = [n if n in (2, 6, 13, 20, 27, 34, 41, 48) else pytest.param(n, marks=pytest.mark.slow) for n in range(1, 60)]
TIMES = {"quiet_seconds": 5, "after_release_seconds": 0.1}


class RealClock(ManualClock):
    """The clock of the machine, for a box whose services are real processes."""

    now = Clock.now
    monotonic = Clock.monotonic


@pytest.fixture
def box() -> Iterator[Box]:
    with memory_folder() as folder:
        made = Box(folder / "root", RealClock())
        made.configure(targets=A_B, rules=ALL, completion=TIMES)
        yield made


def routed(box: Box, tasks: int) -> bool:
    waiting = [name for stage in (Stage.INCOMING, Stage.ROUTING) for name in box.spool.names(stage)]
    return not waiting and len(box.tasks(Stage.OUTGOING)) == tasks


@pytest.mark.parametrize(
    "number", [*STEPS, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 60) if n not in STEPS)]
)
def test_a_kill_at_a_step_and_each_image_is_where_it_must_be(box: Box, number: int) -> None:
    images = [*make_images(3, series="1.1"), *make_images(2, series="1.2")]
    box.receive(images)
    with service(box.root, "router", env={"MERCURE_FAULT": f"kill@{number}"}) as program:
        eventually(lambda: not program.is_alive or routed(box, 4), seconds=60)
    places = box.places()
    assert all(image.data in places for image in images)
    with service(box.root, "router"):
        eventually(lambda: routed(box, 4), seconds=60)
    assert {image.name: dict(box.places()[image.data]) for image in images} == {
        image.name: {Stage.OUTGOING: 2} for image in images
    }
    assert len(box.events("series.completed")) == 2
    assert len(box.events("task.created")) == 4


def test_two_routers_take_each_series_once_and_none_is_late(box: Box) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(service(box.root, "router"))
        for number in range(30):
            box.receive(make_images(2, series=f"1.{number}"))
        eventually(lambda: routed(box, 60), seconds=60)
    tasks = [load_task(path) for path in box.tasks(Stage.OUTGOING)]
    assert not any(task.late for task in tasks)
    assert {task.images for task in tasks} == {2}
    assert len(box.events("series.completed")) == 30


def test_with_a_broken_configuration_the_last_good_one_goes_on_and_a_good_one_is_taken_up(box: Box) -> None:
    path = box.root / "config" / "mercure.json"
    good = path.read_text(encoding="utf-8")
    with service(box.root, "router"):
        eventually(lambda: box.events("config.loaded"), seconds=30)
        path.write_text(good[: len(good) // 2], encoding="utf-8")
        eventually(lambda: box.events("config.rejected"), seconds=30)
        box.receive(make_images(1, series="1.1"))
        eventually(lambda: routed(box, 2), seconds=30)
        path.write_text(json.dumps({**json.loads(good), "rules": {"one": {"rule": "True", "targets": ["b"]}}}), "utf-8")
        eventually(lambda: len(box.events("config.loaded")) == 2, seconds=30)
        box.receive(make_images(1, series="1.2"))
        eventually(lambda: routed(box, 3), seconds=30)
    assert len(box.events("config.rejected")) == 1


def test_without_any_usable_configuration_it_waits_for_one(box: Box) -> None:
    path = box.root / "config" / "mercure.json"
    good = path.read_text(encoding="utf-8")
    path.unlink()
    with service(box.root, "router", ready=lambda program: "cannot be used" in program.output()) as program:
        path.write_text(good, encoding="utf-8")
        eventually(lambda: box.events("service.started"), seconds=30)
        assert program.stop() == 0
    assert [event.type for event in box.events("config.rejected", "config.loaded")] == [
        "config.rejected",
        "config.loaded",
    ]
    (stopped,) = box.events("service.stopped")
    assert stopped.details["reason"]
