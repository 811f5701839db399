"""One attempt: what is sent, what is written down, and where the task goes."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure.config import Retry, TargetSettings
from mercure.delivery.attempt import Deliverer
from mercure.spool import Claim, Stage, Task, load_task, read_ledger, save_task, uptime
from mercure.targets import Trouble
from tests.support.faults import Crash, crash_at, failing_at
from tests.support.targets import DOWN, Behaviour, ScriptedTarget, answers, confirms, fails, numbers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

SETTINGS = TargetSettings(kind="scripted", retry=Retry(first_seconds=10, max_refusals=2))


class Sender:
    """Makes attempts for the target ``archive``, and can be told that the service is stopping."""

    def __init__(self, box: Box) -> None:
        self.target = ScriptedTarget()
        self.stopping = False
        self.events = box.context("dispatcher").events
        self.deliverer = Deliverer(
            spool=box.spool,
            events=self.events,
            clock=box.clock,
            name="archive",
            settings=SETTINGS,
            target=self.target,
            stopping=lambda: self.stopping,
        )

    def attempt(self, directory: Path) -> Trouble | None:
        claim = Claim.take(directory)
        assert claim is not None
        with claim:
            return self.deliverer.attempt(claim, load_task(directory))


@pytest.fixture
def sender(box: Box) -> Sender:
    return Sender(box)


def only(box: Box, stage: Stage) -> Path:
    (directory,) = box.tasks(stage)
    return directory


def test_what_the_target_confirms_is_in_success_with_its_ledger_and_told(box: Box, sender: Sender) -> None:
    task = box.waiting_task(3)
    assert sender.attempt(task) is None
    done = only(box, Stage.SUCCESS)
    assert done.name == task.name
    assert numbers(read_ledger(done)) == [1, 2, 3]
    assert {line.status for line in read_ledger(done).values()} == {"0x0000"}
    model = load_task(done)
    assert (model.attempts_made, model.finished, model.failure) == (1, box.clock.now(), None)
    attempted, delivered = box.events("task.attempt", "task.delivered")
    assert (attempted.details["outcome"], attempted.details["confirmed"]) == ("success", 3)
    assert [image["status"] for image in delivered.details["images"]] == ["0x0000"] * 3
    assert delivered.details["attempts"] == 1


def test_of_a_partial_success_only_the_rest_is_sent_again(box: Box, sender: Sender) -> None:
    task = box.waiting_task(4)
    sender.target.then(answers(_2="refused", _3="failed"), confirms)
    trouble = sender.attempt(task)
    assert trouble is not None
    assert trouble.kind == "refused"
    model = load_task(task)
    assert (model.refusals, model.attempts[0].outcome, model.attempts[0].confirmed) == (1, "partial", 2)
    assert model.next_attempt is not None
    assert sender.attempt(task) is None
    assert [numbers(files) for _, files in sender.target.asked] == [[1, 2, 3, 4], [2, 3]]
    assert numbers(read_ledger(only(box, Stage.SUCCESS))) == [1, 2, 3, 4]


def test_a_warning_counts_as_stored_and_is_told(box: Box, sender: Sender) -> None:
    """Lesson 24: not silently; but sending again would not change the target's mind."""
    task = box.waiting_task(2)
    sender.target.then(answers(_1="warning"))
    assert sender.attempt(task) is None
    assert read_ledger(only(box, Stage.SUCCESS))["1.2.3.1.dcm"].status == "0xB000"
    (warned,) = box.events("warning")
    assert "0xB000" in warned.details["text"]


def test_refused_too_often_it_is_put_aside_with_reason_and_advice(box: Box, sender: Sender) -> None:
    task = box.waiting_task(1)
    sender.target.then(answers(_1="refused"))
    sender.attempt(task)
    sender.attempt(task)
    failure = load_task(only(box, Stage.ERROR)).failure
    assert failure is not None
    assert failure.stage == "outgoing"
    assert failure.reason
    assert failure.advice
    assert [event.details["reason"] for event in box.events("task.failed")] == [failure.reason]


