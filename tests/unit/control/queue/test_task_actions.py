from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.control.api.queue import OneTask
from appliance.control.errors import ControlError
from appliance.control.queue import task_actions
from appliance.control.session import Session
from mercure import durable
from mercure.clock import ManualClock
from mercure.names import derived_id
from mercure.spool import Attempt, Failure, Hold, Spool, Stage, Task, load_task
from mercure.spool.task_events import discarded_key
from mercure.task_verbs import VerbName as Verb
from tests.support.tasks import NOW, PutTask, claim_of, events_of
from tests.support.verbs import change_task

FAILURE = Failure(stage="outgoing", reason="refused", advice="ask", at=NOW)
HOLD = Hold(by="bob", at=NOW, reason="wait for me")


def stage_of(spool: Spool, task: Task) -> Stage | None:
    return spool.find(task.id)


def model_of(spool: Spool, task: Task) -> Task:
    stage = stage_of(spool, task)
    assert stage is not None
    return load_task(spool.entry(stage, task.id))


def refused(session: Session, verb: Verb, task: str) -> ControlError:
    with pytest.raises(ControlError) as caught:
        change_task(session, verb, task)
    return caught.value


class TestFind:
    def test_by_id_and_by_its_end(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.OUTGOING)
        assert task_actions.find_task(session, task.id) == (task.id, Stage.OUTGOING)
        assert task_actions.find_task(session, task.id[-8:]) == (task.id, Stage.OUTGOING)

    def test_in_a_study(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING, action="collect")
        study = spool.entry(Stage.STUDIES, "1.2+rule")
        study.mkdir()
        spool.entry(Stage.OUTGOING, task.id).rename(study / task.id)
        assert task_actions.find_task(session, task.id) == (task.id, Stage.STUDIES)
        assert task_actions.find_task(session, task.id[-8:]) == (task.id, Stage.STUDIES)
        assert task_actions.show(session, OneTask(task=task.id)).stage is Stage.STUDIES

    @pytest.mark.parametrize("name", ["20260101T000000000000-00000000", "ffffffff", "../etc", "abcd/efgh"])
    def test_what_is_not_there(self, session: Session, name: str) -> None:
        with pytest.raises(ControlError) as caught:
            task_actions.find_task(session, name)
        assert caught.value.kind == "not-found"

    def test_too_short_and_ambiguous_ends_are_refused(self, session: Session, put_task: PutTask) -> None:
        first = put_task(Stage.OUTGOING, id="20261121T110000000000-0000abcd")
        second = put_task(Stage.ERROR, id="20261121T110000000001-0001abcd")
        with pytest.raises(ControlError, match="at least its last 4") as caught:
            task_actions.find_task(session, "bcd")
        assert caught.value.kind == "invalid"
        with pytest.raises(ControlError, match="2 tasks end in 'abcd'") as caught:
            task_actions.find_task(session, "abcd")
        assert first.id in str(caught.value)
        assert second.id in str(caught.value)


class TestShow:
    def test_all_that_is_known(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.OUTGOING, images=3)
        detail = task_actions.show(session, OneTask(task=task.id))
        assert detail.task == task
        assert detail.files == ("1.2.3.0.dcm", "1.2.3.1.dcm", "1.2.3.2.dcm")
        assert (detail.bytes, detail.confirmed, detail.running, detail.problem) == (300, 0, False, "")

    def test_one_that_is_worked_on(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING)
        with claim_of(spool, Stage.OUTGOING, task):
            assert task_actions.show(session, OneTask(task=task.id)).running

    def test_one_whose_model_cannot_be_read(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.ERROR)
        (spool.entry(Stage.ERROR, task.id) / "task.json").write_text("{")
        detail = task_actions.show(session, OneTask(task=task.id))
        assert detail.task is None
        assert "task.json" in detail.problem
        assert len(detail.files) == 2


