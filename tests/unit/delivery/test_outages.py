"""The dispatcher when something goes wrong: nobody suffers for another, and nothing is tried in vain."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mercure.delivery.target_breaker import target_folder
from mercure.spool import Stage, load_task
from mercure.targets import Trouble
from tests.support.box import deliveries
from tests.support.faults import at_each_step
from tests.support.polling import eventually
from tests.support.targets import DOWN, answers, confirms, fails
from tests.unit.delivery.desk import Desk

if TYPE_CHECKING:
    from mercure.targets import DeliveryJob


def test_a_target_that_hangs_holds_up_nobody_else(desk: Desk) -> None:
    """Lesson 18."""
    free = threading.Event()

    def hang(job: DeliveryJob) -> Trouble | None:
        assert free.wait(60)
        return confirms(job)

    desk.targets["pacs"].then(hang)
    desk.staff()
    for _ in range(5):
        desk.box.waiting_task(1, target="pacs")
        desk.box.waiting_task(1, target="archive")
    try:
        desk.turn()
        eventually(lambda: desk.turn() is not None and desk.count(Stage.SUCCESS) == 5, seconds=30)
        assert len(deliveries()) == 2
    finally:
        free.set()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 10


def test_an_hour_down_burns_no_attempt_and_all_go_at_once_when_it_is_back(desk: Desk) -> None:
    target = desk.targets["archive"].then(fails(DOWN))
    target.up = False
    tasks = [desk.box.waiting_task(1) for _ in range(50)]
    desk.staff()
    desk.settle()
    first = len(target.asked)
    assert first <= 2  # those that were under way when it was found out
    for _ in range(60):
        desk.box.clock.advance(60)
        desk.settle()
    assert len(target.asked) == first
    assert sum(load_task(task).refusals for task in tasks) == 0
    assert sum(load_task(task).attempts_made for task in tasks) == first
    assert 50 <= target.checks <= 60
    target.up = True
    target.then(confirms)
    desk.box.clock.advance(600)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 50
    assert [event.type for event in desk.box.events("target.down", "target.up")] == ["target.down", "target.up"]


def test_a_thousand_waiting_tasks_resume_at_once(desk: Desk) -> None:
    target = desk.targets["archive"].then(fails(DOWN))
    target.up = False
    for _ in range(1000):
        desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    desk.box.clock.advance(3600)
    desk.settle()
    target.up = True
    target.then(confirms)
    desk.box.clock.advance(600)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1000


def test_a_dead_target_is_nothing_to_the_others(desk: Desk) -> None:
    """Lesson 19."""
    desk.targets["archive"].then(fails(Trouble("timeout", "no answer"))).up = False
    for _ in range(3):
        desk.box.waiting_task(1, target="archive")
        desk.box.waiting_task(1, target="pacs")
    desk.staff()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 3
    assert {load_task(task).target for task in desk.box.tasks(Stage.OUTGOING)} == {"archive"}


def test_a_breaker_believes_no_time_beyond_its_longest_wait(desk: Desk) -> None:
    """The clock was set back by a day while the target was down."""
    target = desk.targets["archive"].then(fails(DOWN), confirms)
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    desk.box.clock.step_wall(-86400)
    desk.settle()
    assert target.checks == 1
    assert desk.count(Stage.SUCCESS) == 1


@pytest.mark.parametrize("kind", ["refused", "local"])
def test_one_task_that_cannot_be_sent_backs_off_alone_and_ends_in_error(desk: Desk, kind: str) -> None:
    bad = desk.box.waiting_task(1)

    def behave(job: DeliveryJob) -> Trouble | None:
        return Trouble(kind, "not this one") if job.task.id == bad.name else confirms(job)  # type: ignore[arg-type]

    desk.targets["archive"].then(behave)
    desk.staff()
    for round_ in range(3):
        desk.box.waiting_task(1)
        assert desk.settle() <= (10, 20, 30)[round_]
        assert desk.count(Stage.SUCCESS) == round_ + 1
        desk.box.clock.advance((10, 20, 40)[round_])
    assert [task.name for task in desk.box.tasks(Stage.ERROR)] == [bad.name]
    assert desk.box.events("target.down") == []


@pytest.mark.parametrize("order", ["none", "study"])
def test_a_task_at_which_the_target_falls_over_every_time_keeps_no_other_waiting(desk: Desk, order: str) -> None:
    """It is the oldest, so every question whether the target is back would go with it."""
    desk.configure("archive", archive={"order": order})
    poison = desk.box.waiting_task(1, identity={"StudyInstanceUID": "9"})

    def behave(job: DeliveryJob) -> Trouble | None:
        return DOWN if job.task.id == poison.name else confirms(job)

    desk.targets["archive"].then(behave)
    for _ in range(5):
        desk.box.waiting_task(1)
    desk.staff()
    for _ in range(12):
        desk.settle()
        desk.box.clock.advance(30)
    assert desk.count(Stage.SUCCESS) == 5
    assert [task.name for task in desk.box.tasks(Stage.OUTGOING)] == [poison.name]
    assert load_task(poison).attempts_made > 2


def test_while_the_spool_refuses_nothing_is_sent_again_and_again(desk: Desk) -> None:
    """The ledger cannot be written, so each attempt would send every image once more."""
    desk.box.waiting_task(3)
    desk.staff()

    def refuse_ledgers(_number: int, _operation: str, path: str) -> None:
        if path.endswith("ledger.jsonl"):
            raise OSError(28, "No space left on device", path)

    with at_each_step(refuse_ledgers):
        for _ in range(360):
            desk.settle()
            desk.box.clock.advance(10)
    assert len(desk.targets["archive"].asked) <= 15
    assert len(desk.box.events("warning")) == 1
    assert desk.count(Stage.OUTGOING) == 1
    desk.box.clock.advance(600)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_a_target_whose_state_cannot_be_kept_is_nothing_to_the_others(desk: Desk) -> None:
    folder = target_folder(desk.box.spool, "archive")
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"in the way")
    for target in ("archive", "pacs"):
        desk.box.waiting_task(1, target=target)
    desk.staff()
    for _ in range(3):
        desk.settle()
        desk.box.clock.advance(30)
    assert desk.count(Stage.SUCCESS) == 1
    (warned,) = desk.box.events("warning")
    assert "'archive'" in warned.details["text"]
    folder.unlink()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 2


def test_a_local_failure_says_nothing_of_the_target(desk: Desk) -> None:
    """Neither that it is down nor, while it takes no image, that it is back."""
    desk.targets["archive"].then(fails(Trouble("unable", "no room")), fails(Trouble("local", "cannot be read")))
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    desk.box.clock.advance(10)
    desk.settle()
    assert [event.type for event in desk.box.events("target.down", "target.up")] == ["target.down"]


def test_images_that_a_target_took_are_not_sent_again_after_a_refusal(desk: Desk) -> None:
    desk.targets["archive"].then(answers(_2="failed"), confirms)
    desk.box.waiting_task(3)
    desk.staff()
    desk.settle()
    desk.box.clock.advance(10)
    desk.settle()
    assert [len(files) for _, files in desk.targets["archive"].asked] == [3, 1]
