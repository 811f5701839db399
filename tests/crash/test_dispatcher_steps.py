"""The dispatcher ends, or meets an error, before each durable step of a delivery: all arrives, nothing is forgotten."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure.services.cleaner import RETELL_SECONDS, Cleaner
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Stage, load_task, read_ledger
from tests.support import killing
from tests.support.box import Box, deliveries, turn
from tests.support.faults import at_each_step, counted, failing_at
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGES = 4


def set_up(box: Box, tasks: int) -> None:
    """Let tasks wait for a folder, the last with an image confirmed already and a torn line after it."""
    retry = {"first_seconds": 1, "cap_seconds": 2}
    folder = {"kind": "folder", "path": str(box.delivered), "layout": "flat", "retry": retry, "concurrency": 1}
    box.configure(targets={"archive": folder}, rules={})
    directory = [box.waiting_task(IMAGES, series=f"1.{number}") for number in range(tasks)][-1]
    line = b'{"file": "1.%d.1.dcm", "status": "0x0000", "time": "2026-01-01T00:00:00Z", "target": "archive"}\n{"fi'
    (directory / "ledger.jsonl").write_bytes(line % (tasks - 1))
    shutil.copy(directory / f"1.{tasks - 1}.1.dcm", box.delivered)


def finish(box: Box) -> None:
    """Run a dispatcher until nothing waits any more."""
    context = box.context("dispatcher")
    dispatcher = Dispatcher(context)

    def rest() -> bool:
        turn(dispatcher)
        box.clock.advance(3)
        return not box.tasks(Stage.OUTGOING)

    eventually(rest, seconds=30, what="everything is delivered")
    dispatcher.end()


def run_dispatcher(root: Path) -> None:
    finish(Box(root))


def fresh(folder: Path, tasks: int) -> Iterator[tuple[int, Box]]:
    """Give for each step of a delivery a box that was set up anew."""
    undisturbed = Box(folder / "undisturbed")
    set_up(undisturbed, tasks)
    with counted() as steps:
        finish(undisturbed)
    undisturbed.close()
    check(undisturbed, tasks)
    for number in range(1, len(steps) + 1):
        box = Box(folder / str(number))
        set_up(box, tasks)
        yield number, box
        box.close()
        shutil.rmtree(box.root)


def check(box: Box, tasks: int) -> None:
    """Every image is at the target, bit by bit, and every task in success/ with a full ledger, told once."""
    cleaner = Cleaner(box.context("cleaner"), states=lambda _tasks: {})
    turn(cleaner)
    box.clock.advance(RETELL_SECONDS)
    turn(cleaner)
    done = box.tasks(Stage.SUCCESS)
    assert len(done) == tasks
    images = {path.name: path.read_bytes() for directory in done for path in directory.glob("*.dcm")}
    assert len(images) == tasks * IMAGES
    assert {path.name: path.read_bytes() for path in box.delivered.iterdir()} == images
    assert [box.tasks(stage) for stage in (Stage.OUTGOING, Stage.ERROR)] == [[], []]
    for directory in done:
        assert set(read_ledger(directory)) == {path.name for path in directory.glob("*.dcm")}
        assert load_task(directory).finished is not None
    delivered = box.events("task.delivered")
    assert sorted(event.task or "" for event in delivered) == [directory.name for directory in done]
    for event in delivered:
        assert [image["status"] for image in event.details["images"]] == ["0x0000"] * IMAGES


@pytest.mark.parametrize("tasks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_kill_at_each_step(memory: Path, tasks: int) -> None:
    for number, box in fresh(memory, tasks):
        assert killing.run(run_dispatcher, box.root, fault=f"kill@{number}") == -9
        delivered = {path.name for path in box.delivered.iterdir() if not path.name.startswith(".")}
        for stage in (Stage.OUTGOING, Stage.SUCCESS):
            for directory in box.tasks(stage):
                assert len(list(directory.glob("*.dcm"))) == IMAGES
                assert set(read_ledger(directory)) <= delivered, "confirmed before it was there"
        finish(box)
        check(box, tasks)


@pytest.mark.parametrize(
    "error", ["ENOSPC", *(pytest.param(error, marks=pytest.mark.slow) for error in ("EIO", "EROFS"))]
)
def test_an_error_at_each_step_and_from_it_on_till_it_is_mended(memory: Path, error: str) -> None:
    for number, box in fresh(memory, 1):
        context = box.context("dispatcher")
        dispatcher = Dispatcher(context)
        with failing_at(number, error, onward=True), suppress(OSError):
            for _ in range(3):
                turn(dispatcher)
                eventually(lambda: not deliveries())
                box.clock.advance(3)
        dispatcher.end()
        assert sum(len(list(task.glob("*.dcm"))) for task in box.tasks(Stage.OUTGOING) + box.tasks(Stage.SUCCESS)) == 4
        box.close()
        finish(box)
        check(box, 1)


def test_a_single_error_at_each_step_needs_no_restart(memory: Path) -> None:
    for number, box in fresh(memory, 2):
        with failing_at(number, "ENOSPC"), suppress(OSError):
            finish(box)
        box.close()
        finish(box)
        check(box, 2)


def test_a_task_that_is_taken_away_at_each_step_is_not_lost(memory: Path) -> None:
    """A person holds it, a cleaner looks at it: whatever happens beside, the task stays whole."""
    for number, box in fresh(memory, 1):
        looked: list[int] = []

        def look(step: int, *_: object, box: Box = box, number: int = number, looked: list[int] = looked) -> None:
            if step == number:
                turn(Cleaner(box.context("cleaner"), states=lambda _tasks: {}))
                looked.append(step)

        with at_each_step(look):
            finish(box)
        assert looked
        check(box, 1)