class TestHoldAndRelease:
    def test_held_and_released(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING)
        changed = change_task(session, "hold", task.id, "patient moved")
        assert (changed.before, changed.after) == (Stage.OUTGOING, Stage.OUTGOING)
        held = model_of(spool, task)
        assert held.hold == Hold(by="alice", at=NOW, reason="patient moved")
        change_task(session, "release", task.id)
        assert model_of(spool, task) == task

    def test_it_is_told_and_audited(self, session: Session, put_task: PutTask, clock: ManualClock) -> None:
        task = put_task(Stage.OUTGOING)
        change_task(session, "hold", task.id, "patient moved")
        clock.advance(1)
        change_task(session, "release", task.id)
        events = events_of(session)
        assert [(event.type, event.task, event.service) for event in events] == [
            ("task.held", task.id, "cli"),
            ("audit", task.id, "cli"),
            ("task.released", task.id, "cli"),
            ("audit", task.id, "cli"),
        ]
        assert events[0].details == {"by": "alice", "reason": "patient moved"}
        assert events[0].series == "1.2.3"
        assert events[1].details["verb"] == "queue.hold"

    def test_a_dispatcher_that_watches_the_stage_is_woken(
        self, session: Session, put_task: PutTask, spool: Spool
    ) -> None:
        task = put_task(Stage.OUTGOING)
        directory = spool.entry(Stage.OUTGOING, task.id)
        os.utime(directory, (0, 0))
        change_task(session, "hold", task.id)
        assert directory.stat().st_mtime > 0

    def test_twice_is_refused(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.OUTGOING, hold=HOLD)
        assert "held already, by bob" in refused(session, "hold", task.id).text
        other = put_task(Stage.OUTGOING)
        assert refused(session, "release", other.id).kind == "invalid"


class TestRetry:
    def test_a_failed_task_goes_back_with_its_limits_anew(
        self, session: Session, put_task: PutTask, spool: Spool
    ) -> None:
        attempt = Attempt(number=7, started=NOW, seconds=1, outcome="failure", kind="refused", error="no")
        task = put_task(
            Stage.ERROR,
            failure=FAILURE,
            finished=NOW,
            refusals=7,
            attempts_made=7,
            attempts=(attempt,),
            first_attempt=NOW,
            hold=HOLD,
        )
        changed = change_task(session, "retry", task.id, "port corrected")
        assert (changed.before, changed.after, changed.target) == (Stage.ERROR, Stage.OUTGOING, "delivered")
        again = model_of(spool, task)
        assert stage_of(spool, task) is Stage.OUTGOING
        assert (again.failure, again.finished, again.hold, again.refusals, again.first_attempt) == (
            None,
            None,
            None,
            0,
            None,
        )
        assert again.attempts_made == 7  # attempts are numbered through a task's whole life
        assert [event.type for event in events_of(session)] == ["task.retried", "audit"]

    def test_a_waiting_task_is_due_now(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.OUTGOING, next_attempt=NOW + timedelta(hours=1))
        change_task(session, "retry", task.id)
        assert model_of(spool, task).next_attempt is None

    @pytest.mark.parametrize(("action", "home"), [("process", Stage.PROCESSING), ("complete", Stage.ROUTING)])
    def test_it_goes_back_to_where_it_belongs(
        self, session: Session, put_task: PutTask, spool: Spool, action: str, home: Stage
    ) -> None:
        task = put_task(Stage.ERROR, action=action, target=None, failure=FAILURE)
        change_task(session, "retry", task.id)
        assert stage_of(spool, task) is home

    def test_what_a_person_discarded_can_be_brought_back(
        self, session: Session, put_task: PutTask, spool: Spool
    ) -> None:
        task = put_task(Stage.OUTGOING)
        change_task(session, "discard", task.id)
        change_task(session, "retry", task.id)
        assert stage_of(spool, task) is Stage.OUTGOING
        assert model_of(spool, task) == task

    def test_what_a_rule_discarded_cannot(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.DISCARD, action="discard", target=None)
        assert "discarded by a rule" in refused(session, "retry", task.id).text

    def test_a_held_one_is_released_first(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.OUTGOING, hold=HOLD)
        error = refused(session, "retry", task.id)
        assert (error.kind, error.advice) == ("invalid", "release it first")

    def test_a_target_that_is_gone_is_named(self, session: Session, put_task: PutTask) -> None:
        task = put_task(Stage.ERROR, target="archive", failure=FAILURE)
        assert "no target 'archive'" in refused(session, "retry", task.id).text

    def test_an_unreadable_one_is_left_alone(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.ERROR)
        (spool.entry(Stage.ERROR, task.id) / "task.json").unlink()
        assert refused(session, "retry", task.id).kind == "failed"
        assert stage_of(spool, task) is Stage.ERROR


