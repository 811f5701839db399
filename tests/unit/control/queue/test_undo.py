"""Undo: what a person did to a task is taken back, as long as that can be done, and never twice."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

import pytest

from appliance.control.api.queue import Changed
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure import durable
from mercure.events import Event
from mercure.spool import (
    Attempt,
    Failure,
    Hold,
    LedgerLine,
    Spool,
    Stage,
    Task,
    add_to_ledger,
    load_task,
    move,
    read_ledger,
    save_task,
)
from mercure.task_verbs import VerbName
from tests.support.faults import Crash, crash_at
from tests.support.tasks import NOW, PutTask, claim_of, events_of
from tests.support.verbs import change_task

FAILURE = Failure(stage="outgoing", reason="refused", advice="ask", at=NOW)
HOLD = Hold(by="bob", at=NOW, reason="wait for me")


@pytest.fixture
def session(session: Session) -> Session:
    path = session.root.path / "config" / "mercure.json"
    content = json.loads(path.read_text())
    content["targets"]["other"] = {"kind": "folder", "path": "/other"}
    path.write_text(json.dumps(content))
    return Session(session.root, "alice", clock=session.clock)


def model_of(spool: Spool, task: Task) -> tuple[Stage, Task]:
    stage = spool.find(task.id)
    assert stage is not None
    return stage, load_task(spool.entry(stage, task.id))


def undo(session: Session, task: Task) -> Changed:
    return change_task(session, "undo", task.id)


def do(session: Session, verb: VerbName, task: Task) -> None:
    change_task(session, verb, task.id, **({"target": "other"} if verb == "reroute" else {}))


def refused(session: Session, task: Task) -> str:
    with pytest.raises(ControlError) as caught:
        undo(session, task)
    return str(caught.value)


def told(session: Session) -> list[Event]:
    return [event for event in events_of(session) if event.type != "audit"]


CASES: dict[str, tuple[Stage, VerbName, dict[str, Any]]] = {
    "hold": (Stage.OUTGOING, "hold", {}),
    "hold of one that waits for its next attempt": (Stage.OUTGOING, "hold", {"next_attempt": NOW, "refusals": 3}),
    "hold in processing": (Stage.PROCESSING, "hold", {"action": "process", "target": None, "module": "m"}),
    "reroute": (
        Stage.OUTGOING,
        "reroute",
        {"refusals": 4, "first_attempt": NOW, "next_attempt": NOW, "doubtful": True},
    ),
    "reroute of a failed one": (Stage.ERROR, "reroute", {"failure": FAILURE, "finished": NOW, "refusals": 10}),
    "reroute of a held one": (Stage.OUTGOING, "reroute", {"hold": HOLD}),
    "reroute within a group": (Stage.OUTGOING, "reroute", {"member": "a"}),
    "discard": (Stage.OUTGOING, "discard", {"next_attempt": NOW}),
    "discard of a held one": (Stage.OUTGOING, "discard", {"hold": HOLD}),
    "discard of a failed one": (Stage.ERROR, "discard", {"failure": FAILURE, "finished": NOW}),
    "discard in processing": (Stage.PROCESSING, "discard", {"action": "process", "target": None, "module": "m"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_task_is_as_it_was_and_where_it_was(session: Session, put_task: PutTask, spool: Spool, case: str) -> None:
    stage, verb, fields = CASES[case]
    task = put_task(stage, **fields)
    do(session, verb, task)
    changed = undo(session, task)
    assert (changed.verb, changed.undone, changed.after) == ("undo", verb, stage)
    found, model = model_of(spool, task)
    assert (found, model.model_copy(update={"undo": None})) == (stage, task)
    assert "nothing was done to task" in refused(session, task)


@pytest.mark.parametrize(
    ("case", "types"),
    [
        ("hold", ["task.released"]),
        ("reroute", ["task.rerouted"]),
        ("reroute of a failed one", ["task.rerouted", "task.failed"]),
        ("reroute of a held one", ["task.rerouted", "task.held"]),
        ("discard", ["task.retried"]),
        ("discard of a held one", ["task.retried", "task.held"]),
        ("discard of a failed one", ["task.retried", "task.failed"]),
    ],
)
def test_it_is_told_by_events_that_every_release_knows_and_audited(
    session: Session, put_task: PutTask, case: str, types: list[str]
) -> None:
    stage, verb, fields = CASES[case]
    task = put_task(stage, **fields)
    do(session, verb, task)
    events_of(session)
    undo(session, task)
    events = events_of(session)
    found = [event for event in events if event.type != "audit"]
    assert [event.type for event in found] == types
    assert (found[0].details["by"], found[0].details["undone"]) == ("alice", verb)
    assert found[0].details.get("target") == ("delivered" if verb == "reroute" else None)
    (audit,) = (event for event in events if event.type == "audit")
    assert (audit.details["verb"], audit.details["after"]["undone"]) == ("queue.undo", verb)


@pytest.mark.parametrize("verb", ["retry", "release"])
def test_after_another_deed_there_is_nothing_to_undo(
    session: Session, put_task: PutTask, spool: Spool, verb: Any
) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "hold" if verb == "release" else "discard", task.id)
    change_task(session, verb, task.id)
    before = model_of(spool, task)
    assert "nothing was done to task" in refused(session, task)
    assert model_of(spool, task) == before


def test_only_the_last_deed_is_undone(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "hold", task.id)
    change_task(session, "discard", task.id)
    undo(session, task)
    stage, model = model_of(spool, task)
    assert (stage, model.hold is not None) == (Stage.OUTGOING, True)


def test_what_nobody_did_anything_to(session: Session, put_task: PutTask) -> None:
    for stage in (Stage.OUTGOING, Stage.ERROR, Stage.PROCESSING, Stage.DISCARD):
        assert "nothing was done to task" in refused(session, put_task(stage))


def test_what_is_delivered_or_deleted_meanwhile_is_refused_with_its_reason(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    delivered, deleted = put_task(Stage.OUTGOING), put_task(Stage.OUTGOING)
    change_task(session, "reroute", delivered.id, target="other")
    with claim_of(spool, Stage.OUTGOING, delivered) as claim:
        move(spool, claim, Stage.SUCCESS)
    with pytest.raises(ControlError) as caught:
        undo(session, delivered)
    assert "it was delivered" in caught.value.advice
    change_task(session, "discard", deleted.id)
    durable.remove_tree(spool.entry(Stage.DISCARD, deleted.id))
    with pytest.raises(ControlError) as caught:
        undo(session, deleted)
    assert caught.value.kind == "not-found"


def test_a_ledger_counts_again_at_the_old_target_and_what_the_new_one_has_stays_there(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    task = put_task(Stage.OUTGOING, images=3)
    directory = spool.entry(Stage.OUTGOING, task.id)

    def confirm(target: str, number: int) -> None:
        place = session.config.targets[target].destination()
        line = LedgerLine(file=f"1.2.3.{number}.dcm", status="0", time=NOW, target=target, destination=place)
        add_to_ledger(directory, [line])

    confirm("delivered", 0)
    change_task(session, "reroute", task.id, target="other")
    confirm("other", 1)
    attempt = Attempt(number=1, started=NOW, seconds=1, outcome="partial", kind="unreachable", sent=2, confirmed=1)
    save_task(directory, load_task(directory).with_attempt(attempt, NOW))
    ledger = (directory / "ledger.jsonl").read_bytes()
    undo(session, task)
    model = load_task(directory)
    assert (directory / "ledger.jsonl").read_bytes() == ledger
    assert (model.target, model.attempts_made, model.next_attempt) == ("delivered", 1, None)
    assert set(read_ledger(directory, {session.config.targets["delivered"].destination()})) == {"1.2.3.0.dcm"}


def test_one_that_failed_at_its_new_target_goes_back(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "reroute", task.id, target="other")
    with claim_of(spool, Stage.OUTGOING, task) as claim:
        save_task(claim.path, load_task(claim.path).model_copy(update={"failure": FAILURE, "finished": NOW}))
        move(spool, claim, Stage.ERROR)
    undo(session, task)
    stage, model = model_of(spool, task)
    assert (stage, model.target, model.failure, model.finished) == (Stage.OUTGOING, "delivered", None, None)


def test_a_target_that_is_gone_is_named_and_nothing_changes(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING, target="gone")
    change_task(session, "discard", task.id)
    assert "no target 'gone'" in refused(session, task)
    assert model_of(spool, task)[0] is Stage.DISCARD


def test_two_at_once_undo_it_once(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "discard", task.id)
    events_of(session)
    answers: list[str] = []

    def one() -> None:
        try:
            answers.append(undo(Session(session.root, "bob", clock=session.clock), task).verb)
        except ControlError as error:
            answers.append(error.kind)

    people = [threading.Thread(target=one) for _ in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert answers.count("undo") == 1
    assert set(answers) <= {"undo", "busy", "invalid", "not-found"}
    assert model_of(spool, task)[0] is Stage.OUTGOING
    assert [event.type for event in told(session)] == ["task.retried"]


def test_one_that_is_being_sent_is_left_alone(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "reroute", task.id, target="other")
    before = model_of(spool, task)
    with claim_of(spool, Stage.OUTGOING, task):
        assert "working on task" in refused(session, task)
    assert model_of(spool, task) == before


def test_one_that_was_killed_between_its_two_steps_is_undone_by_the_next(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    task = put_task(Stage.OUTGOING, hold=HOLD)
    change_task(session, "discard", task.id)
    with claim_of(spool, Stage.DISCARD, task) as claim:  # written, and not moved yet
        model = load_task(claim.path)
        assert model.undo is not None
        save_task(claim.path, model.undo.restored(model))
    undo(session, task)
    stage, model = model_of(spool, task)
    assert (stage, model.hold) == (Stage.OUTGOING, HOLD)


def test_one_whose_discarding_was_cut_off_is_held_and_can_be_released(
    session: Session, put_task: PutTask, spool: Spool
) -> None:
    task = put_task(Stage.OUTGOING)
    with crash_at(4), suppress(Crash):  # before its folder is moved
        change_task(session, "discard", task.id)
    stage, model = model_of(spool, task)
    assert (stage, model.hold, model.discarded) == (Stage.OUTGOING, model.discarded, model.hold)
    assert model.hold is not None
    change_task(session, "release", task.id)
    stage, model = model_of(spool, task)
    assert (stage, model.hold, model.discarded, model.finished) == (Stage.OUTGOING, None, None, None)


def test_a_release_before_passes_over_it(session: Session, put_task: PutTask, spool: Spool) -> None:
    task = put_task(Stage.OUTGOING)
    change_task(session, "hold", task.id)
    content = json.loads((spool.entry(Stage.OUTGOING, task.id) / "task.json").read_text())
    assert content.pop("undo")["verb"] == "hold"
    assert Task.model_validate(content).hold is not None


def test_its_note_of_a_newer_release_is_no_ground_to_undo_anything(session: Session, put_task: PutTask) -> None:
    for note in ({"verb": "merge", "stage": "outgoing"}, {"verb": "reroute", "target": "x", "stage": "elsewhere"}):
        task = put_task(Stage.OUTGOING, undo={**note, "by": "x", "at": NOW, "newer": 1})
        assert "nothing was done to task" in refused(session, task)
