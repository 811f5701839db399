"""The self-test: a real image on its way, and each question with an answer that is not well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from appliance import health, selftest
from appliance.cli.app import mercure
from appliance.control.api.base import Progress
from appliance.control.api.selftest import Outcome, RunSelftest
from appliance.control.api.services import ProcessState, ServiceState
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure import durable
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.dicom.tools import ToolMissingError
from mercure.spool import Stage
from tests.support.tasks import events_of
from tests.support.verbs import asked
from tests.tui.filling import receive


def test_an_image_goes_all_the_way_and_leaves_nothing(session: Session) -> None:
    told: list[Progress] = []
    done = selftest.run(asked(session, told.append), RunSelftest(image=True))
    outcomes = {step.name: (step.outcome, step.text) for step in done.steps}
    assert [outcomes[name][0] for name in ("start", "receive", "route", "deliver", "compare")] == ["ok"] * 5, outcomes
    assert done.ok
    assert all(step.seconds >= 0 for step in done.steps)
    assert [(step.done, step.total) for step in told][-1] == (len(done.steps), len(done.steps))
    assert not [path for path in session.spool.root.iterdir() if path.name.startswith(".")]
    assert not session.spool.names(Stage.OUTGOING)
    assert [event.details["verb"] for event in events_of(session) if event.type == "audit"] == ["selftest.run"]


def test_what_comes_after_a_failed_step_is_not_reached(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise ToolMissingError(f"the program {name} is not there")

    monkeypatch.setattr(selftest, "tool_path", missing)
    monkeypatch.setattr(health, "tool_path", missing)
    done = selftest.run(asked(session), RunSelftest(image=True))
    assert not done.ok
    found = {step.name: step.outcome for step in done.steps}
    assert (found["programs"], found["start"], found["compare"]) == ("failed", "failed", "not reached")
    assert not [path for path in session.spool.root.iterdir() if path.name.startswith(".")]


def test_an_image_that_is_changed_on_its_way_is_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(path: Path) -> object:
        image = dcmread(path)
        if "archive" in str(path):
            image.PatientName = "Somebody^Else"
        return image

    monkeypatch.setattr(selftest, "dcmread", changed)
    done = selftest.run(asked(session), RunSelftest(image=True))
    assert done.steps[-1].outcome == "failed"
    assert "not the one that was sent" in done.steps[-1].text


def test_a_folder_that_nobody_can_write_ends_no_self_test(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28), "/spool")

    monkeypatch.setattr(durable, "write_file", refuse)
    done = selftest.run(asked(session), RunSelftest(image=False))
    found = {step.name: step for step in done.steps}
    assert (found["disk speed"].outcome, "No space left" in found["disk speed"].text) == ("failed", True)
    assert len(done.steps) == len(health.CHECKS)


def changed_config(session: Session, **content: object) -> None:
    known = json.loads(session.store.mercure.path.read_text())
    session.store.mercure.path.write_text(json.dumps({**known, **content}))


def spoil_configuration(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.store.mercure.path.write_text("{")


def remove_a_stage(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.spool.stage(Stage.QUARANTINE).rmdir()


def give_a_stage_away(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)


def fill_the_disk(free: int) -> Callable[[Session, pytest.MonkeyPatch], None]:
    def fill(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        changed_config(session, receiver={"min_free_bytes": 1000}, retention={"pressure_free_bytes": 2000})
        usage = SimpleNamespace(total=10_000, used=10_000 - free, free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    return fill


def slow_the_disk(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = session.clock
    assert isinstance(clock, ManualClock)
    monkeypatch.setattr(durable, "write_file", lambda path, data: clock.advance(1.0))


def set_the_clock_back(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    receive(session)
    assert isinstance(session.clock, ManualClock)
    session.clock.step_wall(-timedelta(days=40).total_seconds())


def forget_the_time(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(session.clock, ManualClock)
    session.clock.step_wall(-timedelta(days=20 * 365).total_seconds())


def let_nobody_keep_the_clock(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "kernel_synchronised", lambda: False)


def break_a_program(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "tool_path", lambda name: Path("/bin/false"))


def stop_a_program(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("x", 10)

    monkeypatch.setattr(subprocess, "run", late)


def run_services(state: str, crashes: int = 0) -> Callable[[Session, pytest.MonkeyPatch], None]:
    def pretend(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        process = ProcessState.model_validate({"name": "router_00", "state": state, "crashes": crashes})
        services = [ServiceState(name="router", configured=1, processes=(process,))]
        monkeypatch.setattr(health, "list_services", lambda session: services)

    return pretend


def take_the_history_away(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    changed_config(session, history={"url": "postgresql://mercure@127.0.0.1:1/history"})


@pytest.mark.parametrize(
    ("name", "spoil", "expected"),
    [
        ("configuration", spoil_configuration, ("failed", "cannot be used")),
        ("permissions", remove_a_stage, ("failed", "there is no")),
        ("permissions", give_a_stage_away, ("failed", "not ours")),
        ("disk", fill_the_disk(500), ("failed", "images are refused")),
        ("disk", fill_the_disk(1500), ("warning", "removed before their time")),
        ("disk speed", slow_the_disk, ("warning", "durable after")),
        ("clock", set_the_clock_back, ("failed", "is recorded already")),
        ("clock", forget_the_time, ("failed", "says the clock")),
        ("clock", let_nobody_keep_the_clock, ("warning", "not synchronised")),
        ("programs", break_a_program, ("failed", "ended with 1")),
        ("programs", stop_a_program, ("failed", "does not run")),
        ("services", run_services("failed"), ("failed", "router_00 is failed")),
        ("services", run_services("running", 3), ("failed", "again and again")),
        ("sockets", run_services("running"), ("failed", "no control socket")),
        ("history", take_the_history_away, ("warning", "cannot be")),
    ],
)
def test_what_is_wrong_is_found(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    spoil: Callable[[Session, pytest.MonkeyPatch], None],
    expected: tuple[Outcome, str],
) -> None:
    outcome, said = expected
    spoil(session, monkeypatch)
    found = health.CHECKS[name](Session(Root(session.root.path), "alice", clock=session.clock))
    assert (found.outcome, said in found.text) == (outcome, True), found
    assert found.advice


@pytest.mark.parametrize("name", ["configuration", "permissions", "disk", "programs"])
def test_what_is_well_is_said_to_be(session: Session, name: str) -> None:
    assert health.CHECKS[name](session).outcome == "ok"


def test_the_command_tells_each_step(session: Session) -> None:
    done = CliRunner().invoke(mercure, ["selftest", "--no-image", "--root", str(session.root.path)])
    assert done.exit_code == 0, done.output
    for name in health.CHECKS:
        assert name in done.stdout
    assert "all works" in done.stdout


def test_without_a_configuration_there_is_nothing_to_test(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no configuration"):
        selftest.run(asked(Session(Root(tmp_path), "alice")), RunSelftest(image=False))
