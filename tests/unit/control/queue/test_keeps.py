"""Keeps by a person: what can be kept, until when and how much; who may; and what is told of it."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.control.api.base import Nothing
from appliance.control.api.keep import AddKeep, KeepState, RemoveKeep
from appliance.control.api.queue import ListQueue
from appliance.control.disk import kept_state
from appliance.control.errors import ControlError
from appliance.control.queue import keeps
from appliance.control.queue.entries import list_queue
from appliance.control.session import Session
from mercure.clock import Clock, ManualClock
from mercure.event_details import Identity
from mercure.spool import FiredRule, Hold, Spool, Stage
from mercure.spool.keeps import read_keeps
from tests.support.tasks import PutTask, events_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = 86400.0


@pytest.fixture
def clock() -> Clock:
    return ManualClock(NOW)


def keep(session: Session, days: float = 14, reason: str = "a second look", **what: Any) -> KeepState:
    until = session.clock.now() + timedelta(days=days)
    return keeps.add(session, AddKeep(until=until, reason=reason, **what))


def with_ceiling(session: Session, most: int) -> Session:
    """Return a session at a router whose ceiling is so many bytes."""
    path = session.root.path / "config" / "mercure.json"
    content = json.loads(path.read_text())
    percent = (most + 0.5) * 100 / shutil.disk_usage(session.spool.root).total
    content["retention"] = {"keep_percent": percent}
    path.write_text(json.dumps(content))
    return Session(session.root, session.user, clock=session.clock)


def test_a_keep_is_written_told_audited_and_listed(session: Session, spool: Spool, put_task: PutTask) -> None:
    task = put_task(Stage.SUCCESS, rules=(FiredRule(rule="ct"),), finished=NOW)
    made = keep(session, task=task.id[-8:])
    assert (made.task, made.by, made.tasks, made.bytes, made.seconds_left) == (task.id, "alice", 1, 200, 14 * DAY)
    (written,) = read_keeps(spool).keeps
    assert (written.id, written.reason, written.until) == (made.id, "a second look", NOW + timedelta(days=14))
    added, audit = events_of(session)
    assert (added.type, added.task, added.details["by"], added.details["reason"]) == (
        "keep.added", task.id, "alice", "a second look",
    )  # fmt: skip
    assert (audit.details["verb"], audit.details["object"], audit.details["after"]["task"]) == (
        "keep.add", made.id, task.id,
    )  # fmt: skip
    found = keeps.list_(session, Nothing())
    assert [entry.id for entry in found.entries] == [made.id]
    assert (found.keeps, found.bytes, found.beyond) == (1, 200, 0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "one task, study, patient or accession number"),
        ({"study": "1.2", "patient": "P1"}, "one task, study, patient or accession number"),
        ({"patient": "P1", "days": 0}, "not in the future"),
        ({"patient": "P1", "days": -3}, "not in the future"),
        ({"patient": "P1", "days": 367}, "within 366 days"),
        ({"patient": "P1", "reason": "  "}, "a reason"),
        ({"patient": "  "}, "blank"),
        ({"patient": "P2"}, "nothing of patient P2"),
        ({"study": "9.9"}, "nothing of study 9.9"),
        ({"task": "20261121T110000000000-00000000"}, "no task"),
    ],
)
def test_what_is_refused_leaves_nothing(
    session: Session, spool: Spool, put_task: PutTask, wanted: dict[str, Any], said: str
) -> None:
    put_task(Stage.SUCCESS)
    with pytest.raises(ControlError, match=said):
        keep(session, **wanted)
    assert read_keeps(spool).keeps == ()
    assert events_of(session) == []


def test_an_end_and_a_reason_must_be_given() -> None:
    for missing in (
        {"reason": "x"},
        {"until": NOW},
        {"until": NOW, "reason": ""},
        {"until": "2026-12-24", "reason": "x"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            AddKeep.model_validate({"patient": "P1", **missing})


def test_a_study_of_which_half_still_waits_is_kept_as_a_whole(session: Session, put_task: PutTask) -> None:
    who = Identity(PatientID="P1", StudyInstanceUID="1.2")
    put_task(Stage.OUTGOING, identity=who)
    made = keep(session, study="1.2")
    assert (made.tasks, made.bytes) == (0, 0)
    put_task(Stage.SUCCESS, identity=who)
    (entry,) = keeps.list_(session, Nothing()).entries
    assert (entry.tasks, entry.bytes) == (1, 200)


def test_more_than_the_ceiling_is_refused_and_what_waits_counts(session: Session, put_task: PutTask) -> None:
    session = with_ceiling(session, 500)
    for number, stage in enumerate((Stage.SUCCESS, Stage.DISCARD, Stage.OUTGOING)):
        put_task(stage, identity=Identity(PatientID=f"P{number}"))
    for patient in ("P0", "P1"):
        keep(session, patient=patient)
    with pytest.raises(ControlError, match="600 B") as caught:
        keep(session, patient="P2")
    assert caught.value.kind == "too-much"
    assert len(read_keeps(session.spool).keeps) == 2


def test_what_comes_later_does_not_take_the_room_of_what_is_kept(session: Session, put_task: PutTask) -> None:
    session = with_ceiling(session, 300)
    who = Identity(PatientID="P1")
    old = put_task(Stage.SUCCESS, identity=who, finished=NOW)
    keep(session, patient="P1")
    late = put_task(Stage.SUCCESS, identity=who, age=0, finished=NOW)
    state = kept_state(session)
    assert (state.bytes, state.beyond) == (400, 1)
    entries = {entry.id: entry for entry in list_queue(session, ListQueue(stages=(Stage.SUCCESS,))).entries}
    assert entries[old.id].kept_until is not None
    assert entries[late.id].kept_until is None


def test_two_people_at_once_are_both_written_and_stay_under_the_ceiling(session: Session, put_task: PutTask) -> None:
    session = with_ceiling(session, 300)
    for number in range(4):
        put_task(Stage.SUCCESS, identity=Identity(PatientID=f"P{number}"))
    refused: list[ControlError] = []

    def one(number: int) -> None:
        try:
            keep(Session(session.root, f"user{number}", clock=session.clock), patient=f"P{number}")
        except ControlError as error:
            refused.append(error)

    people = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(read_keeps(session.spool).keeps) == 1
    assert len(refused) == 3


def test_two_keeps_of_one_thing_both_hold(session: Session, put_task: PutTask) -> None:
    put_task(Stage.SUCCESS)
    first, second = keep(session, patient="P1"), keep(session, days=30, patient="P1")
    keeps.remove(session, RemoveKeep(keep=first.id, reason="done"))
    (left,) = keeps.list_(session, Nothing()).entries
    assert left.id == second.id
    types = [(event.type, event.details.get("verb")) for event in events_of(session)]
    assert {("keep.removed", None), ("audit", "keep.remove")} <= set(types)
    with pytest.raises(ControlError, match="no keep ends"):
        keeps.remove(session, RemoveKeep(keep=first.id))


def test_one_that_cannot_be_read_is_named_and_can_be_removed(session: Session, spool: Spool, put_task: PutTask) -> None:
    put_task(Stage.SUCCESS)
    made = keep(session, patient="P1")
    (spool.stage(Stage.STATE) / "keeps" / f"{made.id}.json").write_bytes(b"\0" * 30)
    found = keeps.list_(session, Nothing())
    assert (found.unreadable, found.entries) == ((made.id,), ())
    keeps.remove(session, RemoveKeep(keep=made.id[-8:]))
    assert keeps.list_(session, Nothing()).unreadable == ()


def test_the_list_says_why_and_when_it_is_removed(session: Session, put_task: PutTask, clock: ManualClock) -> None:
    by_rule = put_task(Stage.DISCARD, action="discard", target=None, rules=(FiredRule(rule="(no rule)"),), finished=NOW)
    by_anna = put_task(
        Stage.DISCARD, rules=(FiredRule(rule="ct"),), discarded=Hold(by="anna", at=NOW, reason="a test"), finished=NOW
    )
    waiting = put_task(Stage.OUTGOING)
    list_queue(session, ListQueue(stages=(Stage.DISCARD,)))  # the time lived through begins to count
    clock.advance(DAY)
    entries = {
        entry.id: entry for entry in list_queue(session, ListQueue(stages=(Stage.DISCARD, Stage.OUTGOING))).entries
    }
    assert (entries[by_rule.id].why, entries[by_anna.id].why) == ("(no rule)", "discarded by anna: a test")
    assert entries[by_rule.id].seconds_left == pytest.approx(6 * DAY, abs=5)
    assert (entries[waiting.id].seconds_left, entries[waiting.id].why) == (None, "")
    keep(session, days=30, task=by_rule.id)
    entries = {entry.id: entry for entry in list_queue(session, ListQueue(stages=(Stage.DISCARD,))).entries}
    assert entries[by_rule.id].seconds_left == pytest.approx(30 * DAY, abs=5)
    assert entries[by_rule.id].kept_until == clock.now() + timedelta(days=30)
    assert entries[by_anna.id].kept_until is None
    assert [entry.id for entry in list_queue(session, ListQueue(stages=(Stage.DISCARD,), text="no rule")).entries] == [
        by_rule.id
    ]


def test_an_accession_number_stands_for_its_one_study(session: Session, put_task: PutTask) -> None:
    def put(study: str, accession: str) -> None:
        identity = Identity(StudyInstanceUID=study, AccessionNumber=accession, PatientID="P1")
        put_task(Stage.SUCCESS, identity=identity, finished=NOW)

    put("1.2", "A77 ")
    put("1.2", "A77")
    put("1.3", "B1")
    put("1.4", "B1")
    put("1.5", "")
    made = keep(session, accession="A77")
    assert (made.study, made.patient, made.tasks) == ("1.2", "", 2)
    for accession, words in (("B1", "2 studies have"), ("A7", "nothing with"), (" ", "nothing with")):
        with pytest.raises(ControlError, match=words):
            keep(session, accession=accession)
    with pytest.raises(ControlError, match="one task, study, patient or accession"):
        keep(session, accession="A77", study="1.2")
    assert [one.study for one in keeps.list_(session, Nothing()).entries] == ["1.2"]
