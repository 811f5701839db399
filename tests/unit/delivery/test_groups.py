"""Target groups through the dispatcher: who takes which task, what an outage changes, and what a task remembers."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mercure.delivery.breaker import Breaker, read_outage
from mercure.delivery.queue import Queue
from mercure.delivery.reasons import outage_of
from mercure.delivery.routes import Leave, Way, open_route
from mercure.delivery.shares import ShareBook
from mercure.delivery.slots import make_slots
from mercure.delivery.strategies import STRATEGIES, Choice
from mercure.delivery.worker import Worker
from mercure.services import dispatcher as dispatcher_module
from mercure.spool import Changes, Stage, Task, load_task, read_ledger, save_task
from tests.support.box import Box
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.targets import DOWN, ScriptedTarget, answers, confirms, fails, numbers
from tests.support.waiting import Dispatchers, waiting_series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercure.config import TargetSettings
    from mercure.targets import Job, Target, Trouble

RETRY = {"first_seconds": 10, "cap_seconds": 100}


class Group:
    """A group ``pacs`` whose members answer as the test tells them to."""

    def __init__(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.members: dict[str, ScriptedTarget] = {}
        monkeypatch.setattr(dispatcher_module, "open_target", self._open)

    def _open(self, settings: TargetSettings) -> Target:
        return self.members[settings.comment]

    def configure(self, strategy: str, *names: str, concurrency: int = 1, **settings: Any) -> None:
        """Write a configuration in which each member's comment names its script."""
        own = settings.pop("own", {})
        member = {"kind": "folder", "path": "/", "concurrency": concurrency, "retry": RETRY}
        targets: dict[str, Any] = {name: {**member, "comment": name, **own.get(name, {})} for name in names}
        targets["pacs"] = {"kind": "group", "strategy": strategy, "members": list(names), **settings}
        self.box.configure(targets=targets, rules={})
        self.members |= {name: ScriptedTarget() for name in names if name not in self.members}

    def task(self, series: str, images: int = 2, **fields: Any) -> str:
        return waiting_series(self.box, series, target="pacs", images=images, **fields)

    def took(self) -> dict[str, list[str]]:
        """Return which tasks each member was asked to take, in order."""
        return {name: [task for task, _ in member.asked] for name, member in self.members.items()}

    def member_of(self, task: str) -> str | None:
        """Return the member on record."""
        stage = self.box.spool.find(task)
        assert stage is not None
        return load_task(self.box.spool.entry(stage, task)).member

    def is_down(self, name: str) -> bool:
        return read_outage(self.box.spool, name) is not None

    def delivered(self) -> list[str]:
        return self.box.spool.names(Stage.SUCCESS)


@pytest.fixture
def box() -> Iterator[Box]:
    with memory_folder() as folder:
        made = Box(folder)
        yield made
        made.close()


