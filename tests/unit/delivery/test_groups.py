"""Target groups through the dispatcher: who takes which task, in which shares and order."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from mercure.delivery.admission import ShareBook
from mercure.delivery.strategies import STRATEGIES, MemberChoice
from mercure.spool import Changes, Stage
from tests.support.box import Box
from tests.support.polling import eventually
from tests.support.targets import DOWN, answers, fails
from tests.support.waiting import Dispatchers, waiting_series
from tests.unit.delivery.groups import Group, held_until

if TYPE_CHECKING:
    pass


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
    of_the_box = {state / "spool.json", *(state / "clock").glob("*")}
    assert not [path for path in state.rglob("*") if path.is_file() and path not in of_the_box], (
        "nothing about patients is kept"
    )


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

    def prefer(choice: MemberChoice) -> list[str]:
        offered.append(list(choice.members))
        return list(rules.prefer(choice))

    monkeypatch.setitem(STRATEGIES, "failover", type(rules)(prefer, rules.amount))
    group.configure("failover", "a", "b", "c")
    group.members["a"].then(fails(DOWN))
    task = group.task("1.1")
    Dispatchers(box).until(lambda: group.delivered() == [task], rounds=3)
    assert offered == [["a", "b", "c"], ["b", "c"]]
