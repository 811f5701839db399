"""What verify tells besides losses: what is worth a look, and what it could not check."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.config import Config, Root
from mercure.config.models import HistorySettings
from mercure.history.database import open_history, run_sql
from mercure.history.reader import Reader
from mercure.history.recorder import Recorder
from mercure.history.verify import Kind, Report, Verifier, verify
from mercure.history.verify.spool_walk import SpoolWalk
from mercure.spool import Stage
from tests.support.recording import kinds, record_all
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from tests.support.postgres import Cluster
    from tests.support.recording import VerifyFunction

SERIES = "1.2.3"


# --- worth a look


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


# --- what cannot be checked


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
        report = verify(Root(tmp_path), Config(history=HistorySettings(url=url)), router.clock)
        assert kinds(report) == [Kind.NOT_CONFIRMED]
        assert report.exit_code == 1
        assert len(report.unchecked) == 1
        assert report.unchecked[0].startswith("whether every acknowledged image is in the spool or was delivered: ")

    router.retire(task, Stage.SUCCESS)
    report = verify(Root(tmp_path), Config(history=HistorySettings(url=url)), router.clock)
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
        report = verify(Root(tmp_path), Config(history=HistorySettings(url=url)), router.clock)
    assert (report.exit_code, report.before_routing, len(report.unchecked)) == (2, 1, 1)


def test_the_report_is_data_too(router: ScriptedRouter, verified: VerifyFunction) -> None:
    lost = router.receive(SERIES)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    report = verified()
    told = json.loads(report.model_dump_json())
    assert told["findings"][0]["kind"] == "image lost"
    assert told["findings"][0]["image"] == lost.id
    assert Report.model_validate_json(report.model_dump_json()) == report