@pytest.mark.parametrize("kind", ["unreachable", "rejected", "timeout"])
def test_what_says_nothing_of_the_task_is_tried_for_as_long_as_it_takes(box: Box, sender: Sender, kind: str) -> None:
    task = box.waiting_task(1)
    sender.target.then(fails(Trouble(kind, "no")))  # type: ignore[arg-type]
    for _ in range(50):
        box.clock.advance(3600)
        assert sender.attempt(task) is not None
    model = load_task(task)
    assert (model.attempts_made, model.refusals, len(model.attempts)) == (50, 0, 20)
    assert len({event.id for event in box.events("task.attempt")}) == 50


def test_it_is_given_up_after_the_limit(box: Box, sender: Sender) -> None:
    task = box.waiting_task(1)
    sender.target.then(fails(DOWN))
    sender.attempt(task)
    box.clock.advance(SETTINGS.retry.give_up_seconds + 1)
    sender.attempt(task)
    assert only(box, Stage.ERROR).name == task.name


@pytest.mark.parametrize("step", ["ahead", "back", "off", "boot in 2000"])
def test_a_clock_that_is_set_and_a_box_that_was_off_give_nothing_up(box: Box, sender: Sender, step: str) -> None:
    task = box.waiting_task(1)
    sender.target.then(fails(DOWN))
    sender.attempt(task)
    limit, year = SETTINGS.retry.give_up_seconds, 365 * 86400.0
    box.clock.advance(limit / 2)
    if step in ("off", "boot in 2000"):
        uptime(box.spool, box.clock)
        box.clock.restart(off=14 * 86400.0 if step == "off" else -26 * year)
    else:
        box.clock.step_wall({"ahead": year, "back": -year / 6}[step])
    sender.attempt(task)
    box.clock.advance(limit / 2 - 60)
    sender.attempt(task)
    assert task.is_dir()
    box.clock.advance(120)
    sender.attempt(task)
    assert only(box, Stage.ERROR).name == task.name


@pytest.mark.parametrize("loss", ["all", "one", "one too many"])
def test_a_task_without_the_images_it_should_hold_is_never_a_success(box: Box, sender: Sender, loss: str) -> None:
    """Lessons 17 and 23."""
    task = box.waiting_task(2)
    names = {"all": ["1.2.3.1.dcm", "1.2.3.2.dcm"], "one": ["1.2.3.2.dcm"], "one too many": []}[loss]
    for name in names:
        (task / name).unlink()
    if not names:
        (task / "9.dcm").write_bytes(b"whose?")
    sender.attempt(task)
    assert sender.target.asked == []
    failure = load_task(only(box, Stage.ERROR)).failure
    assert failure is not None
    assert "should hold 2" in failure.reason
    assert failure.advice


