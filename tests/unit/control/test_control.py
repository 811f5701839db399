"""The verbs that look: targets, rules, configuration, status, services of a router that does not run."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from appliance.control.alerts.health import status
from appliance.control.api.services import OneService, ScaleService
from appliance.control.configuration import files
from appliance.control.errors import ControlError
from appliance.control.rules.rules import list_rules
from appliance.control.services import actions
from appliance.control.session import Session
from appliance.control.targets.targets import list_targets
from appliance.supervision.client import ProcessInfo, SupervisorClient
from appliance.supervision.errors import SupervisionDeniedError
from mercure.clock import ManualClock
from mercure.config import Retry
from mercure.delivery.target_breaker import TargetBreaker, target_folder
from mercure.event_details import Warned
from mercure.events import EventWriter
from mercure.spool import Spool, Stage
from mercure.targets import Trouble
from tests.support.control_session import edit, record
from tests.support.tasks import NOW, PutTask, claim_of, events_of
from tests.support.verbs import asked, echo_target, scale_service

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


class TestTargets:
    def test_what_waits_and_failed_is_counted_by_target(
        self, session: Session, put_task: PutTask, spool: Spool
    ) -> None:
        put_task(Stage.OUTGOING)
        put_task(Stage.OUTGOING)
        put_task(Stage.ERROR)
        put_task(Stage.ERROR, target="gone")
        target_folder(spool, "delivered").mkdir(parents=True)
        TargetBreaker(spool, "delivered").failed(Trouble("unreachable", "no route"), Retry(), NOW)
        (target,) = list_targets(session)
        assert (target.name, target.kind, target.waiting, target.failed) == ("delivered", "folder", 2, 1)
        assert target.outage is not None
        assert target.outage.error == "no route"
        assert target.rules == ("everything",)

    def test_a_folder_that_is_there_and_one_that_is_not(self, session: Session) -> None:
        assert echo_target(session, "delivered").ok
        shutil.rmtree(session.root.path / "delivered")
        answer = echo_target(session, "delivered")
        assert not answer.ok
        assert "is not there" in answer.text

    def test_a_name_is_suggested_for_one_that_is_wrong(self, session: Session) -> None:
        with pytest.raises(ControlError, match="did you mean 'delivered'") as caught:
            echo_target(session, "deliverd")
        assert caught.value.kind == "not-found"
        with pytest.raises(ControlError, match="there are delivered"):
            echo_target(session, "pacs")


def test_rules_are_listed_in_their_order(session: Session) -> None:
    rule = {"rule": "True", "targets": ["delivered"]}
    edited = edit(session, rules={"zebra": rule, "ape": rule, "monkey": rule})
    assert [state.name for state in list_rules(edited)] == ["zebra", "ape", "monkey"]


class TestConfiguration:
    def test_what_is_in_force(self, session: Session) -> None:
        shown = files.show(session)
        assert (shown.mercure.revision, shown.mercure.author, shown.mercure.by_hand) == (1, "alice", False)
        assert shown.mercure.content["rules"]["everything"]["rule"] == "True"
        assert shown.services.content["router"] == {"instances": 1}

    def test_an_edit_by_hand_is_told(self, session: Session) -> None:
        assert files.show(edit(session, name="node2")).mercure.by_hand

    def test_a_broken_file_is_told_and_the_revision_that_goes_on_is_shown(self, session: Session) -> None:
        shown = files.show(edit(session, rulez={}, name="not a name"))
        assert shown.mercure.revision == 1
        assert "rules" in shown.mercure.content
        assert {problem.place for problem in shown.mercure.problems} == {"rulez", "name"}
        assert any("rules" in problem.advice for problem in shown.mercure.problems)

    def test_both_files_of_the_root_are_checked(self, session: Session) -> None:
        assert [item.valid for item in files.validate(session)] == [True, True]
        edit(session, name="")
        assert [item.valid for item in files.validate(session)] == [False, True]

    def test_a_file_anywhere_is_checked_by_its_name(self, session: Session, tmp_path: Path) -> None:
        other = tmp_path / "candidate.json"
        other.write_text('{"targets": {"pacs": {"kind": "dicom"}}}')
        (found,) = files.validate(session, other)
        assert not found.valid
        assert {problem.place for problem in found.problems} >= {"targets.pacs.host", "targets.pacs.port"}
        services_file = tmp_path / "services.json"
        services_file.write_text('{"router": {"instances": 2}}')
        assert files.validate(session, services_file)[0].valid

    def test_a_file_that_is_not_there(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(ControlError, match="there is no file"):
            files.validate(session, tmp_path / "none.json")


class TestStatus:
    def test_of_a_router_that_does_not_run(self, session: Session) -> None:
        found = status(session)
        assert not found.running
        assert {service.name for service in found.services} == {
            "receiver",
            "router",
            "processor",
            "dispatcher",
            "cleaner",
            "notifier",
            "bookkeeper",
            "page",
            "control",
            "listener",
        }
        assert "mercure run --root" in found.problems[0]

    def test_a_supervisor_that_cannot_be_asked_leaves_the_rest(
        self, session: Session, put_task: PutTask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: SupervisorClient) -> list[ProcessInfo]:
            raise SupervisionDeniedError("the router belongs to another user")

        monkeypatch.setattr(SupervisorClient, "processes", refuse)
        put_task(Stage.ERROR)
        found = status(session)
        assert found.running
        assert "belongs to another user" in found.problems[0]
        assert any("failed" in problem for problem in found.problems)

    def test_counts_and_ages(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        put_task(Stage.OUTGOING, age=10)
        put_task(Stage.OUTGOING, age=500)
        put_task(Stage.ERROR, age=20)
        folder = spool.entry(Stage.INCOMING, "1.2.3")
        folder.mkdir()
        os.utime(folder, (NOW.timestamp() - 5, NOW.timestamp() - 5))
        stages = {stage.stage: (stage.count, stage.oldest_seconds) for stage in status(session).stages}
        assert stages[Stage.OUTGOING] == (2, 500)
        assert stages[Stage.ERROR] == (1, 20)
        assert stages[Stage.INCOMING] == (1, 5)
        assert stages[Stage.SUCCESS] == (0, None)

    def test_open_associations_are_the_locked_folders(self, session: Session, put_task: PutTask, spool: Spool) -> None:
        task = put_task(Stage.RECEIVING)
        (spool.stage(Stage.RECEIVING) / "dead").mkdir()
        assert status(session).associations == 0
        with claim_of(spool, Stage.RECEIVING, task):
            assert status(session).associations == 1

    def test_what_needs_a_person_is_said(
        self, session: Session, put_task: PutTask, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_task(Stage.ERROR)
        put_task(Stage.QUARANTINE)
        target_folder(spool, "delivered").mkdir(parents=True)
        TargetBreaker(spool, "delivered").failed(Trouble("unreachable", "no route to host"), Retry(), NOW)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 2_000_000_000))
        text = "\n".join(status(edit(session, rulez={})).problems)
        for expected in ("failed", "could not be read", "no route to host", "getting full", "rulez"):
            assert expected in text

    @pytest.mark.parametrize(("free", "state"), [(10**11, "ok"), (2 * 10**9, "low"), (10**8, "refusing")])
    def test_the_disk(self, session: Session, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
        assert status(session).disk.state == state


class TestHistoryState:
    def test_one_that_is_not_made_yet(self, session: Session) -> None:
        found = status(session).history
        assert "not made yet" in found.problem

    def test_it_lags_by_what_is_not_recorded(self, session: Session, spool: Spool, clock: ManualClock) -> None:
        events = EventWriter(spool.stage(Stage.OUTBOX), "router", clock)

        def set_times() -> None:
            """Let the files be written now by the clock of the test; the kernel has another one."""
            for path in spool.stage(Stage.OUTBOX).iterdir():
                os.utime(path, (clock.now().timestamp(), clock.now().timestamp()))

        events.emit(Warned(text="one"))
        record(session)
        set_times()
        assert status(session).history.lag_seconds == pytest.approx(0, abs=1)
        clock.advance(3600)
        events.emit(Warned(text="two"))
        set_times()
        found = status(session)
        assert found.history.lag_seconds == pytest.approx(3600, abs=1)
        assert any("behind" in problem for problem in found.problems)
        events.close()


class TestServices:
    def test_of_a_router_that_does_not_run(self, session: Session) -> None:
        found = actions.list_services(session)
        assert [(state.name, state.configured, state.processes) for state in found][:2] == [
            ("receiver", 1, ()),
            ("router", 1, ()),
        ]

    def test_a_verb_says_that_it_does_not_run(self, session: Session) -> None:
        with pytest.raises(ControlError) as caught:
            actions.stop(asked(session), OneService(name="router"))
        assert caught.value.kind == "not-running"
        assert "mercure run" in caught.value.advice

    def test_an_unknown_service_is_named_with_a_suggestion(self, session: Session) -> None:
        with pytest.raises(ControlError, match="did you mean 'router'") as caught:
            actions.stop(asked(session), OneService(name="rooter"))
        assert caught.value.kind == "not-found"
        with pytest.raises(ControlError):
            scale_service(session, "version", 2)

    def test_scaling_is_saved_audited_and_counts_later(self, session: Session) -> None:
        done = actions.scale(asked(session), ScaleService(name="dispatcher", instances=3))
        assert (done.before, done.after, done.revision, done.applied) == (1, 3, 2, False)
        again = Session(session.root, "alice")
        assert again.services.value.dispatcher.instances == 3
        events = events_of(session)
        assert [event.type for event in events] == ["config.saved", "audit"]
        assert events[0].details["comment"] == "services.json: dispatcher: 1 to 3 processes"
        assert events[1].details["before"]["dispatcher"] == {"instances": 1}
        assert events[1].details["after"]["dispatcher"] == {"instances": 3}

    def test_scaling_to_what_it_is_saves_nothing(self, session: Session) -> None:
        assert scale_service(session, "dispatcher", 1) == 1
        assert events_of(session) == []

    @pytest.mark.parametrize(("name", "instances"), [("receiver", 2), ("router", 33), ("router", -1)])
    def test_a_number_that_cannot_be(self, session: Session, name: str, instances: int) -> None:
        with pytest.raises(ControlError) as caught:
            scale_service(session, name, instances)
        assert caught.value.kind == "invalid"
        assert name in caught.value.text

    def test_two_who_scale_at_once(self, session: Session) -> None:
        other = Session(session.root, "bob")
        assert (session.services.revision, other.services.revision) == (1, 1)
        scale_service(session, "router", 2)
        with pytest.raises(ControlError, match="by alice") as caught:
            scale_service(other, "router", 4)
        assert caught.value.kind == "stale"
        assert Session(session.root, "x").services.value.router.instances == 2
