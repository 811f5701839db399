"""The dispatcher: who is served when, and that nobody suffers for another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Hold, Stage, load_task, nudge, save_task
from mercure.targets import Trouble
from tests.support.box import deliveries
from tests.support.polling import eventually
from tests.support.targets import DOWN, confirms, fails
from tests.unit.delivery.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercure.targets import DeliveryJob


def test_what_waits_is_delivered(desk: Desk) -> None:
    desk.staff()
    for target in ("archive", "pacs", "archive"):
        desk.box.waiting_task(2, target=target)
    desk.settle()
    assert (desk.count(Stage.SUCCESS), desk.count(Stage.OUTGOING)) == (3, 0)
    assert (len(desk.targets["archive"].asked), len(desk.targets["pacs"].asked)) == (2, 1)


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_dispatchers_share_the_slots_of_a_target_and_none_sends_a_task_twice_at_once(
    desk: Desk, concurrency: int
) -> None:
    desk.configure("archive", archive={"concurrency": concurrency})
    gate = threading.Lock()
    now: set[str] = set()
    most = 0

    def watch(job: DeliveryJob) -> Trouble | None:
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

    def slow(job: DeliveryJob) -> Trouble | None:
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