def test_confirmed_before_a_crash_it_moves_on_without_sending(box: Box, sender: Sender) -> None:
    task = box.waiting_task(2)
    lines = [
        {
            "file": f"1.2.3.{n}.dcm",
            "status": "0x0000",
            "time": box.clock.now().isoformat(),
            "target": "archive",
            "destination": "scripted:",
        }
        for n in (1, 2)
    ]
    (task / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert sender.attempt(task) is None
    assert sender.target.asked == []
    assert only(box, Stage.SUCCESS).name == task.name


def test_what_another_target_confirmed_counts_for_nothing(box: Box, sender: Sender) -> None:
    """A task that a person rerouted keeps its ledger; the new target has none of these images."""
    task = box.waiting_task(2, target="archive")
    line = {"file": "1.2.3.1.dcm", "status": "0x0000", "time": box.clock.now().isoformat(), "target": "old"}
    (task / "ledger.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert sender.attempt(task) is None
    assert numbers(sender.target.asked[0][1]) == [1, 2]
    (delivered,) = box.events("task.delivered")
    assert [image["status"] for image in delivered.details["images"]] == ["0x0000", "0x0000"]


@pytest.mark.parametrize("trouble", [None, Trouble("unreachable", "aborted"), Trouble("timeout", "ended")])
def test_a_stop_in_mid_transfer_keeps_what_was_confirmed_and_blames_nobody(
    box: Box, sender: Sender, trouble: Trouble | None
) -> None:
    task = box.waiting_task(3)
    sender.stopping = True
    sender.target.then(fails(trouble, after=1) if trouble else lambda job: fails(DOWN, after=1)(job) and None)
    assert sender.attempt(task) is None
    assert numbers(read_ledger(task)) == [1]
    assert load_task(task).attempts_made == 0
    assert box.events("task.attempt", "task.failed") == []


def test_a_stop_after_the_last_confirmation_is_a_success(box: Box, sender: Sender) -> None:
    task = box.waiting_task(2)
    sender.stopping = True
    sender.target.then(fails(DOWN, after=2))
    assert sender.attempt(task) is None
    assert only(box, Stage.SUCCESS).name == task.name


def test_trouble_after_everything_was_confirmed_is_none(box: Box, sender: Sender) -> None:
    """The target hung up instead of releasing the association."""
    task = box.waiting_task(2)
    sender.target.then(fails(DOWN, after=2))
    assert sender.attempt(task) is None
    (attempted,) = box.events("task.attempt")
    assert (attempted.details["outcome"], attempted.details.get("error")) == ("success", None)


def test_silence_about_an_image_is_no_confirmation(box: Box, sender: Sender) -> None:
    task = box.waiting_task(2)
    sender.target.then(lambda _job: None)
    trouble = sender.attempt(task)
    assert trouble is not None
    assert "did not confirm 2 of 2" in trouble.text
    assert load_task(task).refusals == 1


def test_an_exception_in_the_target_is_an_attempt_and_loses_no_confirmation(box: Box, sender: Sender) -> None:
    task = box.waiting_task(2)

    def breaks(job: object) -> None:
        fails(DOWN, after=1)(job)  # type: ignore[arg-type]
        raise RuntimeError("a bug")

    sender.target.then(breaks)
    trouble = sender.attempt(task)
    assert trouble == Trouble("local", "RuntimeError: a bug")
    assert numbers(read_ledger(task)) == [1]
    assert load_task(task).refusals == 1


def test_a_spool_that_refuses_the_ledger_is_no_fault_of_the_task(box: Box, sender: Sender) -> None:
    task = box.waiting_task(1)
    with failing_at(1, "ENOSPC", onward=True), pytest.raises(OSError, match="No space"):
        sender.attempt(task)
    assert load_task(task).attempts_made == 0


@pytest.mark.parametrize("behaviour", [confirms, fails(DOWN), answers(_1="refused")])
def test_an_attempt_is_on_record_before_it_is_told(box: Box, sender: Sender, behaviour: Behaviour) -> None:
    """The spool is never behind the history (docs/reference/events.md), wherever a crash falls."""
    sender.target.then(behaviour)
    told = set()
    for number in itertools.count(1):
        task = box.waiting_task(1)
        with crash_at(number) as steps, suppress(Crash):
            sender.attempt(task)
        stage = box.spool.find(task.name)
        assert stage is not None
        for event in box.events("task.attempt", "task.delivered"):
            if event.task == task.name:
                told.add(event.type)
                assert load_task(box.spool.entry(stage, task.name)).attempts_made == 1
        if len(steps) < number:
            break
    assert "task.attempt" in told


def test_a_failure_of_an_earlier_life_does_not_follow_a_task(box: Box, sender: Sender) -> None:
    """A crash between writing the failure and the move leaves it in a task that then goes well."""
    task = box.waiting_task(1)
    model = load_task(task)
    failure = {"stage": "outgoing", "reason": "old", "at": box.clock.now()}
    save_task(task, Task.model_validate({**model.model_dump(), "failure": failure, "finished": box.clock.now()}))
    sender.target.then(fails(DOWN), confirms)
    sender.attempt(task)
    assert load_task(task).failure is None
    assert load_task(task).finished is None
    sender.attempt(task)
    assert load_task(only(box, Stage.SUCCESS)).failure is None
