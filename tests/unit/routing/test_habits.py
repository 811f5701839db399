"""Habits of senders: a rule that stops firing, and series that no rule wants any more, are noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mercure.config import Rule
from mercure.routing import habits
from mercure.routing.habits import Habit, HabitChange, Habits, RoutedSeries, judge
from mercure.spool import Stage
from mercure.spool.notices import Notice, notices
from tests.support.incoming import make_images
from tests.support.router_desk import RouterDesk

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RIGHT, WRONG = 'tags.Modality == "CT"', 'tags.Modality == "TC"'
AFTER_RELEASE = 6.0


def rule(expression: str = RIGHT, **more: Any) -> Rule:
    return Rule(rule=expression, targets=("pacs",), **more)


class Told:
    """The series of one sender, one after the other."""

    def __init__(self) -> None:
        self.habit, self.now, self.number = Habit(sender="CT1@10.0.0.7"), NOW, 0

    def series(
        self, rules: dict[str, Rule], *fired: str, wanted: bool | None = None, times: int = 1
    ) -> list[HabitChange]:
        found: list[HabitChange] = []
        for _ in range(times):
            self.number += 1
            unwanted = not fired if wanted is None else not wanted
            decided = RoutedSeries(f"task-{self.number}", fired, unwanted, lambda text: text == RIGHT)
            self.habit, now = judge(self.habit, decided, rules, self.now)
            found += now
        return found


def texts(found: list[HabitChange]) -> list[str]:
    return [f"{finding.kind}: {finding.about}" for finding in found if finding.text]


OTHER = {"other": rule("True")}
CHANGES: dict[str, dict[str, Rule]] = {
    "misspelt": {"ct": rule(WRONG)},
    "removed": {},
    "switched off": {"ct": rule(disabled=True)},
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_rule_that_would_have_fired_before_it_was_changed_is_told_of_at_the_first_series(how: str) -> None:
    told = Told()
    assert not told.series({"ct": rule()}, "ct")
    found = told.series({**OTHER, **CHANGES[how]}, "other")
    assert texts(found) == ["rule: ct for CT1@10.0.0.7"]
    assert found[0].advice


def test_a_rule_under_another_name_is_the_same_rule() -> None:
    told = Told()
    told.series({"ct": rule()}, "ct")
    assert not told.series({"computed": rule()}, "computed", times=20)


def test_a_rule_that_fires_again_takes_its_notice_back() -> None:
    told = Told()
    told.series({"ct": rule()}, "ct")
    told.series({**OTHER, "ct": rule(WRONG)}, "other")
    found = told.series({**OTHER, "ct": rule()}, "ct", "other")
    assert found == [HabitChange("rule", "ct for CT1@10.0.0.7")]


def test_a_change_is_meant_after_a_week() -> None:
    told = Told()
    told.series({"ct": rule()}, "ct")
    changed = {**OTHER, "ct": rule(WRONG)}
    assert texts(told.series(changed, "other"))
    told.now += habits.LEARNED
    assert not told.series(changed, "other", times=3)


def test_a_rule_that_fires_for_nothing_any_more_is_missed_when_it_is_silent_for_unusually_long() -> None:
    told, rules = Told(), {**OTHER, "ct": rule()}
    told.series(rules, "ct", "other", times=habits.USUAL)
    assert not told.series(rules, "other", times=habits.USUAL - 1)
    assert texts(told.series(rules, "other")) == ["rule: ct for CT1@10.0.0.7"]


def test_a_rule_that_fires_now_and_then_is_not_missed() -> None:
    told, rules = Told(), {**OTHER, "ct": rule()}
    told.series(rules, "ct", "other", times=habits.USUAL)
    for _ in range(3):
        told.series(rules, "ct", "other")
        told.series(rules, "other", times=4)
    told.series(rules, "ct", "other")
    assert not told.series(rules, "other", times=11)
    assert texts(told.series(rules, "other"))


def test_a_rule_that_fired_once_or_is_a_fallback_is_not_missed() -> None:
    told, rules = Told(), {**OTHER, "ct": rule()}
    told.series(rules, "ct", "other")
    assert not told.series(rules, "other", times=50)
    told, rules = Told(), {**OTHER, "rest": rule(RIGHT, fallback=True)}
    told.series(rules, "rest", times=10)
    assert not told.series(rules, "other", times=50)


def test_series_that_no_rule_wants_are_told_of_until_that_is_usual() -> None:
    told = Told()
    assert texts(told.series({})) == ["unrouted: CT1@10.0.0.7"]
    told.now += habits.LEARNED - timedelta(seconds=1)
    assert texts(told.series({}))
    told.now += timedelta(seconds=1)
    assert not told.series({}, times=100)


def test_that_all_is_unwanted_is_told_although_a_few_always_were() -> None:
    told, rules = Told(), {"ct": rule()}
    for _ in range(10):
        told.series(rules, "ct")
        told.series(rules)
    told.now += habits.LEARNED
    assert not told.series(rules, times=habits.USUAL - 2)
    found = told.series(rules)
    assert "unrouted: CT1@10.0.0.7" in texts(found)
    assert any("10 before were routed" in finding.text for finding in found)


def test_a_series_is_counted_once() -> None:
    told = Told()
    told.series({"ct": rule()}, "ct")
    told.number -= 1
    told.series({"ct": rule()}, "ct")
    assert told.habit.rules["ct"].fired == 1


def test_rules_remembered_for_a_sender_are_bounded() -> None:
    told = Told()
    many = {f"r{number}": rule() for number in range(habits.MOST_RULES + 50)}
    told.series(many, *many)
    assert len(told.habit.rules) == habits.MOST_RULES


def arrive(desk: RouterDesk, number: int, calling: str = "CT1") -> None:
    desk.send(make_images(2, series=f"1.2.{number}"), calling)
    desk.turn()
    desk.turn(AFTER_RELEASE)


def told(desk: RouterDesk) -> list[Notice]:
    return sorted(notices(desk.spool), key=lambda notice: notice.kind)


def test_a_misspelt_rule_is_noticed_by_the_router(desk: RouterDesk) -> None:
    desk.configure({"ct": {"rule": "tags.SeriesInstanceUID != ''", "targets": ["pacs"]}})
    arrive(desk, 1)
    assert not told(desk)
    desk.configure({"ct": {"rule": "tags.SeriesInstanceUID == ''", "targets": ["pacs"]}})
    arrive(desk, 2)
    rule, unrouted = told(desk)
    assert (rule.kind, unrouted.kind) == ("rule", "unrouted")
    assert "CT1@" in unrouted.about
    desk.restart()
    arrive(desk, 3)
    assert [notice.count for notice in told(desk)] == [2, 2]
    assert len(desk.tasks(Stage.DISCARD)) == 2


def test_counts_are_written_now_and_then_and_what_is_new_at_once(desk: RouterDesk) -> None:
    def written() -> str:
        (path,) = habits.habits_folder(desk.spool).iterdir()
        return path.read_text()

    store, rules = Habits(desk.spool), {"a": rule(), "b": rule("True")}
    now = desk.clock.now()
    store.note("CT1@x", RoutedSeries("1", ["a"], False, bool), rules, now)
    first = written()
    store.note("CT1@x", RoutedSeries("2", ["a"], False, bool), rules, now + timedelta(seconds=1))
    assert written() == first
    store.note("CT1@x", RoutedSeries("3", ["a", "b"], False, bool), rules, now + timedelta(seconds=2))
    assert '"b"' in written()
    store.note("CT1@x", RoutedSeries("4", ["a"], False, bool), rules, now + timedelta(seconds=13))
    assert '"fired":4' in written()


def test_a_series_that_a_rule_discards_is_nothing_to_notice(desk: RouterDesk) -> None:
    desk.configure({"no": {"rule": "True", "action": "discard"}})
    for number in range(3):
        arrive(desk, number + 1)
    assert not told(desk)


def test_a_broken_hint_is_begun_anew_and_an_old_one_forgotten(desk: RouterDesk) -> None:
    arrive(desk, 1)
    (path,) = habits.habits_folder(desk.spool).iterdir()
    path.write_text("{")
    desk.restart()
    arrive(desk, 2)
    assert path.read_text() != "{"
    Habits(desk.spool).forget(desk.clock.now() + timedelta(days=200_000))
    assert not list(habits.habits_folder(desk.spool).iterdir())