class TestDiscard:
    @pytest.mark.parametrize("stage", [Stage.OUTGOING, Stage.PROCESSING, Stage.ERROR])
    def test_it_is_kept_with_who_and_why(self, session: Session, put_task: PutTask, spool: Spool, stage: Stage) -> None:
        task = put_task(stage, hold=HOLD, next_attempt=NOW)
        changed = change_task(session, "discard", task.id, "sent twice")
        assert changed.after is Stage.DISCARD
        kept = model_of(spool, task)
        assert kept.discarded == Hold(by="alice", at=NOW, reason="sent twice")
        assert (kept.finished, kept.hold, kept.next_attempt) == (NOW, None, None)
        assert len(list(spool.entry(Stage.DISCARD, task.id).glob("*.dcm"))) == 2

    def test_it_is_told_as_the_cleaner_would_tell_it_again(
        self, session: Session, put_task: PutTask, spool: Spool
    ) -> None:
        task = put_task(Stage.OUTGOING)
        change_task(session, "discard", task.id, "sent twice")
        told = events_of(session)[0]
        note = model_of(spool, task).discarded
        assert note is not None
        assert (told.type, told.details) == ("task.discarded", {"by": "alice", "reason": "sent twice"})
        assert told.id == derived_id(task.id, discarded_key(note))


ALL_VERBS: tuple[Verb, ...] = ("hold", "release", "retry", "discard")


class TestEveryVerb:
    @pytest.mark.parametrize("verb", ALL_VERBS)
    def test_a_task_that_is_worked_on_is_left_alone(
        self, session: Session, put_task: PutTask, spool: Spool, verb: Verb
    ) -> None:
        task = put_task(Stage.OUTGOING)
        with claim_of(spool, Stage.OUTGOING, task):
            assert refused(session, verb, task.id).kind == "busy"
        assert model_of(spool, task) == task
        assert events_of(session) == []

    @pytest.mark.parametrize("verb", ALL_VERBS)
    def test_a_delivered_one_is_refused(self, session: Session, put_task: PutTask, spool: Spool, verb: Verb) -> None:
        task = put_task(Stage.SUCCESS, finished=NOW)
        error = refused(session, verb, task.id)
        assert error.kind == "invalid"
        assert error.advice
        assert stage_of(spool, task) is Stage.SUCCESS

    @pytest.mark.parametrize("verb", ALL_VERBS)
    def test_one_that_is_not_decided_is_refused(self, session: Session, put_task: PutTask, verb: Verb) -> None:
        assert refused(session, verb, put_task(Stage.ROUTING, action="complete").id).kind == "invalid"

    @pytest.mark.parametrize("verb", ALL_VERBS)
    def test_a_spool_of_somebody_else_is_not_touched(
        self, session: Session, put_task: PutTask, spool: Spool, verb: Verb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = put_task(Stage.OUTGOING, hold=HOLD if verb == "release" else None)
        if verb == "retry":
            task = put_task(Stage.ERROR, failure=FAILURE)
        owner = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        error = refused(session, verb, task.id)
        assert error.kind == "not-allowed"
        assert "sudo -u" in error.advice
        assert model_of(spool, task) == task


@pytest.mark.parametrize("fault", ["ENOSPC@1+", "EIO@3+", "EROFS@5+"])
def test_a_disk_that_refuses_leaves_the_task_in_one_place(
    session: Session, put_task: PutTask, spool: Spool, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    task = put_task(Stage.ERROR, failure=FAILURE)
    monkeypatch.setenv("MERCURE_FAULT", fault)
    durable.reload_faults()
    try:
        with pytest.raises(OSError, match=r"MERCURE_FAULT|could not be written"):
            change_task(session, "retry", task.id)
    finally:
        monkeypatch.delenv("MERCURE_FAULT")
        durable.reload_faults()
    places = [stage for stage in Stage if spool.entry(stage, task.id).is_dir()]
    assert len(places) == 1
    assert len(list(spool.entry(places[0], task.id).glob("*.dcm"))) == 2
    if places == [Stage.ERROR]:
        change_task(session, "retry", task.id)
    assert stage_of(spool, task) is Stage.OUTGOING


def test_the_clock_is_the_session_s(session: Session, put_task: PutTask, spool: Spool, clock: ManualClock) -> None:
    task = put_task(Stage.OUTGOING)
    clock.advance(3600)
    change_task(session, "hold", task.id)
    held = model_of(spool, task).hold
    assert held is not None
    assert held.at == NOW + timedelta(hours=1)


def test_nothing_outside_the_spool_is_reached(session: Session, tmp_path: Path) -> None:
    outside = tmp_path / "20261121T110000000000-0000abcd"
    outside.mkdir()
    with pytest.raises(ControlError):
        task_actions.show(session, OneTask(task=f"../../../{outside.name}"))
