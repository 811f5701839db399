"""What a person does to a task is cut off at each step while services go on: nothing is sent that nobody wants sent."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Root
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Stage, load_task, save_task
from mercure.spool.task import Failure
from tests.support.box import Box, deliveries, turn
from tests.support.faults import Crash, counted, crash_at, failing_at
from tests.support.polling import eventually
from tests.support.verbs import change_task
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mercure.task_verbs import VerbName

Deed = tuple["VerbName", dict[str, str]]


@dataclass(frozen=True)
class Scene:
    """What was done to a task for target a, the deed that is cut off, and where it must end once that is done again.

    Target a is there, and nothing may be delivered to it; b is not, and what goes there waits.
    """

    before: tuple[Deed, ...]
    deed: Deed
    ends: Stage
    failed: bool = True
    target: str = "a"


TO_B: Deed = ("reroute", {"target": "b"})
UNDO: Deed = ("undo", {})
DISCARD: Deed = ("discard", {})
HOLD: Deed = ("hold", {})
SCENES = {
    "undo a reroute of a failed task": Scene((TO_B,), UNDO, Stage.ERROR),
    "undo a discard of a failed task": Scene((DISCARD,), UNDO, Stage.ERROR),
    "undo a hold": Scene((TO_B, HOLD), UNDO, Stage.OUTGOING, target="b"),
    "discard a held task": Scene((HOLD,), DISCARD, Stage.DISCARD, failed=False),
    "discard a rerouted task": Scene((TO_B,), DISCARD, Stage.DISCARD, target="b"),
    "discard a failed task": Scene((), DISCARD, Stage.DISCARD),
    "reroute a failed task": Scene((), TO_B, Stage.OUTGOING, target="b"),
    "reroute a held task": Scene((HOLD,), TO_B, Stage.OUTGOING, failed=False, target="b"),
}
QUICK = ("undo a reroute of a failed task", "discard a held task")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SCENES]


def set_up(box: Box, scene: Scene) -> str:
    """Let a task wait for target a, or fail there, and do to it what was done before; return its id."""
    present, absent = box.root / "a", box.root / "b"
    present.mkdir(parents=True)
    targets = {path.name: {"kind": "folder", "path": str(path)} for path in (present, absent)}
    box.configure(targets=targets, rules={"all": {"rule": "True", "targets": ["a"]}})
    task = waiting_series(box, "1.2.3", target="a")
    if scene.failed:
        directory = box.spool.entry(Stage.OUTGOING, task)
        failure = Failure(stage="outgoing", reason="refused", advice="ask", at=box.clock.now())
        failed = {"failure": failure, "finished": box.clock.now()}
        save_task(directory, load_task(directory).model_copy(update=failed))
        directory.rename(box.spool.entry(Stage.ERROR, task))
    for verb, more in scene.before:
        change_task(session_of(box), verb, task, **more)
    return task


def session_of(box: Box) -> Session:
    return Session(Root(box.root), "alice", clock=box.clock)


def do(box: Box, scene: Scene, task: str) -> None:
    """Do the deed, unless it is done; one that was rerouted in error/ is retried, as is advised."""
    verb, more = scene.deed
    try:
        change_task(session_of(box), verb, task, **more)
    except ControlError as error:
        if error.kind != "invalid":
            raise
        if "retry it" in error.advice and box.spool.find(task) is Stage.ERROR:
            change_task(session_of(box), "retry", task)


def dispatch(box: Box) -> None:
    """Let a dispatcher do what is to be done; nothing may come to target a of it."""
    dispatcher = Dispatcher(box.context("dispatcher"))
    for _ in range(2):
        turn(dispatcher)
        eventually(lambda: not deliveries())
        box.clock.advance(10)
    dispatcher.end()
    assert list((box.root / "a").rglob("*.dcm")) == []


def check(box: Box, scene: Scene, task: str) -> None:
    """Do the deed again after a crash, and look where the task is, and for whom."""
    dispatch(box)
    do(box, scene, task)
    dispatch(box)
    assert box.spool.find(task) is scene.ends
    model = load_task(box.spool.entry(scene.ends, task))
    assert model.target == scene.target
    assert (model.discarded is not None) == (scene.ends is Stage.DISCARD)
    assert model.failure is not None or scene.ends is not Stage.ERROR
    assert len(list(box.spool.entry(scene.ends, task).glob("*.dcm"))) == model.images


def fresh(name: str, folder: Path) -> Iterator[tuple[int, Box, str]]:
    undisturbed = Box(folder / "undisturbed")
    task = set_up(undisturbed, SCENES[name])
    with counted() as steps:
        do(undisturbed, SCENES[name], task)
    check(undisturbed, SCENES[name], task)
    undisturbed.close()
    for number in range(1, len(steps) + 1):
        box = Box(folder / str(number))
        yield number, box, set_up(box, SCENES[name])
        box.close()
        shutil.rmtree(box.root)


@pytest.mark.parametrize("name", EACH)
def test_a_crash_at_each_step(memory: Path, name: str) -> None:
    for number, box, task in fresh(name, memory):
        with crash_at(number), suppress(Crash):
            do(box, SCENES[name], task)
        check(box, SCENES[name], task)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_an_error_at_each_step(memory: Path, name: str) -> None:
    for number, box, task in fresh(name, memory):
        with failing_at(number, "EIO"), suppress(OSError):
            do(box, SCENES[name], task)
        check(box, SCENES[name], task)
