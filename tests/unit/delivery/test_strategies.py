"""Which member takes a task: what each strategy promises, for any members, tasks and outages."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercure.delivery.strategies import STRATEGIES, MemberChoice, rejoin
from mercure.spool import Task
from mercure.targets.group import Strategy

NAMES = [f"m{number}" for number in range(8)]
Members = dict[str, float]


def task(study: str = "1.2", patient: str = "P1", images: int = 1, series: str = "1.2.3") -> Task:
    identity = {"StudyInstanceUID": study, "PatientID": patient, "SeriesInstanceUID": series}
    return Task.model_validate(
        {"id": "t", "created": datetime(2026, 1, 1, tzinfo=UTC), "images": images, "identity": identity}
    )


def prefer(strategy: Strategy, members: Members, given_to: Task | None = None) -> list[str]:
    return list(STRATEGIES[strategy].prefer(MemberChoice(given_to or task(), members)))


names = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
weighted = st.dictionaries(st.sampled_from(NAMES), st.floats(0.1, 50), min_size=1)
sizes = st.lists(st.integers(1, 500), min_size=1, max_size=80)


def test_every_strategy_of_the_settings_is_there() -> None:
    assert set(STRATEGIES) == set(get_args(Strategy))


# --- by share: round robin and weighted


@given(members=weighted, tasks=sizes, data=st.data())
def test_no_member_is_ever_ahead_by_more_than_one_task(members: Members, tasks: list[int], data: st.DataObject) -> None:
    """Whoever of the listed takes the task: the first, or another because the first was busy."""
    rules = STRATEGIES["weighted"]
    taken = dict.fromkeys(members, 0.0)
    for images in tasks:
        listed = rules.prefer(MemberChoice(task(), members, rules.amount(images), taken))
        assert listed, "somebody is always at or below the average"
        taken[data.draw(st.sampled_from(list(listed)))] += images
        level = sum(taken.values()) / sum(members.values())
        assert all(taken[name] <= level * weight + max(tasks) + 1e-6 for name, weight in members.items())


@given(members=weighted, tasks=st.lists(st.integers(1, 40), min_size=400, max_size=400))
def test_shares_are_kept_within_a_task(members: Members, tasks: list[int]) -> None:
    taken = dict.fromkeys(members, 0.0)
    for images in tasks:
        first, *_ = STRATEGIES["weighted"].prefer(MemberChoice(task(), members, float(images), taken))
        taken[first] += images
    total, weights = sum(tasks), sum(members.values())
    for name, weight in members.items():
        assert abs(taken[name] - total * weight / weights) <= 40 * len(members)


@given(members=names, rounds=st.integers(1, 5))
def test_round_robin_gives_each_one_task_in_turn(members: list[str], rounds: int) -> None:
    rules, weights = STRATEGIES["round-robin"], dict.fromkeys(members, 1.0)
    taken: dict[str, float] = dict.fromkeys(members, 0.0)
    order = []
    for number in range(rounds * len(members)):
        images = 1 + number * 37 % 100
        first, *_ = rules.prefer(MemberChoice(task(images=images), weights, rules.amount(images), taken))
        taken[first] += rules.amount(images)
        order.append(first)
    assert order == members * rounds
    assert rules.amount(0) == 0


@given(members=weighted, before=weighted, taken=st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)))
def test_whoever_comes_back_begins_where_the_others_stand(members: Members, before: Members, taken: Members) -> None:
    shares = rejoin(taken, before, members)
    assert list(shares) == list(members)
    stayed = [name for name in members if before.get(name) == members[name]]
    assert all(shares[name] == taken.get(name, 0.0) for name in stayed)
    levels = [shares[name] / members[name] for name in stayed]
    for name in members.keys() - set(stayed):
        level = shares[name] / members[name]
        assert min(levels, default=0.0) - 1e-6 <= level <= max(levels, default=0.0) + 1e-6


def test_a_member_that_was_down_is_not_given_everything_at_once() -> None:
    members = {"a": 1.0, "b": 1.0}
    taken = rejoin({"a": 0.0, "b": 10_000.0}, {"b": 1.0}, members)
    counts: Counter[str] = Counter()
    for _ in range(100):
        first, *_ = STRATEGIES["weighted"].prefer(MemberChoice(task(), members, 1.0, taken))
        taken[first] += 1
        counts[first] += 1
    assert counts == {"a": 50, "b": 50}


# --- least queued


@given(members=names, queued=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 50)))
def test_least_queued_lists_all_the_shortest_queue_first(members: list[str], queued: dict[str, int]) -> None:
    listed = STRATEGIES["least-queued"].prefer(MemberChoice(task(), dict.fromkeys(members, 1.0), 1.0, {}, queued))
    assert sorted(listed) == sorted(members)
    assert [queued.get(name, 0) for name in listed] == sorted(queued.get(name, 0) for name in members)


def test_of_equal_queues_the_one_that_has_had_less() -> None:
    choice = MemberChoice(task(), {"a": 1.0, "b": 1.0}, 1.0, {"a": 5.0, "b": 4.0}, {})
    assert list(STRATEGIES["least-queued"].prefer(choice)) == ["b", "a"]


# --- failover


@given(members=names)
def test_failover_names_the_first_and_nobody_else(members: list[str]) -> None:
    assert prefer("failover", dict.fromkeys(members, 1.0)) == members[:1]


# --- sticky


@pytest.mark.parametrize("strategy", ["sticky-study", "sticky-patient"])
@given(members=names, key=st.text(max_size=20), gone=st.sampled_from(NAMES))
def test_only_what_a_member_had_moves_when_it_goes(strategy: Strategy, members: list[str], key: str, gone: str) -> None:
    item = task(study=key, patient=key, series=key)
    (before,) = prefer(strategy, dict.fromkeys(members, 1.0), item)
    left = [name for name in members if name != gone]
    if left:
        (after,) = prefer(strategy, dict.fromkeys(left, 1.0), item)
        # And the other way round: who comes takes from everybody, and nothing moves between the others.
        assert before in (after, gone)
    assert prefer(strategy, dict.fromkeys(reversed(members), 1.0), item) == [before], "the order of settings is nothing"


def test_a_new_member_takes_its_share_and_no_more() -> None:
    four, five = (dict.fromkeys(NAMES[:count], 1.0) for count in (4, 5))
    studies = [task(study=f"1.2.{number}") for number in range(2000)]
    moved = [item for item in studies if prefer("sticky-study", four, item) != prefer("sticky-study", five, item)]
    assert all(prefer("sticky-study", five, item) == [NAMES[4]] for item in moved)
    assert 300 < len(moved) < 500  # a fifth of 2,000
    counts = Counter(prefer("sticky-study", five, item)[0] for item in studies)
    assert all(300 < count < 500 for count in counts.values())


def test_what_sticks_together() -> None:
    members = dict.fromkeys(NAMES, 1.0)
    many = [task(study=f"1.2.{number}", patient="P1", series=f"3.{number}") for number in range(50)]
    assert len({prefer("sticky-patient", members, item)[0] for item in many}) == 1
    assert len({prefer("sticky-study", members, item)[0] for item in many}) > 1
    nobody = [item.model_copy(update={"identity": item.identity.model_copy(update={"PatientID": ""})}) for item in many]
    assert len({prefer("sticky-patient", members, item)[0] for item in nobody}) > 1, "no patient id is no patient"
