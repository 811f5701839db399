from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any, Literal

import pytest

from appliance.control.api.queue import ListQueue
from appliance.control.locks import Held
from appliance.control.queue.entries import list_queue
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.config import Retry
from mercure.delivery.target_breaker import TargetBreaker, target_folder
from mercure.event_details import FailureKind
from mercure.spool import Attempt, Claim, Failure, Hold, Spool, Stage
from mercure.targets import Trouble
from tests.support.tasks import NOW, PutTask, claim_of


def test_the_oldest_comes_first_whatever_its_stage(session: Session, put_task: PutTask) -> None:
    young = put_task(Stage.ERROR, age=10, failure=Failure(stage="outgoing", reason="refused", at=NOW))
    old = put_task(Stage.OUTGOING, age=1000)
    middle = put_task(Stage.ROUTING, age=100, action="complete", target=None)
    found = list_queue(session)
    assert [entry.id for entry in found.entries] == [old.id, middle.id, young.id]
    assert [entry.age_seconds for entry in found.entries] == [1000, 100, 10]
    assert [entry.state for entry in found.entries] == ["waiting", "deciding", "failed"]
    assert found.entries[2].error == "refused"


def test_what_is_finished_is_not_listed_unless_asked_for(session: Session, put_task: PutTask) -> None:
    put_task(Stage.SUCCESS)
    discarded = put_task(Stage.DISCARD)
    assert list_queue(session).total == 0
    found = list_queue(session, ListQueue(stages=(Stage.DISCARD,))).entries
    assert [(entry.id, entry.state) for entry in found] == [(discarded.id, "discarded")]


def test_what_is_finished_does_not_wait(session: Session, put_task: PutTask) -> None:
    delivered, divided = put_task(Stage.SUCCESS), put_task(Stage.SUCCESS, target=None, action="complete")
    found = list_queue(session, ListQueue(stages=(Stage.SUCCESS,))).entries
    assert {entry.id: entry.state for entry in found} == {delivered.id: "delivered", divided.id: "done"}
    assert list_queue(session, ListQueue(stages=(Stage.SUCCESS,), states=("waiting",))).total == 0
    assert list_queue(session, ListQueue(stages=(Stage.SUCCESS,), text="delivered")).total == 1


def test_each_state(session: Session, put_task: PutTask, spool: Spool) -> None:
    attempt = Attempt(number=1, started=NOW, seconds=1, outcome="failure", error="refused the image")
    retrying = put_task(Stage.OUTGOING, next_attempt=NOW + timedelta(minutes=5), attempts=(attempt,), attempts_made=1)
    held = put_task(Stage.OUTGOING, hold=Hold(by="bob", at=NOW))
    running = put_task(Stage.OUTGOING)
    overdue = put_task(Stage.OUTGOING, next_attempt=NOW - timedelta(minutes=5))
    with claim_of(spool, Stage.OUTGOING, running):
        found = {entry.id: entry for entry in list_queue(session).entries}
    assert found[retrying.id].state == "retrying"
    assert found[retrying.id].next_attempt == NOW + timedelta(minutes=5)
    assert found[retrying.id].error == "refused the image"
    assert (found[held.id].state, found[held.id].held_by) == ("held", "bob")
    assert found[running.id].state == "running"
    assert (found[overdue.id].state, found[overdue.id].next_attempt) == ("waiting", None)


