"""Every acknowledged image is accounted for, or named: how one goes missing, and how none does."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Protocol

import pytest

from mercure.bookkeeping.database import open_history, run_sql
from mercure.bookkeeping.reader import Reader
from mercure.bookkeeping.recorder import Recorder
from mercure.bookkeeping.verify import Kind, Report, Verifier, verify
from mercure.bookkeeping.verify.spool_walk import SpoolWalk
from mercure.clock import ManualClock
from mercure.config import Config, Root
from mercure.config.models import History
from mercure.event_details import RuleOutcome, SeriesDecided
from mercure.spool import Stage, image_files, save_task
from tests.integration.bookkeeping.conftest import record_all
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from mercure.bookkeeping.verify import Finding
    from tests.support.postgres import Cluster

SERIES = "1.2.3"


@pytest.fixture
def router(tmp_path: Path) -> ScriptedRouter:
    return ScriptedRouter(tmp_path / "spool", ManualClock())


@pytest.fixture
def recorded(router: ScriptedRouter, database: Database) -> Recorder:
    return Recorder(database, router.outbox, "node-a", router.clock)


@pytest.fixture(params=["recorded", "still in the outbox"])
def verified(
    request: pytest.FixtureRequest, router: ScriptedRouter, recorded: Recorder, history_url: str
) -> VerifyFunction:
    """Give a function that verifies, with the events in the history or waiting for it: it must not matter."""

    def verify() -> Report:
        if request.param == "recorded":
            record_all(recorded)
        with Reader(history_url) as history:
            return Verifier(router.spool, "node-a", history, router.clock).run()

    return verify


class VerifyFunction(Protocol):
    """The type of the ``verified`` fixture."""

    def __call__(self) -> Report: ...


def kinds(report: Report) -> list[Kind]:
    return [finding.kind for finding in report.findings]


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


# --- all is well ----------------------------------------------------------------------------------------------


def test_an_empty_router_is_well(verified: VerifyFunction) -> None:
    report = verified()
    assert (report.findings, report.exit_code, report.acknowledged) == ((), 0, 0)


def test_every_way_that_an_image_may_go(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive("1.1")  # waits in incoming
    router.receive("1.2", 1)
    router.receive("1.2", 2)
    router.take("1.2")  # waits in routing
    for number in (1, 2, 3):
        router.receive("1.3", number)
    waiting, delivered, failed, retired = router.route(router.take("1.3"), "a", "b", "c", "d")
    router.deliver(delivered)
    router.fail(failed)
    router.deliver(retired)
    router.retire(retired, Stage.SUCCESS)
    router.receive("1.4")
    router.discard(router.take("1.4"), "phantoms")
    router.receive("1.5")
    gone = router.take("1.5")
    router.discard(gone, "old rule")
    router.retire(gone, Stage.DISCARD)
    router.receive("1.6")
    router.fail(router.take("1.6"), Stage.ROUTING)
    (router.spool.entry(Stage.QUARANTINE, gone.id)).mkdir()
    (router.spool.entry(Stage.QUARANTINE, gone.id) / "reason.json").write_text("{}")

    report = verified()

    assert report.findings == ()
    assert report.exit_code == 0
    assert report.acknowledged == 9
    assert report.before_routing == 3
    assert {name: count.model_dump() for name, count in report.targets.items()} == {
        "a": {"delivered": 0, "waiting": 3, "failed": 0},
        "b": {"delivered": 3, "waiting": 0, "failed": 0},
        "c": {"delivered": 0, "waiting": 0, "failed": 3},
        "d": {"delivered": 3, "waiting": 0, "failed": 0},
    }
    assert report.discarded == {"phantoms": 1, "old rule": 1}
    assert (report.failed, report.quarantined, report.unknown_tasks) == (1, 1, 0)
    assert waiting.target == "a"


def test_a_repetition_is_accounted_for_by_the_first(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "a")
    router.receive(SERIES)  # after the series was taken: an image of its own, a late arrival
    report = verified()
    assert (report.findings, report.acknowledged, report.repetitions, report.before_routing) == ((), 3, 1, 1)

    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    assert verified().exit_code == 0


def test_an_image_whose_tag_line_a_power_cut_took(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1, tag_line=False)
    router.receive(SERIES, 2)
    (task,) = router.route(router.take(SERIES), "a")
    assert verified().exit_code == 0
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    report = verified()
    assert (report.findings, report.exit_code) == ((), 0)


def test_a_first_image_whose_event_and_line_a_power_cut_took(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1, tag_line=False, told=False)
    router.receive(SERIES, 1)  # sent again after the cut: a repetition, whose id the task then names
    (task,) = router.route(router.take(SERIES), "a")
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    assert verified().exit_code == 0


@pytest.mark.parametrize("tag_line", [True, False], ids=["with its tag line", "without one"])
def test_images_whose_events_a_power_cut_took_are_counted_apart(
    router: ScriptedRouter, verified: VerifyFunction, *, tag_line: bool
) -> None:
    """They were acknowledged, so verify must not say that there were fewer."""
    for number in (1, 2, 3):
        router.receive(SERIES, number, tag_line=number == 1 or tag_line, told=number == 1)
    router.receive(SERIES, 1)  # a repetition is told of, and is no further image
    report = verified()
    assert (report.acknowledged, report.repetitions, report.unreported, report.before_routing) == (2, 1, 2, 3)
    (task,) = router.route(router.take(SERIES), "a")
    report = verified()
    assert (report.acknowledged, report.repetitions, report.unreported) == (2, 1, 2)
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    report = verified()
    assert (report.acknowledged, report.unreported, report.exit_code) == (2, 2, 0)
    assert report.targets["a"].delivered == 3


def test_a_series_of_which_no_event_tells_yet(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    router.receive(SERIES, 2, tag_line=False)
    router.take(SERIES, told=False)
    report = verified()
    assert (report.findings, report.exit_code, report.unknown_tasks) == ((), 0, 1)
    assert report.before_routing == 2


def test_a_discarded_series_of_which_only_the_cleaner_told(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES, told=False)
    router.discard(task)
    router.retire(task, Stage.DISCARD)
    assert verified().exit_code == 0


def test_a_series_that_was_put_aside_and_retried(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES)
    router.fail(task, Stage.ROUTING)
    shutil.move(router.spool.entry(Stage.ERROR, task.id), router.spool.entry(Stage.ROUTING, task.id))
    (derived,) = router.route(task, "a")
    assert verified().exit_code == 0
    router.deliver(derived)
    router.retire(derived, Stage.SUCCESS)
    assert verified().exit_code == 0


def test_a_study_from_its_first_series_to_its_target(router: ScriptedRouter, verified: VerifyFunction) -> None:
    for series in ("1.2.1", "1.2.2"):
        router.receive(series, 1)
        router.receive(series, 2, tag_line=series == "1.2.1")
        router.collect(router.take(series))
    assert (verified().findings, verified().before_routing) == ((), 4)
    directory = router.take_study()
    assert verified().findings == (), "the series are folders within the study"
    study = router.assemble(directory)
    assert verified().findings == (), "the series are only a list in the study"
    router.tell_study(study)
    (archive,) = router.route(study, "archive")
    assert verified().findings == ()
    router.deliver(archive)
    router.retire(archive, Stage.SUCCESS)
    report = verified()
    assert (report.findings, report.exit_code) == ((), 0)
    assert report.targets["archive"].delivered == 4


def test_series_sent_whole_again_may_hold_more_than_was_told(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    (first,) = router.route(router.take(SERIES), "archive")
    router.deliver(first)
    router.receive(SERIES, 2)
    (again,) = router.route(router.take(SERIES), "archive")
    place = router.spool.entry(Stage.OUTGOING, again.id)
    os.link(router.spool.entry(Stage.SUCCESS, first.id) / f"{SERIES}.1.dcm", place / f"{SERIES}.1.dcm")
    files = image_files(place)
    save_task(place, again.model_copy(update={"images": 2, "bytes": sum(file.bytes for file in files)}))
    assert verified().findings == ()


# --- something is lost ----------------------------------------------------------------------------------------


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


# --- worth a look ---------------------------------------------------------------------------------------------


def test_entries_that_do_not_belong_there_are_told_and_are_no_violation(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    spool = router.spool
    (spool.stage(Stage.OUTGOING) / "not-an-id").mkdir()
    (spool.stage(Stage.INCOMING) / "file.dcm").write_bytes(b"x")
    (spool.stage(Stage.SUCCESS) / "20260101T000000000000-00000000").mkdir()
    old = spool.stage(Stage.ROUTING) / ".20260101T000000000000-00000000.new"
    old.mkdir()
    os.utime(old, (1, 1))
    (spool.stage(Stage.ROUTING) / ".fresh").mkdir()
    now = router.clock.now().timestamp()
    os.utime(spool.stage(Stage.ROUTING) / ".fresh", (now, now))
    report = verified()
    assert sorted(kinds(report)) == sorted([Kind.STRAY, Kind.STRAY, Kind.UNREADABLE, Kind.LEFTOVER])
    assert report.exit_code == 0


def test_a_task_whose_model_is_broken_is_told_and_its_images_are_kept(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "archive")
    (router.spool.entry(Stage.OUTGOING, task.id) / "task.json").write_text("{")
    report = verified()
    assert (kinds(report), report.exit_code) == ([Kind.UNREADABLE], 0)


def test_a_delivered_task_that_somebody_removed_by_hand(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "archive")
    router.deliver(task)
    shutil.rmtree(router.spool.entry(Stage.SUCCESS, task.id))
    report = verified()
    assert (kinds(report), report.exit_code) == ([Kind.VANISHED], 0)


# --- what cannot be checked -----------------------------------------------------------------------------------


def test_other_nodes_are_named_and_not_judged(
    router: ScriptedRouter, recorded: Recorder, database: Database, history_url: str, tmp_path: Path
) -> None:
    other = ScriptedRouter(tmp_path / "other", ManualClock())
    other.receive("9.9")
    other.take("9.9")
    record_all(Recorder(database, other.outbox, "node-b", other.clock))
    router.receive(SERIES)
    record_all(recorded)
    with Reader(history_url) as history:
        report = Verifier(router.spool, "node-a", history, router.clock).run()
    assert (report.findings, report.acknowledged, report.other_nodes) == ((), 1, ("node-b",))


def test_half_recorded_outboxes_count_each_image_once(
    router: ScriptedRouter, database: Database, history_url: str
) -> None:
    for number in range(10):
        router.receive(SERIES, number)
    Recorder(database, router.outbox, "node-a", router.clock, batch_lines=4).run_once()
    run_sql(database, "UPDATE outbox_positions SET position = 0")
    with Reader(history_url) as history:
        report = Verifier(router.spool, "node-a", history, router.clock).run()
    assert (report.acknowledged, report.before_routing, report.exit_code) == (10, 10, 0)


def test_without_a_history_the_spool_is_checked_and_the_rest_is_said_to_be_open(
    router: ScriptedRouter, tmp_path: Path, postgres_cluster: Cluster
) -> None:
    router.receive(SERIES, 1)
    router.receive(SERIES, 2)
    (task,) = router.route(router.take(SERIES), "archive")
    router.deliver(task, unconfirmed=[f"{SERIES}.2.dcm"])
    (tmp_path / "config").mkdir()

    for url in (f"sqlite://{tmp_path}/none.db", postgres_cluster.url("history")):
        report = verify(Root(tmp_path), Config(history=History(url=url)), router.clock)
        assert kinds(report) == [Kind.NOT_CONFIRMED]
        assert report.exit_code == 1
        assert len(report.unchecked) == 1
        assert report.unchecked[0].startswith("whether every acknowledged image is in the spool or was delivered: ")

    router.retire(task, Stage.SUCCESS)
    report = verify(Root(tmp_path), Config(history=History(url=url)), router.clock)
    assert (report.findings, report.exit_code) == ((), 2)


def test_a_history_that_goes_away_in_the_middle_is_said(
    router: ScriptedRouter, tmp_path: Path, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_cluster.server() as server:
        url = postgres_cluster.create_database()
        database = open_history(url)
        recorder = Recorder(database, router.outbox, "mercure", router.clock)
        router.receive(SERIES)
        record_all(recorder)
        recorder.close()
        look = SpoolWalk.look

        def look_and_lose_the_server(walk: SpoolWalk) -> SpoolWalk:
            server.kill()
            return look(walk)

        monkeypatch.setattr(SpoolWalk, "look", look_and_lose_the_server)
        report = verify(Root(tmp_path), Config(history=History(url=url)), router.clock)
    assert (report.exit_code, report.before_routing, len(report.unchecked)) == (2, 1, 1)


def test_the_report_is_data_too(router: ScriptedRouter, verified: VerifyFunction) -> None:
    lost = router.receive(SERIES)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    report = verified()
    told = json.loads(report.model_dump_json())
    assert told["findings"][0]["kind"] == "image lost"
    assert told["findings"][0]["image"] == lost.id
    assert Report.model_validate_json(report.model_dump_json()) == report
