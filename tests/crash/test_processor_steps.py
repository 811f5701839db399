"""The processor is killed before each durable step of a run, and begun again: one result, counted and sent once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.processing import step_attempt, step_worker
from mercure.processing.steps import records
from mercure.services import processor as service
from mercure.services.cleaner import RETELL_SECONDS, Cleaner
from mercure.spool import Stage, image_files, load_task
from tests.support import killing
from tests.support.box import Box, turn
from tests.support.faults import counted, failing_at
from tests.support.modules import COPY, configure, ended, process_all, put_task, script
from tests.support.outliving import OutlivingRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATED = f'{COPY}; echo \'{{"seen": 1}}\' > "$MERCURE_OUT_DIR/result.json"'


def set_up(box: Box) -> Path:
    configure(box, {"copy": script(STATED), "second": script(COPY)})
    return put_task(box, "copy", "second", count=2)


def run_processor(root: Path, outliving: bool) -> None:
    if outliving:
        for module in (service, step_attempt, step_worker):
            setattr(module, "open_runner", lambda _, settings: OutlivingRunner(settings))  # noqa: B010 - a module
    process_all(Box(root))


def check(box: Box, task: str, images: set[str]) -> None:
    """Check that the task was processed once, whatever happened on the way."""
    stage, model = ended(box, task)
    assert (stage, model.done, model.attempts_made) == (Stage.SUCCESS, ("copy", "second"), 2)
    directory = box.spool.entry(stage, task)
    assert [(record.step, record.number, record.well) for record in records(directory)] == [(1, 1, True), (2, 2, True)]
    assert {image.name for image in image_files(directory)} == images
    [out] = box.tasks(Stage.OUTGOING)
    assert {image.name for image in image_files(out)} == images
    assert (out.name,) == model.outputs
    assert load_task(out).images == len(images)
    for type_ in ("module.started", "module.finished"):
        assert sorted(event.details["step"] for event in box.events(type_)) == [1, 2], type_
    tell_again(box)
    assert len(box.events("task.processed")) == 1
    assert [event.task for event in box.events("task.created") if event.task != task] == [out.name]
    assert not [path for path in directory.iterdir() if path.is_dir() and path.name.startswith(("run-", "."))]


def tell_again(box: Box) -> None:
    """Run a cleaner, which tells what a crash kept from being told."""
    cleaner = Cleaner(box.context("cleaner"), lambda tasks: {})
    turn(cleaner)
    box.clock.advance(RETELL_SECONDS + 1)
    turn(cleaner)


def steps_of(folder: Path) -> int:
    """Count the steps of an undisturbed run."""
    box = Box(folder / "undisturbed")
    set_up(box)
    with counted() as steps:
        process_all(box)
    box.close()
    return len(steps)


@pytest.fixture
def boxes(memory: Path) -> Iterator[list[Box]]:
    made: list[Box] = []
    yield made
    for box in made:
        box.close()


def killed_at(memory: Path, step: int, outliving: bool, boxes: list[Box]) -> Box:
    box = Box(memory / f"{step}")
    boxes.append(box)
    task = set_up(box)
    images = {image.name for image in image_files(task)}
    code = killing.run(run_processor, box.root, outliving, fault=f"kill@{step}")
    assert code in (0, -9)
    assert killing.run(run_processor, box.root, outliving) == 0
    check(box, task.name, images)
    return box


def test_a_kill_here_and_there(memory: Path, boxes: list[Box]) -> None:
    steps = steps_of(memory)
    for step in range(3, steps, max(1, steps // 12)):
        killed_at(memory, step, False, boxes)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("outliving", [False, True])
def test_a_kill_at_every_step(memory: Path, boxes: list[Box], *, outliving: bool) -> None:
    steps = steps_of(memory)
    assert steps > 60
    for step in range(1, steps + 1):
        box = killed_at(memory, step, outliving, boxes)
        if outliving:
            # What was started is found again, and not started a second time: one start for each run.
            starts = (box.tasks(Stage.SUCCESS)[0] / "starts.txt").read_text().split()
            assert len(starts) == len(set(starts)) == 2, f"killed at {step}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_at_every_step(memory: Path, boxes: list[Box], error: str) -> None:
    for step in range(1, steps_of(memory) + 1):
        box = Box(memory / f"{step}")
        boxes.append(box)
        task = set_up(box)
        images = {image.name for image in image_files(task)}
        with failing_at(step, error):
            process_all(box, seconds=60)
        stage, model = ended(box, task.name)
        assert (stage, model.done) == (Stage.SUCCESS, ("copy", "second"))
        [out] = box.tasks(Stage.OUTGOING)
        assert {image.name for image in image_files(out)} == images
        assert {image.name for image in image_files(box.spool.entry(stage, task.name))} == images
