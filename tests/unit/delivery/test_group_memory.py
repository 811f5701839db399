"""Target groups through the dispatcher: what a task remembers of the members that it was with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercure.delivery.breaker import Breaker
from mercure.delivery.queue import Queue
from mercure.delivery.routes import Leave, Way, open_route
from mercure.delivery.worker import Worker
from mercure.spool import Stage, load_task, read_ledger, save_task
from tests.support.box import Box
from tests.support.targets import DOWN, answers, confirms, fails, numbers
from tests.support.waiting import Dispatchers
from tests.unit.delivery.groups import Group, ledger_of, model

if TYPE_CHECKING:
    from mercure.targets import Job, Trouble


def test_what_one_member_has_is_never_sent_to_another(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN, after=2)).up = False
    task = group.task("1.1", images=5)
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert ledger_of(box, task) == {1: "a", 2: "a", 3: "b", 4: "b", 5: "b"}
    assert [numbers(files) for _, files in group.members["b"].asked] == [[3, 4, 5]]
    assert {line.group for line in read_ledger(box.spool.entry(Stage.SUCCESS, task)).values()} == {"pacs"}
    attempts = box.events("task.attempt")
    assert [(event.details["target"], event.details["outcome"]) for event in attempts] == [
        ("a", "partial"),
        ("b", "success"),
    ]
    (delivered,) = box.events("task.delivered")
    assert delivered.details["target"] == "pacs"


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


def test_the_member_is_on_record_before_the_first_image_leaves(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    seen: list[str | None] = []

    def look(job: Job) -> Trouble | None:
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
    queue = Queue(box.spool, lambda name, reason: None)
    targets = box.contexts[0].config.targets
    leave = open_route(Way(box.spool, queue, targets, "pacs", box.clock.now())).admit(model(box, task))
    assert isinstance(leave, Leave)
    assert leave.name == "a"
    assert leave.holds(model(box, task))
    assert leave.holds(model(box, task).model_copy(update={"member": "stranger"}))
    begun = model(box, task).model_copy(update={"member": "b"})
    assert not leave.holds(begun)
    save_task(box.spool.entry(Stage.OUTGOING, task), begun)
    worker = Worker(task, dispatcher.deliverer(leave), leave, "pacs", may_start=lambda task: True)
    worker.start(lambda: None)
    assert worker.join(20)
    assert worker.rest
    assert group.took() == {"a": [], "b": []}
    Breaker(box.spool, "b").failed(DOWN, targets["b"].retry, box.clock.now())
    assert leave.holds(begun), "the other one is down by now"


def test_a_member_that_left_the_group_keeps_what_it_has(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN, after=1)).up = False
    task = group.task("1.1", images=2)
    dispatchers = Dispatchers(box)
    dispatchers.round()
    group.configure("failover", "b", "c")
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert ledger_of(box, task) == {1: "a", 2: "b"}
