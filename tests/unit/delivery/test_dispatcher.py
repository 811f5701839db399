"""The dispatcher: who is served when, and that nobody suffers for another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercure.delivery.breaker import target_folder
from mercure.spool import Hold, Stage, load_task, nudge, save_task
from mercure.targets import Trouble
from tests.support.box import deliveries
from tests.support.faults import at_each_step
from tests.support.polling import eventually
from tests.support.targets import DOWN, answers, confirms, fails
from tests.unit.delivery.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercure.targets import Job


def test_what_waits_is_delivered(desk: Desk) -> None:
    desk.staff()
    for target in ("archive", "pacs", "archive"):
        desk.box.waiting_task(2, target=target)
    desk.settle()
    assert (desk.count(Stage.SUCCESS), desk.count(Stage.OUTGOING)) == (3, 0)
    assert (len(desk.targets["archive"].asked), len(desk.targets["pacs"].asked)) == (2, 1)


def test_a_target_that_hangs_holds_up_nobody_else(desk: Desk) -> None:
    """Lesson 18."""
    free = threading.Event()

    def hang(job: Job) -> Trouble | None:
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


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_dispatchers_share_the_slots_of_a_target_and_none_sends_a_task_twice_at_once(
    desk: Desk, concurrency: int
) -> None:
    desk.configure("archive", archive={"concurrency": concurrency})
    gate = threading.Lock()
    now: set[str] = set()
    most = 0

    def watch(job: Job) -> Trouble | None:
        nonlocal most
        with gate:
            assert job.task.id not in now
            now.add(job.task.id)
            most = max(most, len(now))
        try:
            return confirms(job)
        finally:
            with gate:
                now.discard(job.task.id)

    desk.targets["archive"].then(watch)
    desk.staff(3)
    for _ in range(20):
        desk.box.waiting_task(1)
    desk.settle()
    while desk.count(Stage.OUTGOING):
        desk.box.clock.advance(1)  # a task that another dispatcher had when this one asked rests for a second
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 20
    assert len({task for task, _ in desk.targets["archive"].asked}) == 20
    assert len(desk.targets["archive"].asked) == 20
    assert 1 <= most <= concurrency


def test_urgent_before_normal_before_off_peak_and_each_in_the_order_received(desk: Desk) -> None:
    """Lesson 29."""
    desk.configure("archive", archive={"concurrency": 1}, top={"off_peak": {"start": "00:00", "end": "23:59:59"}})
    order = ["offpeak", "normal", "urgent", "offpeak", "normal", "urgent"]
    names = [desk.box.waiting_task(1, priority=priority).name for priority in order]
    desk.staff()
    desk.settle()
    assert [task for task, _ in desk.targets["archive"].asked] == [names[i] for i in (2, 5, 1, 4, 0, 3)]


def test_off_peak_tasks_wait_for_their_hours_and_the_others_do_not(desk: Desk) -> None:
    desk.configure("archive", top={"off_peak": {"start": "01:00", "end": "02:00"}})
    for priority in ("offpeak", "urgent", "normal"):
        desk.box.waiting_task(1, priority=priority)
    desk.staff()
    desk.settle()
    assert (desk.count(Stage.OUTGOING), desk.count(Stage.SUCCESS)) == (1, 2)
    desk.box.clock.advance(3600)
    desk.settle()
    assert desk.count(Stage.OUTGOING) == 0


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
    assert 5 <= target.checks <= 20
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

    def behave(job: Job) -> Trouble | None:
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

    def behave(job: Job) -> Trouble | None:
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


def test_held_tasks_stay_until_they_are_released(desk: Desk) -> None:
    held = Hold(by="ann", at=desk.box.clock.now(), reason="wrong patient")
    task = desk.box.waiting_task(1, hold=held.model_dump())
    desk.staff()
    desk.box.clock.advance(86400)
    desk.settle()
    assert desk.targets["archive"].asked == []
    save_task(task, load_task(task).model_copy(update={"hold": None}))
    nudge(task)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_a_hold_that_comes_after_the_look_is_respected(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    task = desk.box.waiting_task(1)
    dispatcher = desk.staff()
    monkeypatch.setattr(dispatcher, "_start", holding(desk, task, dispatcher._start))
    desk.settle()
    assert desk.targets["archive"].asked == []
    assert desk.count(Stage.OUTGOING) == 1


def holding(desk: Desk, task: Path, start: Callable[..., None]) -> Callable[..., None]:
    def held_first(*arguments: Any) -> None:
        hold = Hold(by="ann", at=desk.box.clock.now())
        save_task(task, load_task(task).model_copy(update={"hold": hold}))
        start(*arguments)

    return held_first


def test_a_disabled_target_gets_nothing_until_it_is_enabled(desk: Desk) -> None:
    desk.configure("archive", archive={"disabled": True})
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    assert desk.count(Stage.OUTGOING) == 1
    desk.configure("archive")
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_tasks_of_a_target_that_was_deleted_are_put_aside_with_advice(desk: Desk) -> None:
    """Lessons 4 and 20: kept, told, and where a person sees them."""
    desk.box.waiting_task(2, target="archive")
    desk.box.waiting_task(2, target="pacs")
    desk.configure("archive")
    desk.staff()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    (task,) = desk.box.tasks(Stage.ERROR)
    failure = load_task(task).failure
    assert failure is not None
    assert "there is no target 'pacs'" in failure.reason
    assert "add the target again" in failure.advice
    assert len(desk.box.events("task.failed")) == 1


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"version": 2}', b"\xff"])
def test_a_task_that_cannot_be_read_is_put_aside_and_told_once(desk: Desk, content: bytes | None) -> None:
    task = desk.box.waiting_task(2)
    (task / "task.json").unlink()
    if content is not None:
        (task / "task.json").write_bytes(content)
    other = desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    assert [path.name for path in desk.box.tasks(Stage.SUCCESS)] == [other.name]
    assert [path.name for path in desk.box.tasks(Stage.ERROR)] == [task.name]
    assert len(list(desk.box.tasks(Stage.ERROR)[0].glob("*.dcm"))) == 2
    (warned,) = desk.box.events("warning")
    assert task.name in warned.details["text"]


def test_strange_entries_in_outgoing_disturb_nobody(desk: Desk) -> None:
    outgoing = desk.box.spool.stage(Stage.OUTGOING)
    (outgoing / "notes.txt").write_text("hello", encoding="utf-8")
    (outgoing / ".20260101T000000000000-00000000.new").mkdir()
    (outgoing / "folder").mkdir()
    (outgoing / "20260101T000000000000-00000001").write_bytes(b"a file with the name of a task")
    task = desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    assert [path.name for path in desk.box.tasks(Stage.SUCCESS)] == [task.name]


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


def test_new_settings_hold_from_the_next_task_on(desk: Desk) -> None:
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    desk.targets["new"] = desk.targets["pacs"]
    desk.configure("archive", archive={"comment": "new"})
    desk.box.waiting_task(1)
    desk.settle()
    assert (len(desk.targets["archive"].asked), len(desk.targets["new"].asked)) == (1, 1)


def test_a_stop_lets_deliveries_end_and_what_was_confirmed_is_kept(desk: Desk) -> None:
    started = threading.Event()

    def slow(job: Job) -> Trouble | None:
        fails(DOWN, after=1)(job)
        started.set()
        eventually(job.stopping, seconds=60)
        return Trouble("unreachable", "cut off")

    desk.targets["archive"].then(slow)
    task = desk.box.waiting_task(3)
    dispatcher = desk.staff()
    desk.turn()
    assert started.wait(60)
    desk.contexts[0].stop.set()
    dispatcher.end()
    assert deliveries() == []
    assert len((task / "ledger.jsonl").read_bytes().splitlines()) == 1
    assert load_task(task).attempts_made == 0
    assert desk.box.events("task.attempt", "target.down") == []
    desk.targets["archive"].then(confirms)
    desk.contexts.clear()
    desk.dispatchers.clear()
    desk.staff()
    desk.settle()
    assert len(desk.targets["archive"].asked[-1][1]) == 2


def test_a_local_failure_says_nothing_of_the_target(desk: Desk) -> None:
    """Neither that it is down nor, while it is, that it is back."""
    desk.targets["archive"].then(fails(DOWN), fails(Trouble("local", "cannot be read")))
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
