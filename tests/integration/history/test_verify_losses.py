"""Every acknowledged image is accounted for, or named: how one goes missing."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.event_details import RuleOutcome, SeriesDecided
from mercure.history.verify import Kind
from mercure.spool import Stage
from tests.support.recording import kinds, only
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from tests.support.recording import VerifyFunction

SERIES = "1.2.3"


def test_an_image_that_vanished_from_incoming_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    lost = router.receive(SERIES, 2)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    report = verified()
    finding = only(report)
    assert report.exit_code == 1
    assert finding.kind is Kind.IMAGE_LOST
    assert (finding.image, finding.sop, finding.series_uid) == (lost.id, f"{SERIES}.2", SERIES)
    assert finding.received == router.clock.now()


def test_an_image_that_was_not_in_the_series_when_it_was_taken_is_named(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    router.receive(SERIES, 1)
    lost = router.receive(SERIES, 2)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    (task,) = router.route(router.take(SERIES), "a")
    router.deliver(task)
    finding = only(verified())
    assert (finding.kind, finding.image) == (Kind.IMAGE_LOST, lost.id)


def test_an_image_is_not_accounted_for_by_a_later_one_of_the_same_name(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    lost = router.receive(SERIES, 1, tag_line=False)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    router.receive(SERIES, 2)
    router.route(router.take(SERIES), "a")
    router.receive(SERIES, 1)
    router.route(router.take(SERIES), "a")
    finding = only(verified())
    assert (finding.kind, finding.image) == (Kind.IMAGE_LOST, lost.id)


def test_a_task_that_vanished_is_named_with_its_images(router: ScriptedRouter, verified: VerifyFunction) -> None:
    images = [router.receive(SERIES, number) for number in (1, 2)]
    archive, research = router.route(router.take(SERIES), "archive", "research")
    router.deliver(archive)
    shutil.rmtree(router.spool.entry(Stage.OUTGOING, research.id))
    report = verified()
    assert report.exit_code == 1
    assert {(finding.kind, finding.image, finding.target, finding.task) for finding in report.findings} == {
        (Kind.TASK_LOST, image.id, "research", research.id) for image in images
    }
    assert all(finding.received and finding.last_seen for finding in report.findings)


def test_a_planned_task_that_never_stood_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES)
    ghost = task.id[:-8] + "00000000"
    plan = SeriesDecided(rules=(RuleOutcome(rule="all", fired=True),), derived=(ghost,))
    router.events.emit(plan, task=task.id, key="series.decided")
    router.route(task, "archive", stay=True)
    assert verified().findings == (), "the router may still come to it"
    shutil.rmtree(router.spool.entry(Stage.ROUTING, task.id))
    finding = only(verified())
    assert (finding.kind, finding.task) == (Kind.TASK_LOST, ghost)
    assert finding.last_seen is not None
    assert finding.last_seen.startswith("planned")


def test_a_series_that_vanished_while_it_was_routed_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    image = router.receive(SERIES)
    task = router.take(SERIES)
    shutil.rmtree(router.spool.entry(Stage.ROUTING, task.id))
    finding = only(verified())
    assert (finding.kind, finding.image, finding.task) == (Kind.TASK_LOST, image.id, task.id)


def test_an_image_that_one_of_the_derived_tasks_lacks_is_named(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    router.receive(SERIES, 1)
    left_out = router.receive(SERIES, 2)
    router.route(router.take(SERIES), "archive", files=[f"{SERIES}.1.dcm"])
    finding = only(verified())
    assert (finding.kind, finding.image, finding.target) == (Kind.NOT_PLANNED, left_out.id, "archive")


@pytest.mark.parametrize(
    ("a", "b", "missing"),
    [((1, 2), (3,), None), ((1,), (3,), 2), ((1, 2), (2,), 3)],
    ids=["each part is whole", "a part lacks one", "one is in no part"],
)
def test_a_series_that_the_rules_divided(
    router: ScriptedRouter, verified: VerifyFunction, a: tuple[int, ...], b: tuple[int, ...], missing: int | None
) -> None:
    received = [router.receive(SERIES, number) for number in (1, 2, 3)]
    parts = {"a": ([f"{SERIES}.{n}.dcm" for n in a], 2), "b": ([f"{SERIES}.{n}.dcm" for n in b], 1)}
    for task in router.divide(router.take(SERIES), parts):
        router.deliver(task)
    named = {finding.image for finding in verified().findings}
    assert (named == set()) if missing is None else (received[missing - 1].id in named)


def test_an_image_that_the_study_lacks_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    left_out = router.receive(SERIES, 2)
    router.collect(router.take(SERIES))
    study = router.assemble(router.take_study(), without=left_out.file)
    router.tell_study(study)
    router.route(study, "archive")
    finding = only(verified())
    assert (finding.kind, finding.image) == (Kind.NOT_PLANNED, left_out.id)


def test_an_image_that_the_target_did_not_confirm_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    router.receive(SERIES, 2)
    (task,) = router.route(router.take(SERIES), "archive")
    router.deliver(task, unconfirmed=[f"{SERIES}.2.dcm"])
    report = verified()
    finding = only(report)
    assert (finding.kind, report.exit_code) == (Kind.NOT_CONFIRMED, 1)
    assert f"{SERIES}.2.dcm" in finding.text


def test_a_failed_task_that_is_not_kept_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "archive")
    router.fail(task)
    shutil.rmtree(router.spool.entry(Stage.ERROR, task.id))
    finding = only(verified())
    assert (finding.kind, finding.last_seen and finding.last_seen[:6]) == (Kind.TASK_LOST, "failed")


@pytest.mark.parametrize("stage", [Stage.OUTGOING, Stage.ERROR, Stage.SUCCESS])
def test_an_image_that_a_task_lost_is_named(router: ScriptedRouter, verified: VerifyFunction, stage: Stage) -> None:
    router.receive(SERIES, 1)
    router.receive(SERIES, 2)
    (task,) = router.route(router.take(SERIES), "archive")
    if stage is Stage.ERROR:
        router.fail(task)
    if stage is Stage.SUCCESS:
        router.deliver(task)
    (router.spool.entry(stage, task.id) / f"{SERIES}.1.dcm").unlink()
    report = verified()
    assert kinds(report) == [Kind.IMAGE_MISSING]
    assert report.exit_code == 1


def test_a_truncated_image_is_noticed(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "archive")
    os.truncate(router.spool.entry(Stage.OUTGOING, task.id) / f"{SERIES}.1.dcm", 3)
    assert kinds(verified()) == [Kind.IMAGE_MISSING]


def test_a_series_discarded_by_nobody_is_named(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES)
    router.discard(task, rule="")
    assert kinds(verified()) == [Kind.NO_RULE]
    router.retire(task, Stage.DISCARD)
    assert kinds(verified()) == [Kind.NO_RULE]
