"""Studies: when they are complete, what becomes of them, and what comes late."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from mercure import durable
from mercure.routing.studies import force_study
from mercure.spool import Stage
from tests.support.incoming import Association, make_images

if TYPE_CHECKING:
    from tests.support.router_desk import RouterDesk

AFTER_RELEASE = 6.0
STUDY_QUIET = 900.0


def study_rule(**study: Any) -> dict[str, Any]:
    return {"whole": {"rule": "True", "targets": ["pacs"], "trigger": "study", "study": study}}


def one_series(desk: RouterDesk, series: str, *, count: int = 2, study: str = "1.2", **tags: Any) -> None:
    desk.send(make_images(count, series=series, study=study, **tags))
    desk.turn()
    desk.turn(AFTER_RELEASE)


def test_a_quiet_study_is_one_task_with_all_its_images(desk: RouterDesk) -> None:
    desk.configure(study_rule())
    one_series(desk, "1.2.3")
    one_series(desk, "1.2.4", count=3)
    assert len(list(desk.spool.studies())) == 2
    assert desk.tasks(Stage.OUTGOING) == []
    desk.turn(STUDY_QUIET - 10)
    assert desk.tasks(Stage.OUTGOING) == [], "it has not been quiet for long enough"
    desk.turn(11)
    (task,) = desk.tasks(Stage.OUTGOING)
    assert (task.scope, task.images, task.study_rule, task.late) == ("study", 5, "whole", False)
    assert len(desk.files(task, Stage.OUTGOING)) == 5
    assert desk.spool.names(Stage.STUDIES) == desk.spool.names(Stage.ROUTING) == []
    (told,) = desk.events("study.completed")
    assert (told["reason"], len(told["members"]), len(told["images"])) == ("quiet", 2, 5)


def test_the_quiet_time_counts_from_the_last_series(desk: RouterDesk) -> None:
    desk.configure(study_rule())
    one_series(desk, "1.2.3")
    desk.turn(STUDY_QUIET - 100)
    one_series(desk, "1.2.4")
    desk.turn(STUDY_QUIET - 100)
    assert desk.tasks(Stage.OUTGOING) == []
    desk.turn(101)
    assert len(desk.tasks(Stage.OUTGOING)) == 1


@pytest.mark.parametrize(
    ("study", "arrivals", "complete"),
    [
        ({"series": "'axial t2' and ('SAG T1 GRE' or 'sag t1 tse')"}, ["Axial T2 fs"], False),
        ({"series": "'axial t2' and ('SAG T1 GRE' or 'sag t1 tse')"}, ["Axial T2 fs", "Sag T1 TSE"], True),
        ({"series": "'axial t2' and ('SAG T1 GRE' or 'sag t1 tse')"}, ["Sag T1 TSE", "other"], False),
        ({"expected_series": {"number": 2}}, ["a"], False),
        ({"expected_series": {"number": 2}}, ["a", "b"], True),
        ({"expected_images": {"number": 4}}, ["a", "b"], True),
        ({"expected_images": {"number": 5}}, ["a", "b"], False),
        ({"expected_series": {"tag": "NumberOfStudyRelatedSeries"}}, ["a", "b"], True),
        ({"expected_images": {"tag": "NumberOfStudyRelatedInstances"}}, ["a", "b"], False),
        ({"series": "'a'", "expected_series": {"number": 2}}, ["a"], False),
    ],
)
def test_content_completes_a_study(
    desk: RouterDesk, study: dict[str, Any], arrivals: list[str], complete: bool
) -> None:
    desk.configure(study_rule(**study))
    for number, description in enumerate(arrivals):
        one_series(desk, f"1.2.{number + 3}", SeriesDescription=description, NumberOfStudyRelatedSeries="2")
    desk.turn()
    assert bool(desk.tasks(Stage.OUTGOING)) is complete
    if not complete:
        desk.turn(STUDY_QUIET + 1)
        assert desk.tasks(Stage.OUTGOING) == [], "being quiet does not make up for what is missing"


def test_a_study_waits_for_a_series_that_is_still_arriving(desk: RouterDesk) -> None:
    """LESSONS 7: a long exam is not complete because it is old."""
    desk.configure(study_rule(force_after_seconds=1000, force_action="discard"))
    one_series(desk, "1.2.3")
    with Association(desk.spool, desk.clock) as association:
        for image in make_images(30, series="1.2.4"):
            association.store(image)
            desk.turn(50)  # less than the quiet time of the series, and in all more than any limit of the study
        assert desk.tasks(Stage.OUTGOING) == []
        assert desk.tasks(Stage.DISCARD) == []
    desk.turn()
    desk.turn(AFTER_RELEASE)
    desk.turn(STUDY_QUIET + 1)
    (task,) = desk.tasks(Stage.OUTGOING)
    assert task.images == 32


@pytest.mark.parametrize(
    ("action", "stage"), [("proceed", Stage.OUTGOING), ("discard", Stage.DISCARD), ("wait", Stage.STUDIES)]
)
def test_the_limit_of_a_study_that_stays_incomplete(desk: RouterDesk, action: str, stage: Stage) -> None:
    desk.configure(study_rule(series="'never comes'", force_after_seconds=1000, force_action=action))
    one_series(desk, "1.2.3")
    desk.turn(990)
    assert [name.rpartition("+")[0] for name in desk.spool.names(Stage.STUDIES)] == ["1.2+whole"]
    desk.turn(11)
    assert [bool(desk.spool.names(place)) for place in (Stage.OUTGOING, Stage.DISCARD, Stage.STUDIES)] == [
        stage is place for place in (Stage.OUTGOING, Stage.DISCARD, Stage.STUDIES)
    ]
    if stage is Stage.DISCARD:
        (task,) = desk.tasks(stage)
        assert [rule.rule for rule in task.rules] == ["whole"]


def test_a_person_completes_a_study(desk: RouterDesk) -> None:
    desk.configure(study_rule())
    one_series(desk, "1.2.3")
    (study,) = desk.spool.names(Stage.STUDIES)
    routed = force_study(desk.spool, study, "ann", desk.clock)
    desk.turn()
    (task,) = desk.tasks(Stage.OUTGOING)
    assert task.parent == routed
    (told,) = desk.events("study.completed")
    assert (told["by"], told["reason"]) == ("ann", "forced by a person")
    assert force_study(desk.spool, study, "ann", desk.clock) is None


def test_a_study_whose_rule_was_deleted_is_kept_for_a_person(desk: RouterDesk) -> None:
    """LESSONS 20."""
    desk.configure(study_rule())
    one_series(desk, "1.2.3")
    desk.configure({"other": {"rule": "True", "targets": ["pacs"]}})
    desk.turn()
    (task,) = desk.tasks(Stage.ERROR)
    assert task.failure is not None
    assert "whole" in task.failure.reason
    assert len(desk.files(task, Stage.ERROR)) == 2


def test_rules_of_both_triggers_add_up(desk: RouterDesk) -> None:
    desk.configure({**study_rule(), "now": {"rule": "True", "targets": ["research"]}})
    one_series(desk, "1.2.3")
    assert [task.target for task in desk.tasks(Stage.OUTGOING)] == ["research"]
    desk.turn(STUDY_QUIET + 1)
    assert sorted(task.target or "" for task in desk.tasks(Stage.OUTGOING)) == ["pacs", "research"]


def test_two_series_of_a_study_may_hold_the_same_image(desk: RouterDesk) -> None:
    desk.configure(study_rule())
    (image,) = make_images(1, series="1.2.3")
    again = make_images(1, series="1.2.4", SOPInstanceUID=image.sop)[0]
    desk.send([image])
    desk.send([type(again)(sop=image.sop, series="1.2.4", data=again.data, tags=again.tags)])
    desk.turn()
    desk.turn(AFTER_RELEASE)
    desk.turn(STUDY_QUIET + 1)
    (task,) = desk.tasks(Stage.OUTGOING)
    directory = desk.spool.entry(Stage.OUTGOING, task.id)
    assert sorted(path.read_bytes() for path in directory.glob("*.dcm")) == sorted([image.data, again.data])


def test_an_image_without_a_study_is_a_study_of_its_own(desk: RouterDesk) -> None:
    desk.configure(study_rule())
    one_series(desk, "1.2.3", study="")
    one_series(desk, "1.2.4", study="")
    desk.turn(STUDY_QUIET + 1)
    assert sorted(task.images for task in desk.tasks(Stage.OUTGOING)) == [2, 2]


def test_a_crash_at_any_step_of_a_study_loses_and_doubles_nothing(
    desk_in_memory: RouterDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step fails once; the router that comes after finishes."""
    desk = desk_in_memory
    desk.configure(study_rule(expected_series={"number": 2}))
    original = durable.step
    budget = 10**9

    class CrashError(BaseException):
        """Stands for the end of the process: nothing catches it."""

    def counting(operation: str, path: object) -> None:
        nonlocal budget
        budget -= 1
        if budget < 0:
            raise CrashError
        original(operation, path)

    monkeypatch.setattr(durable, "step", counting)
    crashes = 0
    for attempt in range(200):
        study = f"1.9.{attempt}"
        budget = 10**9
        for number in (1, 2):
            desk.send(make_images(2, series=f"{study}.{number}", study=study))
        desk.turn()
        budget = attempt
        try:
            desk.turn(AFTER_RELEASE)
            desk.turn()
            survived = True
        except CrashError:
            survived = False
            crashes += 1
        budget = 10**9
        desk.restart()
        for _ in range(3):
            desk.turn(AFTER_RELEASE)
        tasks = [task for task in desk.tasks(Stage.OUTGOING) if task.identity.StudyInstanceUID == study]
        assert [task.images for task in tasks] == [4], f"after a crash at step {attempt}"
        assert desk.spool.names(Stage.STUDIES) == desk.spool.names(Stage.ROUTING) == []
        for delivered in desk.box.tasks(Stage.OUTGOING):
            shutil.rmtree(delivered)  # else each router that begins looks at all that came before
        if survived:
            break
    assert crashes > 50
