"""Late arrivals: always marked, and sent as the rule says."""

from __future__ import annotations

import pytest

from mercure.spool import Stage
from tests.support.incoming import make_images
from tests.support.router_desk import RouterDesk

AFTER_RELEASE = 6.0


def arrive(desk: RouterDesk, first: int, count: int) -> None:
    desk.send(make_images(count, first=first))
    desk.turn()
    desk.turn(AFTER_RELEASE)


@pytest.mark.parametrize(("policy", "images", "held"), [("alone", 1, False), ("again", 3, False), ("hold", 1, True)])
def test_the_policy_for_late_images(desk: RouterDesk, policy: str, images: int, held: bool) -> None:
    desk.configure({"all": {"rule": "True", "targets": ["pacs"], "late": policy}})
    arrive(desk, 1, 2)
    arrive(desk, 3, 1)
    first, late = desk.tasks(Stage.OUTGOING)
    assert (first.late, first.images) == (False, 2)
    assert (late.late, late.images, late.hold is not None) == (True, images, held)
    assert len(desk.files(late, Stage.OUTGOING)) == images
    told = desk.events("series.completed")
    assert [item["late"] for item in told] == [False, True]
    assert told[1]["earlier"] == [first.parent]


def test_again_finds_images_that_were_delivered_already(desk: RouterDesk) -> None:
    desk.configure({"all": {"rule": "True", "targets": ["pacs"], "late": "again"}})
    arrive(desk, 1, 2)
    (first,) = desk.tasks(Stage.OUTGOING)
    desk.spool.entry(Stage.OUTGOING, first.id).rename(desk.spool.entry(Stage.SUCCESS, first.id))
    arrive(desk, 3, 1)
    (late,) = desk.tasks(Stage.OUTGOING)
    assert late.images == len(desk.files(late, Stage.OUTGOING)) == 3


def test_again_says_when_the_earlier_images_are_gone(desk: RouterDesk) -> None:
    desk.configure({"all": {"rule": "True", "targets": ["pacs"], "late": "again"}})
    arrive(desk, 1, 2)
    (first,) = desk.tasks(Stage.OUTGOING)
    desk.spool.entry(Stage.OUTGOING, first.id).rename(desk.box.root / "gone")
    arrive(desk, 3, 1)
    (late,) = desk.tasks(Stage.OUTGOING)
    assert late.images == 1
    assert any("not kept any more" in warning["text"] for warning in desk.events("warning"))


def test_of_several_rules_for_one_target_the_most_careful_policy_holds(desk: RouterDesk) -> None:
    desk.configure(
        {
            "a": {"rule": "True", "targets": ["pacs", "research"], "late": "alone"},
            "b": {"rule": "True", "targets": ["pacs"], "late": "hold"},
        }
    )
    arrive(desk, 1, 1)
    arrive(desk, 2, 1)
    late = {task.target: task.hold is not None for task in desk.tasks(Stage.OUTGOING) if task.late}
    assert late == {"pacs": True, "research": False}


def test_late_is_known_after_a_restart(desk: RouterDesk) -> None:
    arrive(desk, 1, 1)
    desk.restart()
    arrive(desk, 2, 1)
    assert [task.late for task in desk.tasks(Stage.OUTGOING)] == [False, True]


def test_a_late_series_of_a_study_is_late_for_the_study_too(desk: RouterDesk) -> None:
    desk.configure({"whole": {"rule": "True", "targets": ["pacs"], "trigger": "study", "late": "hold"}})
    for series in ("1.2.3", "1.2.4"):
        desk.send(make_images(2, series=series))
        desk.turn()
        desk.turn(AFTER_RELEASE)
        desk.turn(1000)
    first, late = desk.tasks(Stage.OUTGOING)
    assert [(task.late, task.images, task.hold is not None) for task in (first, late)] == [
        (False, 2, False),
        (True, 2, True),
    ]
