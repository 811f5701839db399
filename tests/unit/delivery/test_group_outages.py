"""Target groups through the dispatcher: what an outage of a member changes."""

from __future__ import annotations

import errno
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mercure.delivery.target_breaker import TargetBreaker, read_outage, target_folder
from mercure.delivery.target_status import outage_of
from mercure.spool import Changes, Stage, is_locked
from tests.support.box import Box
from tests.support.polling import eventually
from tests.support.targets import DOWN, confirms, fails
from tests.support.waiting import Dispatchers
from tests.unit.delivery.groups import RETRY, Group, ledger_of

if TYPE_CHECKING:
    pass


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
        TargetBreaker(box.spool, name).failed(DOWN, context.config.targets[name].retry, box.clock.now())
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


def test_a_question_that_cannot_be_put_leaves_it_to_others(
    box: Box, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim on the question is free again, else nobody would ever ask this member."""
    group.configure("failover", "a", "b")
    group.members["a"].then(fails(DOWN)).up = False
    dispatchers = Dispatchers(box)
    task = group.task("1.1")
    dispatchers.until(lambda: group.delivered() == [task], rounds=3)
    box.clock.advance(11)

    def refused(_thread: threading.Thread) -> None:
        raise OSError(errno.EAGAIN, "no more threads")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(OSError, match="no more threads"):
            dispatchers.each[0].turn(Changes.everything())
    assert not is_locked(target_folder(box.spool, "a") / "probe")
    group.members["a"].up = True
    dispatchers.round()
    eventually(lambda: not group.is_down("a"))