@pytest.fixture
def group(box: Box, monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(box, monkeypatch)


def model(box: Box, task: str) -> Task:
    return load_task(box.spool.entry(Stage.OUTGOING, task))


def ledger_of(box: Box, task: str) -> dict[int, str]:
    """Return who has confirmed which image of a delivered task."""
    ledger = read_ledger(box.spool.entry(Stage.SUCCESS, task))
    return {numbers([name])[0]: line.target for name, line in ledger.items()}


# --- strategies


def test_round_robin_over_two_dispatchers(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b", "c")
    ids = [group.task(f"1.{number}") for number in range(9)]
    dispatchers = Dispatchers(box, 2)
    dispatchers.until(lambda: group.delivered() == ids)
    counts = [len(tasks) for tasks in group.took().values()]
    assert sum(counts) == 9
    assert min(counts) >= 2, "nobody is ahead by more than one task"


def test_weights_count_images_not_tasks(box: Box, group: Group) -> None:
    group.configure("weighted", "a", "b", weights={"a": 3, "b": 1})
    for number in range(40):
        group.task(f"1.{number}", images=1 + 7 * number % 10)
    dispatchers = Dispatchers(box, 2)
    dispatchers.until(lambda: len(group.delivered()) == 40, rounds=100)
    images = {name: sum(len(files) for _, files in member.asked) for name, member in group.members.items()}
    total = sum(images.values())
    assert abs(images["a"] / total - 0.75) < 0.05


def test_weights_hold_when_the_heavy_member_is_the_slow_one(box: Box, group: Group) -> None:
    """The light one waits although it is idle: that is what weights mean."""
    group.configure("weighted", "a", "b", weights={"a": 3, "b": 1})
    gate = threading.Event()
    group.members["a"].then(held_until(gate))
    for number in range(8):
        group.task(f"1.{number}", images=1)
    (dispatcher,) = Dispatchers(box).each
    for _ in range(5):
        dispatcher.turn(Changes.everything())
    eventually(lambda: len(group.members["b"].asked) == 1)
    dispatcher.turn(Changes.everything())
    assert {name: len(tasks) for name, tasks in group.took().items()} == {"a": 1, "b": 1}
    gate.set()
    dispatcher.end()


def held_until(gate: threading.Event) -> Any:
    def behave(job: Job) -> Trouble | None:
        assert gate.wait(20)
        return confirms(job)

    return behave


def test_least_queued_counts_what_is_being_sent(box: Box, group: Group) -> None:
    group.configure("least-queued", "a", "b", concurrency=4)
    with ShareBook(box.spool, "pacs").open({"a": 1.0, "b": 1.0}) as taken:
        taken["b"] = 100.0  # of equals a would always be the one
    gate = threading.Event()
    for member in group.members.values():
        member.then(held_until(gate))
    for number, images in enumerate([10, 3, 3, 3, 3]):
        group.task(f"1.{number}", images=images)
    (dispatcher,) = Dispatchers(box).each
    dispatcher.turn(Changes.everything())
    gate.set()
    dispatcher.end()
    sizes = {name: [len(files) for _, files in member.asked] for name, member in group.members.items()}
    assert sizes == {"a": [10], "b": [3, 3, 3, 3]}


def test_least_queued_counts_what_waits_for_the_member_itself(box: Box, group: Group) -> None:
    group.configure("least-queued", "a", "b")
    waiting_series(box, "9", target="a", images=5, hold={"by": "anna", "at": box.clock.now()})
    group.task("1")
    Dispatchers(box).round()
    assert group.took()["a"] == []
    assert len(group.took()["b"]) == 1


def fields(name: str, value: str) -> dict[str, Any]:
    return {name: value}


@pytest.mark.parametrize(("strategy", "field"), [("sticky-study", "study"), ("sticky-patient", "patient")])
def test_what_sticks_goes_to_one_member_and_waits_for_it(box: Box, group: Group, strategy: str, field: str) -> None:
    group.configure(strategy, "a", "b", "c")
    keys = [f"K{number}" for number in range(6)]
    ids = {
        key: [group.task(f"{index}.{number}", **fields(field, key)) for number in range(3)]
        for index, key in enumerate(keys)
    }
    Dispatchers(box).until(lambda: len(group.delivered()) == 18)
    for tasks in ids.values():
        assert len({group.member_of(task) for task in tasks}) == 1
    assert len({group.member_of(tasks[0]) for tasks in ids.values()}) > 1
    state = box.spool.stage(Stage.STATE)
    assert not [path for path in state.rglob("*") if path.is_file()], "nothing about patients is kept"


def test_failover_uses_the_first_and_waits_for_it_when_busy(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    ids = [group.task(f"1.{number}") for number in range(3)]
    gate = threading.Event()
    group.members["a"].then(held_until(gate))
    dispatchers = Dispatchers(box)
    dispatchers.each[0].turn(Changes.everything())
    eventually(lambda: group.took()["a"])
    assert group.took() == {"a": ids[:1], "b": []}
    gate.set()
    dispatchers.until(lambda: group.delivered() == ids)
    assert group.took() == {"a": ids, "b": []}


# --- outages


def test_failover_leaves_out_who_is_down_and_returns_when_it_is_back(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN)).up = False
    dispatchers = Dispatchers(box)
    first = group.task("1.1")
    dispatchers.until(lambda: group.delivered() == [first], rounds=3)
    assert ledger_of(box, first) == {1: "b", 2: "b"}
    assert [event.details["target"] for event in box.events("target.down")] == ["a"]
    second = group.task("1.2")
    dispatchers.until(lambda: group.delivered() == [first, second], rounds=2)
    assert group.took()["a"] == [first], "nothing is tried on a member that is down"

    group.members["a"].then(confirms).up = True
    box.clock.advance(11)
    dispatchers.round()
    eventually(lambda: not group.is_down("a"))
    eventually(lambda: [event.details["target"] for event in box.events("target.up")] == ["a"])
    third = group.task("1.3")
    dispatchers.until(lambda: third in group.delivered(), rounds=2)
    assert group.took()["a"] == [first, third]


def test_a_member_is_asked_again_although_no_task_waits(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b")
    group.members["a"].then(fails(DOWN)).up = False
    dispatchers = Dispatchers(box, 3)
    task = group.task("1.1")
    dispatchers.until(lambda: group.delivered() == [task], rounds=3)
    for times in (1, 2, 3):
        box.clock.advance(RETRY["first_seconds"] * 2**times)
        eventually(partial(has_failed, dispatchers, "a", times + 1), what="the outage is longer")
    assert group.members["a"].checks == 3, "of three dispatchers one asks"
    assert dispatchers.each[0].turn(Changes()) <= 100, "it looks again in time by itself"


def has_failed(dispatchers: Dispatchers, name: str, times: int) -> bool:
    """Let each have a turn; tell whether the outage has so many failures by now."""
    dispatchers.round()
    outage = read_outage(dispatchers.box.spool, name)
    return outage is not None and outage.failures == times


def test_when_all_are_down_the_tasks_wait_untried(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b")
    for member in group.members.values():
        member.then(fails(DOWN)).up = False
    dispatchers = Dispatchers(box)
    ids = [group.task(f"1.{number}") for number in range(3)]
    for _ in range(4):
        dispatchers.round()
    assert group.is_down("a")
    assert group.is_down("b")
    attempts = sum(len(member.asked) for member in group.members.values())
    targets = box.contexts[0].config.targets
    shown = outage_of(box.spool, "pacs", targets)
    assert shown is not None
    assert shown.error == DOWN.text
    for _ in range(4):
        dispatchers.round()
    assert sum(len(member.asked) for member in group.members.values()) == attempts
    for member in group.members.values():
        member.then(confirms).up = True
    box.clock.advance(15)
    dispatchers.round()
    eventually(lambda: not group.is_down("a") and not group.is_down("b"))
    dispatchers.until(lambda: group.delivered() == ids)
    assert outage_of(box.spool, "pacs", targets) is None


def test_one_member_that_is_down_is_no_outage_of_the_group(box: Box, group: Group) -> None:
    group.configure("failover", "a", "b", "c", own={"c": {"disabled": True}})
    context = box.context("dispatcher")
    for name, shown in (("a", None), ("b", "nothing listens there")):
        make_slots(box.spool, name, 1)
        Breaker(box.spool, name).failed(DOWN, context.config.targets[name].retry, box.clock.now())
        outage = outage_of(box.spool, "pacs", context.config.targets)
        assert (outage and outage.error) == shown, "a disabled member does not count"
    assert outage_of(box.spool, "a", context.config.targets) == read_outage(box.spool, "a")
    assert outage_of(box.spool, "unheard-of", context.config.targets) is None


def test_a_member_that_cannot_even_be_asked_stays_down(box: Box, group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN))
    dispatchers = Dispatchers(box)
    group.task("1.1")
    dispatchers.round()
    monkeypatch.setattr(group.members["a"], "check", lambda: 1 / 0)
    box.clock.advance(11)
    eventually(partial(has_failed, dispatchers, "a", 2))


def test_a_disabled_member_is_left_out(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b", own={"a": {"disabled": True}})
    ids = [group.task(f"1.{number}") for number in range(3)]
    Dispatchers(box).until(lambda: group.delivered() == ids)
    assert group.took() == {"a": [], "b": ids}


def test_with_every_member_disabled_nothing_is_lost(box: Box, group: Group) -> None:
    group.configure("failover", "a", own={"a": {"disabled": True}})
    task = group.task("1.1")
    Dispatchers(box).round()
    assert box.spool.names(Stage.OUTGOING) == [task]


# --- what a task remembers


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


# --- shares


def shares_given(box: Box) -> dict[str, float]:
    with ShareBook(box.spool, "pacs").open({"a": 1.0, "b": 1.0}) as taken:
        return dict(taken)


def test_what_was_not_taken_is_given_back(box: Box, group: Group) -> None:
    group.configure("weighted", "a", "b", weights={"a": 1, "b": 1})
    group.members["a"].then(answers(_1="refused", _2="refused"))
    group.task("1.1", images=10)
    Dispatchers(box).round()
    assert shares_given(box) == {"a": 8.0, "b": 0.0}


def test_a_lost_or_broken_state_is_a_fresh_start(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b")
    dispatchers = Dispatchers(box)
    first = group.task("1.1")
    dispatchers.round()
    path = box.spool.stage(Stage.STATE) / "targets" / "pacs" / "shares.json"
    assert path.is_file()
    path.write_text("{")
    second = group.task("1.2")
    dispatchers.round()
    assert group.delivered() == [first, second]


# --- order


def test_the_order_of_the_group_comes_before_the_choice_of_a_member(box: Box, group: Group) -> None:
    group.configure("round-robin", "a", "b", order="study")
    ids = [group.task(f"1.{number}") for number in range(4)]
    other = group.task("2.1", study="other")
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert group.delivered() == [ids[0], other], "b is idle, and yet the second series waits for the first"
    dispatchers.until(lambda: len(group.delivered()) == 5)
    ends = Counter(task for tasks in group.took().values() for task in tasks)
    assert set(ends.values()) == {1}


def test_slots_are_the_members_own(box: Box, group: Group) -> None:
    """A task addressed to the member by name takes the slot that the group then does not get."""
    group.configure("failover", "a")
    gate = threading.Event()
    group.members["a"].then(held_until(gate))
    direct = waiting_series(box, "9", target="a")
    task = group.task("1.1")
    (dispatcher,) = Dispatchers(box).each
    dispatcher.turn(Changes.everything())
    eventually(lambda: group.took()["a"])
    assert len(group.took()["a"]) == 1
    gate.set()
    dispatcher.end()
    Dispatchers(box).until(lambda: sorted(group.delivered()) == sorted([direct, task]))


def test_a_strategy_is_given_only_members_that_are_up(box: Box, group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[list[str]] = []
    rules = STRATEGIES["failover"]

    def prefer(choice: Choice) -> list[str]:
        offered.append(list(choice.members))
        return list(rules.prefer(choice))

    monkeypatch.setitem(STRATEGIES, "failover", type(rules)(prefer, rules.amount))
    group.configure("failover", "a", "b", "c")
    group.members["a"].then(fails(DOWN))
    task = group.task("1.1")
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert offered == [["a", "b", "c"], ["b", "c"]]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    eventually(lambda: set(threading.enumerate()) <= before, what="all deliveries and questions have ended")
