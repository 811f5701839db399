"""Target groups through the dispatcher: what a task remembers of the members that it was with."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure.delivery.admission import Permit, RouteContext, open_route
from mercure.delivery.delivery_worker import DeliveryWorker
from mercure.delivery.target_breaker import TargetBreaker, target_folder
from mercure.delivery.versions import Versions
from mercure.scheduling.queue import TaskQueue
from mercure.spool import Stage, is_locked, load_task, read_ledger, save_task
from mercure.spool.delivered import by_place
from mercure.spool.images import ledger_lines
from tests.support.box import Box
from tests.support.faults import failing_at
from tests.support.targets import DOWN, answers, confirms, fails, numbers
from tests.support.waiting import Dispatchers
from tests.unit.delivery.groups import Group, ledger_of, model

if TYPE_CHECKING:
    from mercure.targets import DeliveryJob, Trouble


def held_at(box: Box, task: str) -> dict[str, list[int]]:
    """Return which images each place has by the ledger of a delivered task."""
    places = by_place(ledger_lines(box.spool.entry(Stage.SUCCESS, task)))
    return {place: numbers(sorted(lines)) for place, lines in places.items()}


def test_a_task_begins_anew_at_the_next_member_so_that_one_has_all_of_it(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN, after=2)).up = False
    task = group.task("1.1", images=5)
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert held_at(box, task) == {"folder:/members/a": [1, 2], "folder:/members/b": [1, 2, 3, 4, 5]}
    assert ledger_of(box, task) == dict.fromkeys(range(1, 6), "b")
    assert [numbers(files) for _, files in group.members["b"].asked] == [[1, 2, 3, 4, 5]]
    assert {line.group for line in read_ledger(box.spool.entry(Stage.SUCCESS, task)).values()} == {"pacs"}
    attempts = box.events("task.attempt")
    assert [(event.details["target"], event.details["outcome"]) for event in attempts] == [
        ("a", "partial"),
        ("b", "success"),
    ]
    (delivered,) = box.events("task.delivered")
    assert delivered.details["target"] == "pacs"
    assert delivered.details["destinations"] == ["folder:/members/b"]


def test_a_task_that_comes_back_to_its_first_member_goes_on_where_it_was(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN, after=2), confirms).up = False
    group.members["b"].then(fails(DOWN, after=1)).up = False
    task = group.task("1.1", images=3)
    dispatchers = Dispatchers(box)
    dispatchers.round()
    dispatchers.round()
    group.members["a"].up = True
    dispatchers.until(lambda: group.delivered() == [task], rounds=60)
    assert [numbers(files) for _, files in group.members["a"].asked] == [[1, 2, 3], [3]]
    assert held_at(box, task) == {"folder:/members/a": [1, 2, 3], "folder:/members/b": [1]}


def test_a_group_may_split_a_task_and_then_it_is_told(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b", split=True)
    group.members["a"].then(fails(DOWN, after=2)).up = False
    task = group.task("1.1", images=5)
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert held_at(box, task) == {"folder:/members/a": [1, 2], "folder:/members/b": [3, 4, 5]}
    model_ = load_task(box.spool.entry(Stage.SUCCESS, task))
    assert model_.split == ("folder:/members/a", "folder:/members/b")
    assert [attempt.elsewhere for attempt in model_.attempts] == [0, 2]
    assert [event.details.get("elsewhere", 0) for event in box.events("task.attempt")] == [0, 2]
    (delivered,) = box.events("task.delivered")
    assert delivered.details["destinations"] == ["folder:/members/a", "folder:/members/b"]
    assert [image["status"] for image in delivered.details["images"]] == ["0x0000"] * 5


def test_of_a_split_task_what_a_member_had_at_its_old_address_counts_for_nothing(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b", split=True)
    group.members["a"].then(fails(DOWN, after=2)).up = False
    task = group.task("1.1", images=3)
    Dispatchers(box).round()
    group.configure("failover", "a", "b", split=True, own={"a": {"path": "/members/new"}})
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert held_at(box, task)["folder:/members/b"] == [1, 2, 3]


def test_the_rest_goes_to_the_same_member_while_it_is_up(box: Box, group: Group) -> None:
    """Round robin alone would send the retry to the next one."""
    group.configure("round-robin", "a", "b")
    group.members["a"].then(answers(_2="refused"), confirms)
    task = group.task("1.1", images=3)
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert group.member_of(task) == "a"
    box.clock.advance(11)
    dispatchers.until(lambda: group.delivered() == [task], rounds=3)
    assert ledger_of(box, task) == {1: "a", 2: "a", 3: "a"}
    assert group.took()["b"] == []


def test_the_member_is_on_record_before_the_first_image_permits(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    seen: list[str | None] = []

    def look(job: DeliveryJob) -> Trouble | None:
        seen.append(load_task(job.directory).member)
        return confirms(job)

    group.members["a"].then(look)
    group.task("1.1")
    Dispatchers(box).round()
    assert seen == ["a"]


def test_after_a_crash_the_task_goes_on_with_its_member(box: Box, group: Group) -> None:
    """The dispatcher died before it wrote down what was confirmed: nobody else may be offered those images."""
    group.configure("round-robin", "a", "b")
    task = group.task("1.1", member="b")
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=2)
    assert group.took() == {"a": [], "b": [task]}


def test_another_dispatcher_may_have_begun_it_with_another_member(box: Box, group: Group) -> None:
    """Leave was given by what the index knew; under the claim the task says better."""
    group.configure("failover", "a", "b")
    task = group.task("1.1")
    (dispatcher,) = Dispatchers(box).each
    queue = TaskQueue(box.spool, lambda name, reason: None)
    targets = box.contexts[0].config.targets
    permit = open_route(RouteContext(box.spool, queue, targets, "pacs", box.clock.now())).admit(model(box, task))
    assert isinstance(permit, Permit)
    assert permit.name == "a"
    assert permit.holds(model(box, task))
    assert permit.holds(model(box, task).model_copy(update={"member": "stranger"}))
    begun = model(box, task).model_copy(update={"member": "b"})
    assert not permit.holds(begun)
    save_task(box.spool.entry(Stage.OUTGOING, task), begun)
    versions = Versions(box.spool, lambda: targets, lambda line: None)
    worker = DeliveryWorker(task, dispatcher.deliverer(permit), permit, "pacs", lambda task: True, versions)
    worker.start(lambda: None)
    assert worker.join(20)
    assert worker.rest
    assert group.took() == {"a": [], "b": []}
    TargetBreaker(box.spool, "b").failed(DOWN, targets["b"].retry, box.clock.now())
    assert permit.holds(begun), "the other one is down by now"


@pytest.mark.parametrize("split", [False, True])
def test_what_a_member_has_that_left_the_group_counts_no_more(box: Box, group: Group, split: bool) -> None:
    group.configure("failover", "a", "b", split=split)
    group.members["a"].then(fails(DOWN, after=1)).up = False
    task = group.task("1.1", images=2)
    dispatchers = Dispatchers(box)
    dispatchers.round()
    group.configure("failover", "b", "c", split=split)
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert ledger_of(box, task) == {1: "b", 2: "b"}


def test_a_member_that_got_another_address_gets_all_of_it(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b")
    group.members["a"].then(answers(_2="refused"), confirms)
    task = group.task("1.1", images=3)
    Dispatchers(box).round()
    group.configure("round-robin", "a", "b", own={"a": {"path": "/members/new"}})
    box.clock.advance(11)
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert held_at(box, task) == {"folder:/members/a": [1, 3], "folder:/members/new": [1, 2, 3]}


def test_shares_that_cannot_be_written_keep_no_slot(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b")
    task = group.task("1.1")
    targets = box.context("dispatcher").config.targets
    context = RouteContext(box.spool, TaskQueue(box.spool, lambda name, reason: None), targets, "pacs", box.clock.now())
    for name in ("a", "b"):
        (target_folder(box.spool, name) / "slot-00").mkdir(parents=True)
    for number in range(1, 10):
        permit = None
        with failing_at(number, "ENOSPC") as steps, suppress(OSError):
            permit = open_route(context).admit(model(box, task))
        taken = [path for name in "ab" for path in target_folder(box.spool, name).glob("slot-*") if is_locked(path)]
        assert len(taken) == (permit is not None), f"after an error at step {number}"
        if isinstance(permit, Permit):
            permit.slot.release()
            assert len(steps) == number - 1 > 1
            break
    else:
        pytest.fail("there is an end of its steps")