def test_a_target_that_is_down_is_told_with_each_of_its_tasks(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    task = put_task(Stage.OUTGOING)
    target_folder(spool, "delivered").mkdir(parents=True)
    TargetBreaker(spool, "delivered").failed(Trouble("unreachable", "refuses the connection"), Retry(), NOW)
    entry = list_queue(session).entries[0]
    assert (entry.id, entry.state, entry.error) == (task.id, "retrying", "refuses the connection")
    assert entry.next_attempt == NOW + timedelta(seconds=Retry().first_seconds)


def failed_at(stage: str, reason: str = "no") -> Failure:
    return Failure(stage=stage, reason=reason, at=NOW)


def tried(kind: FailureKind | None, outcome: Literal["failure", "success"] = "failure") -> dict[str, Any]:
    attempt = Attempt(number=1, started=NOW, seconds=1, outcome=outcome, kind=kind, error="no")
    return {"attempts": (attempt,), "attempts_made": 1}


def test_the_cause_says_whose_problem_an_error_is(session: Session, put_task: PutTask, spool: Spool) -> None:
    tasks: dict[str, str | None] = {
        put_task(Stage.ERROR, failure=failed_at("outgoing"), **tried("refused")).id: "refused",
        put_task(Stage.ERROR, failure=failed_at("outgoing"), **tried("altered")).id: "altered",
        put_task(Stage.OUTGOING, **tried("timeout")).id: "timeout",
        put_task(Stage.ERROR, failure=failed_at("outgoing")).id: None,
        put_task(Stage.ERROR, target=None, action="complete", failure=failed_at("routing")).id: "rules",
        put_task(Stage.ERROR, target=None, action="complete", failure=failed_at("studies")).id: "rules",
        put_task(Stage.ERROR, target=None, module="m", action="process", failure=failed_at("processing")).id: "module",
        put_task(Stage.PROCESSING, target=None, module="m", action="process", **tried("local")).id: "module",
        put_task(Stage.OUTGOING, **tried(None, "success")).id: None,
        put_task(Stage.OUTGOING).id: None,
    }
    unreadable = put_task(Stage.ERROR)
    (spool.entry(Stage.ERROR, unreadable.id) / "task.json").write_text("{")
    found = list_queue(session, ListQueue(shape=True))
    assert {entry.id: entry.cause for entry in found.entries} == tasks | {unreadable.id: "unreadable"}
    counts = {(it.cause, it.name): it.count for it in found.causes}
    assert counts["rules", ""] == 2
    assert counts["module", "m"] == 2
    assert counts["refused", "delivered"] == 1
    assert sum(counts.values()) == len([cause for cause in tasks.values() if cause]) + 1


def test_the_outage_of_a_target_is_the_cause_before_what_was_tried_once(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    waiting = put_task(Stage.OUTGOING, **tried("refused"))
    failed = put_task(Stage.ERROR, failure=failed_at("outgoing"), **tried("refused"))
    target_folder(spool, "delivered").mkdir(parents=True)
    TargetBreaker(spool, "delivered").failed(Trouble("unreachable", "refuses the connection"), Retry(), NOW)
    causes = {entry.id: entry.cause for entry in list_queue(session).entries}
    assert causes == {waiting.id: "unreachable", failed.id: "refused"}


def test_a_series_that_still_arrives(session: Session, spool: Spool) -> None:
    folder = spool.entry(Stage.INCOMING, "1.2.3")
    folder.mkdir()
    (folder / "1.2.3.4.dcm").write_bytes(b"xx")
    os.utime(folder / "1.2.3.4.dcm", (NOW.timestamp() - 30, NOW.timestamp() - 30))
    entry = list_queue(session).entries[0]
    assert (entry.id, entry.state, entry.images, entry.bytes, entry.age_seconds) == ("1.2.3", "arriving", 1, 2, 30)


def test_a_series_that_waits_for_its_study(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING, action="collect", target=None)
    study = spool.entry(Stage.STUDIES, "1.2+rule")
    study.mkdir()
    spool.entry(Stage.OUTGOING, task.id).rename(study / task.id)
    assert [(entry.id, entry.state) for entry in list_queue(session).entries] == [(task.id, "collecting")]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ListQueue(target="delivered"), {"a", "b"}),
        (ListQueue(target="archive"), {"c"}),
        (ListQueue(states=("failed",)), {"b"}),
        (ListQueue(states=("failed", "waiting"), target="delivered"), {"a", "b"}),
        (ListQueue(stages=(Stage.OUTGOING,)), {"a", "c"}),
    ],
)
def test_filters(session: Session, put_task: PutTask, wanted: ListQueue, expected: set[str]) -> None:
    names = {
        put_task(Stage.OUTGOING).id: "a",
        put_task(Stage.ERROR).id: "b",
        put_task(Stage.OUTGOING, target="archive").id: "c",
    }
    assert {names[entry.id] for entry in list_queue(session, wanted).entries} == expected


def test_a_limit_leaves_the_total(session: Session, put_task: PutTask) -> None:
    for age in range(5):
        put_task(Stage.OUTGOING, age=age)
    found = list_queue(session, ListQueue(limit=2))
    assert (found.total, len(found.entries)) == (5, 2)
    assert found.entries[0].age_seconds == 4


def test_a_task_whose_model_cannot_be_read_is_listed(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING, age=7)
    (spool.entry(Stage.OUTGOING, task.id) / "task.json").write_text("[]")
    entry = list_queue(session).entries[0]
    assert (entry.id, entry.state) == (task.id, "failed")
    assert "cannot be read" in entry.error


def test_what_is_being_built_is_not_listed(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    spool.entry(Stage.OUTGOING, task.id).rename(spool.stage(Stage.OUTGOING) / f".{task.id}.new")
    (spool.stage(Stage.OUTGOING) / "lost+found").mkdir()
    assert list_queue(session).total == 0


def test_listing_takes_no_lock(
    session: Session, put_task: PutTask, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_task(Stage.OUTGOING)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a lock was taken")

    monkeypatch.setattr(Claim, "take", refuse)
    monkeypatch.setattr("fcntl.flock", refuse)
    assert list_queue(session).total == 1


def test_ten_thousand_tasks_are_listed_in_seconds(session: Session, clock: ManualClock, put_task: PutTask) -> None:
    for number in range(10_000):
        put_task(Stage.OUTGOING, age=number, images=0)
    start = time.process_time()
    found = list_queue(session, ListQueue(limit=50))
    assert found.total == 10_000
    assert time.process_time() - start < 5  # measured: 0.6 s


class TestHeld:
    def test_a_lock_is_seen_and_its_end_too(self, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING)
        directory = spool.entry(Stage.OUTGOING, task.id)
        assert directory not in Held()
        with claim_of(spool, Stage.OUTGOING, task):
            assert directory in Held()
        assert directory not in Held()

    def test_what_is_not_there_is_not_held(self, spool: Spool) -> None:
        assert spool.entry(Stage.OUTGOING, "gone") not in Held()

    def test_odd_lines_are_passed_over(self, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING)
        assert spool.entry(Stage.OUTGOING, task.id) not in Held("1: -> FLOCK\n\nx\n2: POSIX a b c d e f\n")
