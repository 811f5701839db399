"""Tasks: the model, its file, derivation by hard links, where they are found, and what can be told of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mercure.event_details import DETAILS
from mercure.seal import MEMBER, sealed
from mercure.spool import (
    Attempt,
    Claim,
    Failure,
    Spool,
    Stage,
    Task,
    TaskError,
    derive,
    image_files,
    image_refs,
    load_task,
    read_tags,
    save_task,
)
from mercure.spool.failed_tasks import fail_task
from mercure.spool.link import LinkSource
from mercure.spool.task import KEPT_ATTEMPTS
from mercure.spool.task_events import failed_key, task_created, task_delivered, task_failed
from tests.support.faults import Crash, counted, crash_at, failing_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARENT, CHILD = "20260301T120000000000-00000001", "20260301T120000000000-00000002"


def model(**fields: Any) -> Task:
    return Task.model_validate({"id": PARENT, "created": NOW, **fields})


def attempt(number: int) -> Attempt:
    return Attempt(number=number, started=NOW, seconds=1, outcome="failure", kind="refused", error="no", sent=1)


@pytest.fixture
def spool(box: Box) -> Spool:
    return box.spool


def routed(spool: Spool, images: int = 2) -> Path:
    directory = spool.entry(Stage.ROUTING, PARENT)
    directory.mkdir()
    names = [f"{number}.dcm" for number in range(1, images + 1)]
    for name in names:
        (directory / name).write_bytes(name.encode())
    lines = [json.dumps({"FileName": name, "ImageID": f"id-{name}"}) for name in names]
    (directory / "tags.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory


def test_a_task_reads_back_as_it_was_written(tmp_path: Path) -> None:
    task = model(
        identity={"PatientName": "Müller^Ж", "StudyInstanceUID": "1.2"},
        origin={"address": "::1", "associations": ["a", "b"], "first_received": NOW},
        rules=[{"rule": "r", "why": "True"}],
        hold={"by": "ann", "at": NOW},
        next_attempt=NOW + timedelta(seconds=1),
    ).with_attempt(attempt(1), NOW)
    save_task(tmp_path, task)
    assert load_task(tmp_path) == task
    assert json.loads((tmp_path / "task.json").read_bytes())["version"] == 1


def test_what_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    save_task(tmp_path, model())
    content = json.loads((tmp_path / "task.json").read_bytes())
    del content[MEMBER]
    (tmp_path / "task.json").write_bytes(sealed(json.dumps({**content, "colour": "blue"}).encode()))
    assert load_task(tmp_path) == model()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"version": 2}', b'{"id": 7}', b'{"id": "x", "created": "2026-01-01"}'],
)
def test_what_is_no_task_says_which_and_why(tmp_path: Path, content: bytes) -> None:
    directory = tmp_path / PARENT
    directory.mkdir()
    (directory / "task.json").write_bytes(content)
    with pytest.raises(TaskError, match=PARENT):
        load_task(directory)


def test_a_missing_model_and_a_missing_task_are_two_things(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="has no task"):
        load_task(tmp_path)
    for path in (tmp_path / "gone", tmp_path / "file"):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(FileNotFoundError):
            load_task(path)


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        model(next_attempt="2026-01-01T00:00:00")


def test_a_model_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        model().images = 3  # type: ignore[misc]  # that it is refused is the point


def test_the_last_attempts_are_kept_and_all_are_counted() -> None:
    task = model()
    for number in range(1, 31):
        task = task.with_attempt(attempt(number), None)
    assert (task.attempts_made, task.refusals, len(task.attempts)) == (30, 30, KEPT_ATTEMPTS)
    assert task.attempts[-1].number == 30


def test_sent_on_its_way_again_its_past_is_kept_and_its_limits_count_anew() -> None:
    failure = Failure(stage="outgoing", reason="no", at=NOW)
    task = model(failure=failure, finished=NOW, hold={"by": "a", "at": NOW}).with_attempt(attempt(1), NOW)
    again = task.model_copy(update={"failure": failure}).for_retry()
    assert (again.refusals, again.failure, again.finished, again.hold) == (0, None, None, None)
    assert (again.next_attempt, again.first_attempt) == (None, None)
    assert (again.attempts_made, len(again.attempts)) == (1, 1)


def derive_child(spool: Spool, parent: Path, stage: Stage = Stage.OUTGOING) -> bool:
    files = [image.name for image in image_files(parent)]
    return derive(spool, model(id=CHILD, images=2), spool.stage(stage), [LinkSource(parent, files)])


def test_a_derived_task_costs_no_copy(spool: Spool) -> None:
    parent = routed(spool)
    assert derive_child(spool, parent)
    child = spool.entry(Stage.OUTGOING, CHILD)
    for name in ("1.dcm", "2.dcm", "tags.jsonl"):
        assert (child / name).samefile(parent / name)
    assert load_task(child).id == CHILD
    assert [record["FileName"] for record in read_tags(child)] == ["1.dcm", "2.dcm"]


@pytest.mark.parametrize("stage", [Stage.PROCESSING, Stage.OUTGOING, Stage.SUCCESS, Stage.ERROR, Stage.DISCARD])
def test_a_second_run_leaves_it_alone_wherever_it_has_come_to(spool: Spool, stage: Stage) -> None:
    parent = routed(spool)
    spool.entry(stage, CHILD).mkdir()
    assert not derive_child(spool, parent)
    assert list(spool.entry(stage, CHILD).iterdir()) == []


def test_at_any_crash_it_is_whole_or_not_there_and_the_next_run_makes_it(spool: Spool) -> None:
    parent = routed(spool)
    child = spool.entry(Stage.OUTGOING, CHILD)
    with counted() as steps:
        derive_child(spool, parent)
    for number in range(1, len(steps) + 1):
        for path in (*spool.stage(Stage.OUTGOING).iterdir(),):
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        with crash_at(number), pytest.raises(Crash):
            derive_child(spool, parent)
        if child.exists():
            assert len(image_files(child)) == load_task(child).images == 2
        derive_child(spool, parent)
        assert len(image_files(child)) == load_task(child).images == 2
        assert [path.name for path in spool.stage(Stage.OUTGOING).iterdir()] == [CHILD]


def test_of_several_sources_the_first_holds_and_the_numbers_are_those_found(spool: Spool) -> None:
    parent = routed(spool)
    earlier = spool.entry(Stage.SUCCESS, "20260301T110000000000-00000001")
    earlier.mkdir()
    (earlier / "2.dcm").write_bytes(b"older")
    (earlier / "3.dcm").write_bytes(b"third")
    (earlier / "tags.jsonl").write_text('{"FileName": "3.dcm"}\n{"FileName": "2.dcm", "old": 1}\n', encoding="utf-8")
    sources = [LinkSource(parent, ["1.dcm", "2.dcm"]), LinkSource(earlier, ["2.dcm", "3.dcm"])]
    assert derive(spool, model(id=CHILD), spool.stage(Stage.OUTGOING), sources)
    child = spool.entry(Stage.OUTGOING, CHILD)
    assert (child / "2.dcm").read_bytes() == b"2.dcm"
    assert (load_task(child).images, load_task(child).bytes) == (3, 15)
    assert {record["FileName"]: record.get("old") for record in read_tags(child)} == dict.fromkeys(
        ["1.dcm", "2.dcm", "3.dcm"]
    )


def test_the_stages_are_made_once_and_durably(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a" / "b" / "spool")
    with counted() as steps:
        spool.create()
    assert {path.name for path in spool.root.iterdir()} == set(Stage)
    assert [operation for operation, _ in steps.taken].count("mkdir") == 3 + len(Stage)
    assert [operation for operation, _ in steps.taken].count("fsyncdir") == 3 + len(Stage)
    with counted() as steps:
        spool.create()
    assert steps.taken == []


def test_names_are_sorted_and_without_hidden_ones(spool: Spool) -> None:
    for name in ("b", "a", ".c"):
        spool.stage(Stage.ERROR).joinpath(name).mkdir()
    assert spool.names(Stage.ERROR) == ["a", "b"]
    assert Spool(spool.root / "nowhere").names(Stage.ERROR) == []


def test_tasks_and_where_one_is(spool: Spool) -> None:
    spool.entry(Stage.SUCCESS, PARENT).mkdir()
    spool.entry(Stage.SUCCESS, "folder").mkdir()
    spool.entry(Stage.OUTGOING, CHILD).mkdir()
    assert set(spool.tasks()) == {(Stage.OUTGOING, CHILD), (Stage.SUCCESS, PARENT)}
    assert list(spool.tasks([Stage.SUCCESS])) == [(Stage.SUCCESS, PARENT)]
    assert spool.find(PARENT) is Stage.SUCCESS
    assert spool.find(PARENT, [Stage.OUTGOING]) is None
    assert spool.find("20260301T120000000000-0000000f") is None


def test_the_events_of_a_task_come_from_its_files_alone(spool: Spool) -> None:
    parent = routed(spool)
    task = model(id=CHILD, action="route", target="pacs", images=2, bytes=10, rules=[{"rule": "r"}])
    created = task_created(task, Stage.OUTGOING, image_refs(parent))
    assert (created.stage, created.target, created.rules, len(created.images)) == ("outgoing", "pacs", ("r",), 2)
    (parent / "ledger.jsonl").write_text(
        json.dumps({"file": "1.dcm", "status": "0xB000", "time": NOW.isoformat(), "target": "pacs"}) + "\n",
        encoding="utf-8",
    )
    delivered = task_delivered(task, parent)
    assert [(image.file, image.status) for image in delivered.images] == [("1.dcm", "0xB000"), ("2.dcm", None)]
    for kind, details in (("task.created", created), ("task.delivered", delivered), ("task.failed", task_failed(task))):
        assert DETAILS[kind].model_validate_json(details.model_dump_json()) == details


def test_a_series_in_routing_is_no_derived_task() -> None:
    with pytest.raises(ValueError, match="series in routing"):
        task_created(model(), Stage.ROUTING, ())


def test_a_failure_is_told_with_reason_and_advice_and_each_has_its_name() -> None:
    failure = Failure(stage="routing", reason="why", advice="do", at=NOW)
    task = model(failure=failure)
    told = task_failed(task)
    assert (told.stage, told.reason, told.advice) == ("routing", "why", "do")
    assert task_failed(model()).reason
    later = task.model_copy(update={"failure": failure.model_copy(update={"at": NOW + timedelta(seconds=1)})})
    assert len({failed_key(task), failed_key(later), failed_key(task.with_attempt(attempt(1), None))}) == 3
    assert failed_key(task) == failed_key(task.model_copy())


@pytest.mark.parametrize("number", range(1, 9))
def test_a_failing_disk_leaves_a_task_that_fails_in_one_place(box: Box, number: int) -> None:
    task = box.waiting_task(1)
    events = box.context("dispatcher").events
    failure = Failure(stage="outgoing", reason="no", at=NOW)
    claim = Claim.take(task)
    assert claim is not None
    with claim, failing_at(number, "EIO") as steps:
        try:
            fail_task(box.spool, events, claim, load_task(task), failure)
        except OSError:
            assert len(steps) >= number
        assert (claim.path / "1.2.3.1.dcm").exists()
        assert claim.path == box.spool.entry(box.spool.find(task.name) or Stage.ERROR, task.name)
