"""The control service ends, or meets an error, at each step of sending again: each series goes once."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from appliance.control.api.base import Nothing
from appliance.control.api.queue import ChangeTask
from appliance.control.api.resend import BeginResend, PlanResend
from appliance.control.queue import resend
from appliance.control.queue.resend import ResendWorker
from appliance.control.queue.task_actions import discard
from appliance.control.registry import Asked
from appliance.control.roles import Caller
from appliance.control.session import Session
from mercure.config import Root
from mercure.spool import Stage, image_files, load_task, read_tags
from tests.support import killing
from tests.support.box import Box, turn
from tests.support.faults import Crash, counted, crash_at, failing_at
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RIGHT = {"all": {"rule": "True", "targets": ["a"]}}
WRONG = {"all": {"rule": "False", "targets": ["a"]}}
TARGETS = {name: {"kind": "folder", "path": f"/{name}"} for name in "ab"}


@dataclass(frozen=True)
class Scene:
    """How two series that left the queue are sent again, and in how many tasks for which target each must end."""

    how: dict[str, Any]
    discarded: bool = False
    ends: tuple[str, ...] = ("a",)


SCENES = {
    "resend": Scene({"how": "again", "patient": "P1"}),
    "resend elsewhere": Scene({"how": "elsewhere", "patient": "P1", "to": ("a", "b")}, ends=("a", "b")),
    "decide anew": Scene({"how": "anew", "rule": "(no rule)"}, discarded=True),
    "resend what was discarded by a person": Scene({"how": "again", "patient": "P1", "stages": ("discard",)}),
}


def set_up(box: Box, scene: Scene) -> None:
    """Let two series come and leave the queue."""
    box.configure(targets=TARGETS, rules=WRONG if scene.discarded else RIGHT)
    for series in ("1.2.3", "1.2.4"):
        box.receive(make_images(1, series=series))
    _route(box)
    stage = Stage.DISCARD if "discard" in scene.how.get("stages", ()) else Stage.SUCCESS
    for directory in box.tasks(Stage.OUTGOING):
        task = load_task(directory)
        if stage is Stage.DISCARD:
            discard(session_of(box), ChangeTask(task=task.id))
        else:
            directory.rename(box.spool.entry(stage, task.id))
    box.configure(targets=TARGETS, rules=RIGHT)


def session_of(box: Box) -> Session:
    return Session(Root(box.root), "anna", clock=box.clock)


def _route(box: Box) -> None:
    router = box.router()
    for _ in range(4):
        turn(router)
        box.clock.advance(10)


def send_again(box: Box, scene: Scene) -> None:
    """Begin the job where none is there yet, and work until nothing is left to do."""
    session = session_of(box)
    asked = Asked(session, Caller("anna", 0, "admin"))
    if not resend.list_(session, Nothing()).jobs:
        plan = resend.plan(asked, PlanResend.model_validate(scene.how))
        resend.begin(asked, BeginResend.model_validate({**scene.how, "digest": plan.digest}))
    worker = ResendWorker(lambda: session_of(box))
    for _ in range(2):
        worker.turn()


def finish(box: Box, scene: Scene) -> None:
    """Do all that is left, and route it."""
    send_again(box, scene)
    _route(box)


def check(box: Box, scene: Scene) -> None:
    """Each series is in one task for each target, whole; what was there before is as it was; each is told once."""
    tasks = [(path, load_task(path)) for path in box.tasks(Stage.OUTGOING)]
    ends = Counter((task.identity.SeriesInstanceUID, task.target) for _, task in tasks)
    assert ends == Counter({(series, target): 1 for series in ("1.2.3", "1.2.4") for target in scene.ends})
    for path, task in tasks:
        assert len(image_files(path)) == len(read_tags(path)) == task.images == 1
        assert not task.late
    if "discard" not in scene.how.get("stages", ()):
        assert len(box.tasks(Stage.DISCARD if scene.discarded else Stage.SUCCESS)) == 2
        told = Counter(event.task for event in box.events("task.resent"))
        assert sorted(told.values()) == [1, 1]
    assert [job.state for job in resend.list_(session_of(box), Nothing()).jobs] == ["done"]
    assert not box.tasks(Stage.ROUTING)
    assert not list(box.spool.stage(Stage.STATE).glob("resends/*/building"))


def fresh(name: str, folder: Path) -> Iterator[tuple[int, Box]]:
    undisturbed = Box(folder / "undisturbed")
    set_up(undisturbed, SCENES[name])
    with counted() as steps:
        send_again(undisturbed, SCENES[name])
    finish(undisturbed, SCENES[name])
    check(undisturbed, SCENES[name])
    undisturbed.close()
    for number in range(1, len(steps) + 1):
        box = Box(folder / str(number))
        set_up(box, SCENES[name])
        yield number, box
        box.close()
        shutil.rmtree(box.root)


@pytest.mark.parametrize("name", SCENES)
def test_a_crash_at_each_step(memory: Path, name: str) -> None:
    for number, box in fresh(name, memory):
        with crash_at(number), suppress(Crash):
            send_again(box, SCENES[name])
        box.close()
        finish(box, SCENES[name])
        check(box, SCENES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resend", "decide anew"])
def test_a_kill_at_each_step(memory: Path, name: str) -> None:
    for number, box in fresh(name, memory):
        assert killing.run(run, box.root, name, fault=f"kill@{number}") == -9
        finish(box, SCENES[name])
        check(box, SCENES[name])


def run(root: Path, name: str) -> None:
    send_again(Box(root), SCENES[name])


@pytest.mark.parametrize("name", ["resend", "decide anew"])
def test_a_full_disk_from_each_step_on(memory: Path, name: str) -> None:
    for number, box in fresh(name, memory):
        with failing_at(number, "ENOSPC", onward=True), suppress(OSError):
            send_again(box, SCENES[name])
        box.close()
        finish(box, SCENES[name])
        check(box, SCENES[name])
