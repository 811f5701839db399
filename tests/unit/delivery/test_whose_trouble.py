"""The dispatcher over targets that refuse, abort, are full or have no room: whose trouble it is, and who waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mercure.config import TargetSettings
from mercure.delivery.acceptance import PATIENCE_SECONDS, AcceptanceBook, read_acceptance
from mercure.delivery.target_breaker import read_outage
from mercure.spool import Hold, Stage, load_task, save_task
from mercure.targets import ImageResult, Trouble
from tests.support.polling import eventually
from tests.support.targets import DOWN, confirms, fails

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercure.event_details import FailureKind
    from mercure.targets import DeliveryJob
    from tests.unit.delivery.desk import Desk

PATIENT = {"first_seconds": 10, "cap_seconds": 600, "max_refusals": 10}
FULL = Trouble("unable", "the target answers status 0xA700 (no space left)")


def gives(*bad: str, kind: FailureKind = "aborted") -> Callable[[DeliveryJob], Trouble | None]:
    """Take all images but those of these tasks; an abort ends the attempt at the first, a refusal does not."""

    def behave(job: DeliveryJob) -> Trouble | None:
        if job.task.id not in bad:
            return confirms(job)
        if kind in ("unreachable", "busy"):
            return Trouble(kind, "not now")
        status = None if kind == "aborted" else "0xC000"
        for name in job.files[:1] if kind == "aborted" else job.files:
            job.report(ImageResult(file=name, status=status, outcome="failed"))
        return Trouble(kind, "not this one")

    return behave


def study(number: int) -> dict[str, str]:
    return {"StudyInstanceUID": f"2.{number}"}


def refusals(desk: Desk) -> list[int]:
    return sorted(load_task(task).refusals for task in desk.box.tasks(Stage.OUTGOING))


def told(desk: Desk) -> list[str]:
    return [event.type for event in desk.box.events("target.down", "target.up")]


@pytest.mark.parametrize("kind", ["aborted", "refused"])
def test_many_bad_tasks_keep_one_good_one_from_nothing(desk: Desk, kind: FailureKind) -> None:
    """All are tried in the same moment, although the good one came last; only then they wait."""
    bad = [desk.box.waiting_task(1, identity=study(number)).name for number in range(12)]
    desk.box.waiting_task(1, identity=study(99))
    desk.targets["archive"].then(gives(*bad, kind=kind))
    desk.staff()
    start = desk.box.clock.now()
    desk.settle()
    assert desk.box.clock.now() == start
    assert desk.count(Stage.SUCCESS) == 1
    assert told(desk) == []
    for _ in range(4):
        desk.box.clock.advance(60)
        desk.box.waiting_task(1, identity=study(100))
        desk.settle()
    assert {task.name for task in desk.box.tasks(Stage.ERROR)} == set(bad)
    assert desk.count(Stage.SUCCESS) == 5
    assert told(desk) == []


@pytest.mark.parametrize("kind", ["aborted", "refused"])
def test_where_no_image_gets_through_nothing_is_counted(desk: Desk, kind: FailureKind) -> None:
    tasks = [desk.box.waiting_task(3, identity=study(number)) for number in range(4)]
    target = desk.targets["archive"].then(gives(*(task.name for task in tasks), kind=kind))
    desk.staff()
    for _ in range(20):
        desk.settle()
        desk.box.clock.advance(60)
    assert desk.count(Stage.OUTGOING) == 4
    assert refusals(desk) == [0, 0, 0, 0]
    assert told(desk) == ["target.down"]
    before = len(target.asked)
    desk.settle()
    desk.box.clock.advance(30)
    desk.settle()
    assert [len(files) for _, files in target.asked[before:]] in ([1], [1, 1])
    target.then(confirms)
    desk.box.clock.advance(60)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 4
    assert told(desk) == ["target.down", "target.up"]


def test_in_an_outage_a_task_that_was_not_tried_goes_at_once(desk: Desk) -> None:
    """It may be the one that the target takes: a good image waits for no bad one."""
    bad = [desk.box.waiting_task(1, identity=study(number)).name for number in range(3)]
    desk.targets["archive"].then(gives(*bad))
    desk.staff()
    for _ in range(3):
        desk.settle()
        desk.box.clock.advance(60)
    assert told(desk) == ["target.down"]
    desk.settle()
    desk.box.waiting_task(1, identity=study(99))
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    assert told(desk) == ["target.down", "target.up"]


def test_the_only_task_is_blamed_for_an_abort_and_ends_with_a_person(desk: Desk) -> None:
    only = desk.box.waiting_task(1)
    target = desk.targets["archive"].then(gives(only.name))
    desk.staff()
    for _ in range(3):
        desk.settle()
        desk.box.clock.advance(60)
    assert [task.name for task in desk.box.tasks(Stage.ERROR)] == [only.name]
    assert len(target.asked) == 3
    assert told(desk) == []


def test_an_abort_by_a_target_that_does_not_answer_is_an_outage(desk: Desk) -> None:
    only = desk.box.waiting_task(1)
    target = desk.targets["archive"].then(gives(only.name))
    target.up = False
    desk.staff()
    for _ in range(10):
        desk.settle()
        desk.box.clock.advance(60)
    assert refusals(desk) == [0]
    assert len(target.asked) == 1
    outage = read_outage(desk.box.spool, "archive")
    assert outage is not None
    assert (outage.kind, outage.by_image) == ("unreachable", False)


def test_other_images_of_the_task_go_in_the_same_attempt(desk: Desk) -> None:
    task = desk.box.waiting_task(6)

    def behave(job: DeliveryJob) -> Trouble | None:
        for name in job.files:
            if name.endswith((".1.dcm", ".2.dcm")):
                job.report(ImageResult(file=name, outcome="failed"))
                return Trouble("aborted", "the target aborted the association")
            job.report(ImageResult(file=name, status="0x0000", outcome="confirmed"))
        return None

    desk.targets["archive"].then(behave)
    desk.staff()
    desk.settle()
    tried = load_task(task)
    assert [(attempt.confirmed, attempt.kind) for attempt in tried.attempts] == [(4, "aborted")]
    assert tried.refusals == 1


def hangs(*bad: str) -> Callable[[DeliveryJob], Trouble | None]:
    """Take all images but those of these tasks, at which it hangs until the time limit."""

    def behave(job: DeliveryJob) -> Trouble | None:
        if job.task.id not in bad:
            return confirms(job)
        job.report(ImageResult(file=job.files[0], outcome="failed"))
        return Trouble("timeout", "nothing happened for 60 s", in_image=True)

    return behave


def test_an_image_at_which_a_target_hangs_that_answers_an_echo_is_its_own_trouble(desk: Desk) -> None:
    bad = desk.box.waiting_task(1, identity=study(1)).name
    desk.box.waiting_task(1, identity=study(2))
    target = desk.targets["archive"].then(hangs(bad))
    desk.staff()
    for _ in range(4):
        desk.settle()
        desk.box.clock.advance(60)
        desk.box.waiting_task(1, identity=study(3))
    desk.settle()
    assert target.checks >= 3
    assert [task.name for task in desk.box.tasks(Stage.ERROR)] == [bad]
    assert told(desk) == []


def test_a_target_that_hangs_and_answers_no_echo_is_down(desk: Desk) -> None:
    bad = desk.box.waiting_task(1).name
    target = desk.targets["archive"].then(hangs(bad))
    target.up = False
    desk.staff()
    desk.settle()
    outage = read_outage(desk.box.spool, "archive")
    assert outage is not None
    assert (outage.kind, outage.by_image) == ("timeout", False)
    assert refusals(desk) == [0]


def test_a_target_that_takes_others_is_there_although_it_has_no_room_for_an_echo(desk: Desk) -> None:
    bad = desk.box.waiting_task(1, identity=study(1)).name
    target = desk.targets["archive"]

    def behave(job: DeliveryJob) -> Trouble | None:
        if job.task.id != bad:
            return confirms(job)
        # While it is asked, the other association takes an image.
        target.up = False
        AcceptanceBook(desk.box.spool, "archive").took(desk.box.clock.now())
        return gives(bad)(job)

    target.then(behave)
    desk.box.waiting_task(1, identity=study(2))
    desk.staff()
    desk.settle()
    assert told(desk) == []
    assert desk.count(Stage.SUCCESS) == 1


def test_tasks_that_a_target_may_hang_at_leave_a_slot_free(desk: Desk) -> None:
    """Or it would be two of them, for as long as the target hangs, whenever a good one comes."""
    bad = [desk.box.waiting_task(1, identity=study(number)).name for number in range(3)]
    target = desk.targets["archive"].then(gives(*bad))
    desk.staff()
    desk.settle()
    gate = threading.Event()
    asked: list[str] = []

    def behave(job: DeliveryJob) -> Trouble | None:
        asked.append(job.task.id)
        if job.task.id in bad:
            assert gate.wait(60)
        return confirms(job)

    target.then(behave)
    desk.box.clock.advance(60)
    desk.turn()
    eventually(lambda: len(asked) == 1)
    desk.turn()
    good = desk.box.waiting_task(1, identity=study(99)).name
    desk.turn()
    eventually(lambda: good in asked, what="the good one is tried while a bad one hangs")
    assert len(asked) == 2
    gate.set()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 4


def test_only_who_takes_the_last_slot_is_in_a_hurry(desk: Desk) -> None:
    patience: list[float | None] = []
    both = threading.Barrier(2)

    def behave(job: DeliveryJob) -> Trouble | None:
        both.wait(60)
        patience.append(job.patience)
        return confirms(job)

    desk.targets["archive"].then(behave)
    for number in range(2):
        desk.box.waiting_task(1, identity=study(number))
    desk.staff()
    desk.settle()
    assert sorted(patience, key=str) == [PATIENCE_SECONDS, None]


def test_what_came_since_goes_soon_although_the_target_speaks_of_itself(desk: Desk) -> None:
    """Each new task once, and one a second: it may be that the images before it alone are answered so."""
    bad = [desk.box.waiting_task(1, identity=study(number)).name for number in range(8)]
    target = desk.targets["archive"]

    def behave(job: DeliveryJob) -> Trouble | None:
        if job.task.id not in bad:
            return confirms(job)
        job.report(ImageResult(file=job.files[0], status="0xA700", outcome="refused"))
        return FULL

    target.then(behave)
    desk.staff()
    for _ in range(6):
        desk.settle()
        desk.box.clock.advance(30)
    desk.settle()
    desk.box.clock.advance(0.5)
    desk.box.waiting_task(1, identity=study(99))
    desk.settle()
    for _ in range(3):
        desk.box.clock.advance(1)
        desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_a_group_of_one_lets_a_new_task_go_at_once_too(desk: Desk) -> None:
    group = {"kind": "group", "strategy": "failover", "members": ["archive"], "order": "none"}
    desk.configure("archive pacs")
    configured = {
        name: settings.model_dump(mode="json") for name, settings in desk.box.context("x").config.targets.items()
    }
    desk.box.configure(targets={**configured, "all": group}, rules={})
    bad = [desk.box.waiting_task(1, identity=study(number), target="all").name for number in range(3)]
    desk.targets["archive"].then(gives(*bad))
    desk.staff()
    for _ in range(3):
        desk.settle()
        desk.box.clock.advance(60)
    desk.settle()
    assert told(desk) == ["target.down"]
    desk.box.waiting_task(1, identity=study(99), target="all")
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


# -- a target that says that it can take nothing


def full(desk: Desk) -> None:
    """Answer out of resources to each image."""

    def behave(job: DeliveryJob) -> Trouble | None:
        job.report(ImageResult(file=job.files[0], status="0xA700", outcome="refused"))
        return FULL

    desk.targets["archive"].then(behave)


def test_a_full_archive_is_asked_with_one_image_and_nothing_is_counted(desk: Desk) -> None:
    for number in range(4):
        desk.box.waiting_task(25, identity=study(number))
    full(desk)
    target = desk.targets["archive"]
    desk.staff()
    desk.settle()
    assert len(target.asked) <= 2  # those that were under way when it was found out
    before = len(target.asked)
    for _ in range(60):
        desk.box.clock.advance(60)
        desk.settle()
    asked = target.asked[before:]
    assert {len(files) for _, files in asked} == {1}
    assert len({task for task, _ in asked}) == 4
    assert len(asked) <= 60
    assert refusals(desk) == [0, 0, 0, 0]
    outage = read_outage(desk.box.spool, "archive")
    assert outage is not None
    assert outage.error == FULL.text
    target.then(confirms)
    desk.box.clock.advance(30)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 4
    assert told(desk) == ["target.down", "target.up"]


def test_one_image_that_is_answered_so_is_blamed_when_others_are_taken(desk: Desk) -> None:
    bad = desk.box.waiting_task(1, identity=study(1))

    def behave(job: DeliveryJob) -> Trouble | None:
        if job.task.id != bad.name:
            return confirms(job)
        job.report(ImageResult(file=job.files[0], status="0xA700", outcome="refused"))
        return FULL

    desk.targets["archive"].then(behave)
    desk.box.waiting_task(1, identity=study(2))
    desk.staff()
    for _ in range(6):
        desk.settle()
        desk.box.clock.advance(10)
        desk.box.waiting_task(1, identity=study(3))
    for _ in range(3):
        desk.settle()
        desk.box.clock.advance(60)
    assert [task.name for task in desk.box.tasks(Stage.ERROR)] == [bad.name]
    assert desk.count(Stage.OUTGOING) == 0


def test_an_outage_by_a_status_does_not_end_by_an_echo(desk: Desk) -> None:
    full(desk)
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    for _ in range(10):
        desk.box.clock.advance(60)
        desk.settle()
    assert desk.targets["archive"].checks == 0
    assert told(desk) == ["target.down"]


# -- a target without room


def test_a_target_without_room_is_given_fewer_at_a_time_and_is_not_down(desk: Desk) -> None:
    desk.configure("archive", archive={"concurrency": 4})
    tasks = [desk.box.waiting_task(1, identity=study(number)).name for number in range(6)]
    target = desk.targets["archive"].then(gives(*tasks[:2], kind="busy"))
    desk.staff()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 4
    assert read_acceptance(desk.box.spool, "archive").room(4, desk.box.clock.now()) < 4
    target.then(confirms)
    desk.box.clock.advance(2)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 6
    assert told(desk) == []
    desk.box.clock.advance(60)
    assert read_acceptance(desk.box.spool, "archive").room(4, desk.box.clock.now()) == 4


def test_a_target_that_has_room_for_nobody_for_long_is_down(desk: Desk) -> None:
    task = desk.box.waiting_task(1)
    desk.targets["archive"].then(gives(task.name, kind="busy"))
    desk.staff()
    for _ in range(20):
        desk.settle()
        desk.box.clock.advance(8)
    assert told(desk)[:1] == ["target.down"]
    assert refusals(desk) == [0]


# -- back


def test_changed_settings_are_tried_at_once(desk: Desk) -> None:
    """Whatever the task, or the target, would have to wait."""
    target = desk.targets["archive"].then(fails(DOWN))
    target.up = False
    desk.box.waiting_task(1)
    desk.staff()
    for _ in range(5):
        desk.settle()
        desk.box.clock.advance(60)
    desk.settle()
    target.then(confirms)
    desk.configure("archive pacs", archive={"contact": "somebody"})
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_a_refused_task_is_tried_at_once_when_the_settings_of_its_target_change(desk: Desk) -> None:
    desk.targets["archive"].then(fails(Trouble("refused", "no")), confirms)
    desk.box.waiting_task(1)
    desk.staff()
    assert desk.settle() > 5
    desk.box.clock.advance(1)
    desk.configure("archive pacs", archive={"contact": "somebody"})
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_settings_of_another_target_change_nothing(desk: Desk) -> None:
    desk.targets["archive"].then(fails(Trouble("refused", "no")), confirms)
    desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    desk.configure("archive pacs", pacs={"contact": "somebody"})
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 0


def test_a_target_for_which_nothing_waits_is_asked_whether_it_is_back(desk: Desk) -> None:
    target = desk.targets["archive"].then(fails(DOWN))
    target.up = False
    task = desk.box.waiting_task(1)
    desk.staff()
    desk.settle()
    task.rename(desk.box.spool.entry(Stage.ERROR, task.name))
    target.up = True
    desk.box.clock.advance(30)
    desk.settle()
    assert target.checks == 1
    assert told(desk) == ["target.down", "target.up"]


# -- the order of a study


def test_a_series_at_which_the_target_hangs_lets_its_study_pass_too(desk: Desk) -> None:
    bad = desk.box.waiting_task(1, identity=study(1)).name
    desk.box.waiting_task(1, identity=study(1))
    desk.box.waiting_task(1, identity=study(2))
    desk.configure("archive pacs", archive={"order": "study", "retry": PATIENT})
    desk.targets["archive"].then(hangs(bad))
    desk.staff()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1
    desk.box.clock.advance(61)
    desk.settle()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 2


def test_series_of_a_study_go_in_the_order_received_without_any_setting(desk: Desk) -> None:
    default = TargetSettings.model_fields["order"].default
    assert default == "study"
    desk.configure("archive pacs", archive={"order": default})
    ids = [desk.box.waiting_task(1, identity=study(1)).name for _ in range(4)]
    desk.staff(2)
    desk.settle()
    assert [task for task, _ in desk.targets["archive"].asked] == ids


@pytest.mark.parametrize("kind", ["aborted", "refused"])
def test_a_series_that_is_not_taken_lets_its_study_pass_after_a_minute(desk: Desk, kind: FailureKind) -> None:
    bad = desk.box.waiting_task(1, identity=study(1)).name
    behind = [desk.box.waiting_task(1, identity=study(1)).name for _ in range(2)]
    desk.box.waiting_task(1, identity=study(2))
    desk.configure("archive pacs", archive={"order": "study", "retry": PATIENT})
    target = desk.targets["archive"].then(gives(bad, kind=kind))
    desk.staff()
    for _ in range(5):
        desk.settle()
        assert desk.count(Stage.SUCCESS) == 1
        desk.box.clock.advance(11)
    assert desk.box.events("warning") == []
    desk.box.clock.advance(6)
    desk.settle()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 3
    assert [task for task, _ in target.asked if task in behind] == behind
    (warned,) = desk.box.events("warning")
    assert bad in warned.details["text"]
    assert warned.task == bad


@pytest.mark.parametrize("order", ["study", "received"])
def test_what_waits_for_a_target_that_is_down_keeps_its_order(desk: Desk, order: str) -> None:
    """However long that lasts: the series is not to blame."""
    desk.configure("archive pacs", archive={"order": order})
    ids = [desk.box.waiting_task(1, identity=study(1)).name for _ in range(3)]
    target = desk.targets["archive"].then(fails(FULL))
    desk.staff()
    for _ in range(5):
        desk.settle()
        desk.box.clock.advance(60)
    target.then(confirms)
    desk.settle()
    desk.settle()
    taken = [task for task, _ in target.asked[-3:]]
    assert taken == ids


def test_where_all_go_one_after_the_other_nothing_passes(desk: Desk) -> None:
    desk.configure("archive pacs", archive={"order": "received"})
    bad = desk.box.waiting_task(1, identity=study(1)).name
    desk.box.waiting_task(1, identity=study(2))
    desk.targets["archive"].then(gives(bad, kind="refused"))
    desk.staff()
    desk.settle()
    desk.box.clock.advance(61)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 0


def test_a_series_on_hold_lets_nothing_pass(desk: Desk) -> None:
    desk.configure("archive pacs", archive={"order": "study"})
    bad = desk.box.waiting_task(1, identity=study(1))
    desk.box.waiting_task(1, identity=study(1))
    desk.targets["archive"].then(gives(bad.name, kind="refused"))
    desk.staff()
    desk.settle()
    save_task(bad, load_task(bad).model_copy(update={"hold": Hold(by="bob", at=desk.box.clock.now())}))
    desk.box.clock.advance(120)
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 0
