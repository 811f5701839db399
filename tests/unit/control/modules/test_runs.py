"""The verbs of modules: change, switch, check, try out; what a task's runs left, and stopping one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from appliance.control.alerts.health import status
from appliance.control.api import modules as api
from appliance.control.api.modules import CheckModule, OneTask, ReadLog, StopRun
from appliance.control.configuration import edits
from appliance.control.errors import ControlError
from appliance.control.modules import modules, runs
from appliance.control.session import Session
from mercure.config import Root
from mercure.processing.module_health import ModuleHealth
from mercure.spool import Stage, load_task
from tests.support.box import Box
from tests.support.modules import COPY, configure, process_all, put_task, script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "root")
    configure(made, {"copy": script(f"echo copying; {COPY}"), "bad": script("echo oh; exit 7")})
    yield made
    made.close()


@pytest.fixture
def session(box: Box) -> Session:
    return Session(Root(box.root), "alice", clock=box.clock)


def test_each_module_is_listed_with_what_waits_and_why(box: Box, session: Session) -> None:
    put_task(box, "copy")
    ModuleHealth(box.spool, box.context("processor").events, box.clock, "copy", "command").failed("runner", "no bwrap")
    copy, bad = modules.list_modules(session)
    assert (copy.name, copy.waiting, copy.failed, bad.waiting) == ("copy", 1, 0, 0)
    assert copy.outage is not None
    assert copy.outage.error == "no bwrap"


def test_a_module_that_cannot_be_run_is_seen_in_the_status(box: Box, session: Session) -> None:
    (box.root / "config" / "services.json").write_text("{}", encoding="utf-8")
    assert status(session).module_outages == ()
    ModuleHealth(box.spool, box.context("processor").events, box.clock, "copy", "command").failed("image", "no image")
    found = status(session)
    assert [(item.module, item.outage.kind) for item in found.module_outages] == [("copy", "image")]
    assert any("module 'copy' cannot be run" in problem for problem in found.problems)


def test_a_check_says_what_is_missing(session: Session) -> None:
    assert modules.check(session, CheckModule(name="copy")).ok
    found = modules.check(session, CheckModule(name="new", settings={"runner": "command", "image": "/nowhere/program"}))
    assert not found.ok
    assert "/nowhere/program" in found.text
    with pytest.raises(ControlError, match="there is no module 'copi'"):
        modules.check(session, CheckModule(name="copi"))


@pytest.mark.parametrize(
    ("before", "on", "after"),
    [
        ({"image": "a", "disabled": True}, True, {"image": "a"}),
        ({"image": "a"}, False, {"image": "a", "disabled": True}),
    ],
)
def test_switching_changes_nothing_else(before: dict[str, Any], on: bool, after: dict[str, Any]) -> None:
    assert edits.switched("modules", "one", on=on)({"modules": {"one": before, "two": {}}}) == {
        "modules": {"one": after, "two": {}}
    }


def test_a_module_that_is_renamed_is_renamed_in_the_rules() -> None:
    content = {"modules": {"old": {}}, "rules": {"a": {"modules": ["x", "old"]}, "b": {"modules": "old"}, "c": {}}}
    assert edits.with_entry("modules", "new", {"image": "i"}, "old")(content) == {
        "modules": {"new": {"image": "i"}},
        "rules": {"a": {"modules": ["x", "new"]}, "b": {"modules": "new"}, "c": {}},
    }


def test_the_steps_of_a_task_are_told_with_result_and_log(box: Box, session: Session) -> None:
    task = put_task(box, "copy", "bad")
    waiting = runs.steps(session, OneTask(task=task.name))
    assert (waiting.steps, waiting.to_come) == ((), ("copy", "bad"))
    assert waiting.limits["time_limit_seconds"] == 3600
    process_all(box)
    found = runs.steps(session, OneTask(task=task.name[-8:]))
    assert [(step.step, step.module, step.state, step.images) for step in found.steps] == [
        (1, "copy", "well", 2),
        (2, "bad", "failed", 0),
    ]
    assert "exit code 7" in found.steps[1].text
    assert found.stage == Stage.ERROR
    assert runs.log(session, ReadLog(task=task.name)).text == "oh\n"
    assert runs.log(session, ReadLog(task=task.name, step=1)).text == "copying\n"
    with pytest.raises(ControlError, match="no log of that run"):
        runs.log(session, ReadLog(task=task.name, step=9))


def test_a_module_is_tried_out_beside_the_real_thing(box: Box, session: Session) -> None:
    task = put_task(box, "bad")
    process_all(box)
    made = runs.try_out(session, api.TestModule(name="copy", task=task.name, settings={"level": 3}))
    tried = load_task(box.spool.entry(Stage.PROCESSING, made.task))
    assert (tried.module, tried.module_settings, tried.then_targets, tried.images) == ("copy", {"level": 3}, (), 2)
    process_all(box)
    assert box.spool.find(made.task) is Stage.SUCCESS
    assert box.spool.find(task.name) is Stage.ERROR
    assert not box.tasks(Stage.OUTGOING)


def test_only_what_runs_can_be_stopped(box: Box, session: Session) -> None:
    task = put_task(box, "copy")
    with pytest.raises(ControlError, match="no module runs"):
        runs.stop(session, StopRun(task=task.name))
    (task / "run-1-1").mkdir()
    runs.stop(session, StopRun(task=task.name, reason="wrong series"))
    assert (task / "stop.json").is_file()
