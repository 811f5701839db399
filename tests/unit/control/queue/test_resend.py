"""Sending again: what is planned, what is put into the queue, and that nothing of it is doubled or goes astray."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from appliance.control.api.base import Nothing
from appliance.control.api.resend import BeginResend, OneResend, PlanResend, ResendPlan, ResendState
from appliance.control.configuration import setup
from appliance.control.errors import ControlError
from appliance.control.queue import resend
from appliance.control.queue.resend import ResendWorker
from appliance.control.registry import Asked
from appliance.control.roles import Caller
from appliance.control.session import Session
from mercure.config import Root
from mercure.event_details import Identity
from mercure.spool import Claim, LedgerLine, Stage, add_to_ledger, image_files, load_task, move, read_tags, save_task
from mercure.spool.task import Failure
from tests.support.box import Box, turn
from tests.support.incoming import make_images
from tests.support.tasks import place_task

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.api.base import Role
    from mercure.spool import Task

CT = 'tags.Modality == "CT"'
MR = 'tags.Modality == "MR"'
MODULES: Final[dict[str, Any]] = {"anon": {"runner": "command", "image": "/usr/bin/true"}}


def folders(*names: str) -> dict[str, Any]:
    return {name: {"kind": "folder", "path": f"/{name}"} for name in names}


@dataclass
class Desk:
    """A box with a router, and a person who sends again."""

    box: Box
    user: str = "anna"
    role: Role = "admin"
    workers: list[ResendWorker] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return Session(Root(self.box.root), self.user, clock=self.box.clock)

    @property
    def asked(self) -> Asked:
        return Asked(self.session, Caller(self.user, 0, self.role))

    def route(self) -> None:
        """Run a router until nothing is left to decide."""
        router = self.box.router()
        for _ in range(10):
            turn(router)
            self.box.clock.advance(10)

    def receive(self, count: int = 2, **tags: Any) -> None:
        """Receive a series and route it."""
        self.box.receive(make_images(count, **tags))
        self.route()

    def deliver(self) -> list[Task]:
        """Let all that waits in outgoing/ be confirmed by its target."""
        delivered = []
        for directory in self.box.tasks(Stage.OUTGOING):
            claim = Claim.take(directory)
            assert claim is not None
            with claim:
                task = load_task(directory)
                now = self.box.clock.now()
                lines = [
                    LedgerLine(
                        file=image.name, status="0x0000", time=now, target=task.target or "",
                        destination=f"folder:/{task.target}",
                    )
                    for image in image_files(directory)
                ]  # fmt: skip
                add_to_ledger(directory, lines)
                save_task(directory, task.model_copy(update={"finished": now}))
                move(self.box.spool, claim, Stage.SUCCESS)
                delivered.append(task)
        return delivered

    def plan(self, **wanted: Any) -> ResendPlan:
        return resend.plan(self.asked, PlanResend.model_validate(wanted))

    def begin(self, reason: str = "why", **wanted: Any) -> ResendState:
        digest = self.plan(**wanted).digest
        return resend.begin(self.asked, BeginResend.model_validate({**wanted, "digest": digest, "reason": reason}))

    def work(self) -> None:
        """Let the control service work on the jobs, and a router on what it put there."""
        ResendWorker(lambda: self.session).turn()
        self.route()

    def jobs(self) -> tuple[ResendState, ...]:
        return resend.list_(self.session, Nothing()).jobs

    def models(self, stage: Stage) -> list[Task]:
        return [load_task(path) for path in self.box.tasks(stage)]


@pytest.fixture
def desk(box: Box) -> Desk:
    box.configure(targets=folders("a", "b"), rules={"ct": {"rule": CT, "targets": ["a"]}})
    return Desk(box)


def test_a_delivered_series_goes_to_its_target_again(desk: Desk) -> None:
    desk.receive()
    (old,) = desk.deliver()
    plan = desk.plan(how="again", accession=None, tasks=[old.id[-8:]])
    assert (plan.series, plan.images, [(it.kind, it.name, it.series) for it in plan.goes]) == (
        1,
        2,
        [("target", "a", 1)],
    )
    desk.begin(how="again", tasks=[old.id])
    desk.work()
    (new,) = desk.models(Stage.OUTGOING)
    assert (new.target, new.late, new.images, new.bytes) == ("a", False, 2, old.bytes)
    assert new.id > old.id
    assert new.identity == old.identity
    assert new.origin == old.origin
    assert new.resent is not None
    assert (new.resent.by, new.resent.reason, new.resent.how) == ("anna", "why", "again")
    (kept,) = desk.models(Stage.SUCCESS)
    assert kept.id == old.id
    (told,) = desk.box.events("task.resent")
    assert (told.task, told.details["by"], told.details["reason"]) == (old.id, "anna", "why")
    assert new.parent == told.details["resent_as"]
    assert {event.details["parent"] for event in desk.box.events("task.created") if event.task == new.id} == {
        new.parent
    }
    assert desk.box.events("spool.recovered", "images.collided") == []
    (audit,) = desk.box.events("audit")
    assert (audit.details["by"], audit.details["verb"], audit.details["after"]["reason"]) == (
        "anna",
        "resend.begin",
        "why",
    )
    assert [(job.state, job.done, job.items) for job in desk.jobs()] == [("done", 1, 1)]


def test_the_tag_lines_keep_when_the_series_was_taken(desk: Desk) -> None:
    desk.receive()
    (old,) = desk.deliver()
    desk.begin(how="again", tasks=[old.id])
    desk.work()
    (path,) = desk.box.tasks(Stage.OUTGOING)
    assert {record["RoutedAs"][:21] for record in read_tags(path)} == {old.id[:21]}
    assert [record["SOPInstanceUID"] for record in read_tags(path)] == ["1.2.3.1", "1.2.3.2"]


def test_to_another_target_once_however_many_tasks_have_the_images(desk: Desk, box: Box) -> None:
    box.configure(targets=folders("a", "b", "c"), rules={"ct": {"rule": CT, "targets": ["a", "b"]}})
    desk.receive()
    assert len(desk.deliver()) == 2
    desk.begin(how="elsewhere", to=["c"], patient="P1")
    desk.work()
    (new,) = desk.models(Stage.OUTGOING)
    assert (new.target, new.images) == ("c", 2)


def test_a_discarded_series_is_decided_anew_and_is_no_late_arrival(desk: Desk, box: Box) -> None:
    box.configure(
        targets=folders("a"), rules={"ct": {"rule": 'tags.Modality == "TC"', "targets": ["a"], "late": "hold"}}
    )
    desk.receive(AccessionNumber="A1")
    desk.receive(AccessionNumber="A2", series="1.2.4", Modality="MR")
    assert [task.rules[0].rule for task in desk.models(Stage.DISCARD)] == ["(no rule)"] * 2
    before = [task.id for task in desk.models(Stage.DISCARD)]
    box.configure(targets=folders("a"), rules={"ct": {"rule": CT, "targets": ["a"], "late": "hold"}})
    plan = desk.plan(how="anew", rule="(no rule)")
    assert {(it.kind, it.name, it.series) for it in plan.goes} == {("target", "a", 1), ("discard", "(no rule)", 1)}
    desk.begin(how="anew", rule="(no rule)")
    desk.work()
    (new,) = desk.models(Stage.OUTGOING)
    assert (new.target, new.late, new.hold, new.images) == ("a", False, None, 2)
    assert [rule.rule for rule in new.rules] == ["ct"]
    assert {*before} < {task.id for task in desk.models(Stage.DISCARD)}
    completed = [event for event in box.events("series.completed") if event.details["reason"] == "resent"]
    assert [event.details["late"] for event in completed] == [False, False]
    # What comes later to the first is late all the same, and does not count the resend as an earlier one.
    desk.box.receive(make_images(1, first=9, AccessionNumber="A1"))
    desk.route()
    assert [task.late for task in desk.models(Stage.OUTGOING) if task.images == 1] == [True]


def test_off_peak_by_choice(desk: Desk) -> None:
    desk.receive()
    (old,) = desk.deliver()
    desk.begin(how="anew", tasks=[old.id], off_peak=True)
    desk.work()
    assert [task.priority for task in desk.models(Stage.OUTGOING)] == ["offpeak"]


def test_behind_live_traffic_in_the_queue(desk: Desk) -> None:
    from mercure.scheduling.queue import TaskQueue  # noqa: PLC0415

    desk.receive()
    (old,) = desk.deliver()
    desk.begin(how="again", tasks=[old.id])
    desk.work()
    desk.receive(series="1.2.9")
    queue = TaskQueue(desk.box.spool, lambda name, why: None)
    queue.scan()
    assert [task.resent is None for task in queue.waiting("a")] == [True, False]


class TestLeftOut:
    def test_a_target_that_is_deleted_while_the_job_runs(self, desk: Desk, box: Box) -> None:
        desk.receive()
        (old,) = desk.deliver()
        desk.begin(how="elsewhere", to=["b"], tasks=[old.id])
        box.configure(targets=folders("a"), rules={"ct": {"rule": CT, "targets": ["a"]}})
        desk.work()
        assert desk.models(Stage.OUTGOING) == []
        (job,) = desk.jobs()
        assert (job.state, [it.why for it in job.left]) == (
            "done",
            ["there is no target 'b' in the configuration any more"],
        )

    def test_a_target_that_is_not_there(self, desk: Desk) -> None:
        with pytest.raises(ControlError, match="no target 'nowhere'"):
            desk.plan(how="elsewhere", to=["nowhere"], patient="P1")

    def test_a_task_that_the_cleaner_removed_after_the_plan(self, desk: Desk) -> None:
        import shutil  # noqa: PLC0415

        desk.receive()
        (old,) = desk.deliver()
        desk.begin(how="again", tasks=[old.id])
        shutil.rmtree(desk.box.spool.entry(Stage.SUCCESS, old.id))
        desk.work()
        assert desk.models(Stage.OUTGOING) == []
        assert [it.why for it in desk.jobs()[0].left] == ["it is no longer on the disk"]

    def test_a_task_that_the_cleaner_is_just_removing_is_waited_for(self, desk: Desk) -> None:
        desk.receive()
        (old,) = desk.deliver()
        desk.begin(how="again", tasks=[old.id])
        claim = Claim.take(desk.box.spool.entry(Stage.SUCCESS, old.id))
        assert claim is not None
        with claim:
            desk.work()
            assert (desk.jobs()[0].state, desk.jobs()[0].done) == ("running", 0)
        desk.work()
        assert len(desk.models(Stage.OUTGOING)) == 1

    def test_what_a_rule_sends_only_processed(self, desk: Desk, box: Box) -> None:
        rules = {
            "ct": {"rule": CT, "targets": ["a"]},
            "research": {"rule": MR, "action": "process", "modules": ["anon"], "targets": ["b"]},
        }
        box.configure(targets=folders("a", "b"), rules=rules, modules=MODULES)
        desk.receive()
        desk.deliver()
        plan = desk.plan(how="elsewhere", to=["b"], patient="P1")
        assert (plan.series, [it.why for it in plan.left]) == (
            0,
            ["'b' gets images only processed, by rule 'research'"],
        )

    @pytest.mark.parametrize("to", ["b", "group", "alias", "chosen"])
    def test_nor_by_another_name_of_its_place(self, desk: Desk, box: Box, to: str) -> None:
        """A group with it, a target that is the same place, and what a module of the rule may choose."""
        targets = folders("a", "b", "c") | {
            "group": {"kind": "group", "members": ["c", "b"], "strategy": "failover"},
            "alias": {"kind": "folder", "path": "/b"},
            "chosen": {"kind": "folder", "path": "/chosen"},
        }
        modules = {"anon": {**MODULES["anon"], "routes_to": ["b", "chosen"]}}
        rules = {
            "ct": {"rule": CT, "targets": ["a"]},
            "research": {"rule": MR, "action": "process", "modules": ["anon"], "targets": ["b"]},
        }
        box.configure(targets=targets, rules=rules, modules=modules)
        desk.receive()
        (old,) = desk.deliver()
        plan = desk.plan(how="elsewhere", to=[to], tasks=[old.id])
        assert (plan.series, [it.why for it in plan.left]) == (
            0,
            [f"'{to}' gets images only processed, by rule 'research'"],
        )
        assert desk.plan(how="elsewhere", to=["c"], tasks=[old.id]).series == 1
        # What the module made goes there.
        directory = desk.box.spool.entry(Stage.SUCCESS, old.id)
        save_task(directory, load_task(directory).model_copy(update={"processed_by": ("anon",)}))
        assert desk.plan(how="elsewhere", to=[to], tasks=[old.id]).series == 1

    def test_nor_to_its_own_target_since_the_rule_was_changed(self, desk: Desk, box: Box) -> None:
        desk.receive()
        (old,) = desk.deliver()
        processed = {"rule": CT, "action": "process", "modules": ["anon"], "targets": ["a"]}
        box.configure(targets=folders("a"), rules={"ct": processed}, modules=MODULES)
        plan = desk.plan(how="again", tasks=[old.id])
        assert (plan.series, [it.why for it in plan.left]) == (0, ["'a' gets images only processed, by rule 'ct'"])
        assert [(it.kind, it.name) for it in desk.plan(how="anew", tasks=[old.id]).goes] == [("module", "anon")]

    def test_where_the_rule_sends_both_it_may_go_as_it_came(self, desk: Desk, box: Box) -> None:
        rules = {
            "ct": {"rule": CT, "targets": ["a"]},
            "ai": {"rule": CT, "action": "process", "modules": ["anon"], "targets": ["a"]},
        }
        box.configure(targets=folders("a", "b"), rules=rules, modules=MODULES)
        desk.receive()
        desk.deliver()
        assert desk.plan(how="elsewhere", to=["a"], patient="P1").series == 1
        assert desk.plan(how="again", stages=["success"], patient="P1").series == 1

    def test_what_a_module_made_is_not_decided_anew(self, desk: Desk) -> None:
        desk.receive()
        (old,) = desk.deliver()
        directory = desk.box.spool.entry(Stage.SUCCESS, old.id)
        save_task(directory, load_task(directory).model_copy(update={"processed_by": ("anon",)}))
        assert [it.why for it in desk.plan(how="anew", tasks=[old.id]).left] == [
            "a module made it: decide the series anew that went in"
        ]

    def test_an_older_version_stays_unless_asked_for(self, desk: Desk) -> None:
        desk.receive(1)
        (old,) = desk.deliver()
        (image,) = make_images(1)
        desk.box.receive([type(image)(image.sop, image.series, b"corrected", image.tags)])
        desk.route()
        desk.deliver()
        plan = desk.plan(how="again", tasks=[old.id])
        assert plan.series == 0
        assert [it.why for it in plan.left] == ["images of which there is a newer version stay behind: 1"]
        assert desk.plan(how="again", tasks=[old.id], older=True).series == 1
        assert desk.plan(how="again", patient="P1").series == 1

    def test_what_no_rule_gave_a_target(self, desk: Desk) -> None:
        desk.receive(Modality="MR")
        plan = desk.plan(how="again", patient="P1")
        assert plan.series == 0
        assert "decide it anew" in plan.left[0].why

    def test_nothing_selected_is_refused(self, desk: Desk) -> None:
        with pytest.raises(ControlError, match="nothing says"):
            desk.plan(how="again")
        with pytest.raises(ControlError, match="nothing says"):
            desk.plan(how="again", stages=["success"])

    def test_names_of_a_list_that_fit_nothing(self, desk: Desk) -> None:
        desk.receive(AccessionNumber="A1")
        desk.deliver()
        plan = desk.plan(how="again", listed=["A1", "=cmd()", "A2"])
        assert (plan.series, plan.not_found) == (1, ("=cmd()", "A2"))


class TestPeople:
    def test_targets_of_ones_own_choice_need_an_administrator(self, desk: Desk) -> None:
        desk.receive()
        (old,) = desk.deliver()
        desk.role = "operator"
        with pytest.raises(ControlError) as caught:
            desk.begin(how="elsewhere", to=["b"], tasks=[old.id])
        assert (caught.value.kind, caught.value.role) == ("not-allowed", "admin")
        assert desk.begin(how="again", tasks=[old.id]).state == "running"

    def test_two_people_at_once(self, desk: Desk) -> None:
        desk.receive()
        desk.deliver()
        digest = desk.plan(how="again", patient="P1").digest
        results: list[str] = []

        def order(user: str) -> None:
            other = Desk(desk.box, user=user)
            request = BeginResend(how="again", patient="P1", digest=digest)
            try:
                results.append(resend.begin(other.asked, request).by)
            except ControlError as error:
                results.append(error.kind)

        threads = [threading.Thread(target=order, args=(user,)) for user in ("anna", "bob")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(results)[-1] == "busy"
        assert len(desk.jobs()) == 1
        desk.work()
        assert len(desk.models(Stage.OUTGOING)) == 1
        # It is on its way: to send it once more must wait for that.
        assert "sends it already" in desk.plan(how="again", patient="P1").left[0].why

    def test_a_plan_that_is_not_so_any_more(self, desk: Desk) -> None:
        desk.receive()
        desk.deliver()
        digest = desk.plan(how="again", patient="P1").digest
        desk.receive(series="1.2.4")
        desk.deliver()
        with pytest.raises(ControlError, match="not what the plan said"):
            resend.begin(desk.asked, BeginResend(how="again", patient="P1", digest=digest))

    def test_pause_resume_and_stop(self, desk: Desk) -> None:
        for number in range(3):
            desk.receive(series=f"1.2.{number + 3}")
        desk.deliver()
        job = OneResend(job=desk.begin(how="again", patient="P1").id[-8:])
        assert resend.pause(desk.session, job).state == "paused"
        desk.work()
        assert desk.models(Stage.OUTGOING) == []
        assert resend.resume(desk.session, job).state == "running"
        assert resend.stop(desk.session, job).state == "stopped"
        desk.work()
        assert desk.models(Stage.OUTGOING) == []
        with pytest.raises(ControlError, match="has ended"):
            resend.resume(desk.session, job)
        assert {event.details["verb"] for event in desk.box.events("audit")} == {
            "resend.begin",
            "resend.pause",
            "resend.resume",
            "resend.stop",
        }

    def test_no_such_job(self, desk: Desk) -> None:
        with pytest.raises(ControlError, match="no job ends in"):
            resend.pause(desk.session, OneResend(job="ffffffff"))


def test_a_failed_task_is_retried_with_its_ledger(desk: Desk) -> None:
    """Images whose target confirmed part before are not sent again."""
    desk.receive(3)
    (directory,) = desk.box.tasks(Stage.OUTGOING)
    task = load_task(directory)
    now = desk.box.clock.now()
    add_to_ledger(
        directory, [LedgerLine(file="1.2.3.1.dcm", status="0x0000", time=now, target="a", destination="folder:/a")]
    )
    save_task(directory, task.model_copy(update={"failure": Failure(stage="outgoing", reason="full", at=now)}))
    directory.rename(desk.box.spool.entry(Stage.ERROR, task.id))
    desk.begin(how="again", tasks=[task.id])
    desk.work()
    (again,) = desk.box.tasks(Stage.OUTGOING)
    assert again.name == task.id
    assert (again / "ledger.jsonl").exists()
    assert desk.models(Stage.ERROR) == []


def fail(desk: Desk) -> Task:
    """Let what waits for a target fail."""
    (directory,) = desk.box.tasks(Stage.OUTGOING)
    task = load_task(directory)
    failure = Failure(stage="outgoing", reason="no such AE title", at=desk.box.clock.now())
    save_task(directory, task.model_copy(update={"failure": failure}))
    directory.rename(desk.box.spool.entry(Stage.ERROR, task.id))
    return task


def test_a_failed_task_is_decided_anew_by_query_and_stays(desk: Desk, box: Box) -> None:
    """A rule named the wrong target: once it is mended, all that failed there goes where it should."""
    desk.receive(2)
    failed = fail(desk)
    box.configure(targets=folders("a", "b"), rules={"ct": {"rule": CT, "targets": ["b"]}})
    query: dict[str, Any] = {"how": "anew", "stages": ["error"], "target": "a"}
    plan = desk.plan(**query)
    assert (plan.series, plan.images, plan.left) == (1, 2, ())
    assert [(it.kind, it.name, it.series) for it in plan.goes] == [("target", "b", 1)]
    desk.begin(**query)
    desk.work()
    (new,) = desk.models(Stage.OUTGOING)
    assert (new.target, new.images, new.late, new.failure) == ("b", 2, False, None)
    assert new.resent is not None
    assert new.resent.how == "anew"
    (kept,) = desk.models(Stage.ERROR)
    assert (kept.id, kept.failure is not None) == (failed.id, True)
    assert "sends it already" in desk.plan(**query).left[0].why


def test_what_failed_before_it_was_decided_goes_on_its_way_itself(desk: Desk, box: Box) -> None:
    box.configure(targets=folders("a"), rules={"bad": {"rule": "number(tags.PatientID) > 1", "targets": ["a"]}})
    desk.receive()
    stages = [stage for stage in (Stage.ERROR, Stage.DISCARD) if desk.box.tasks(stage)]
    box.configure(targets=folders("a"), rules={"ct": {"rule": CT, "targets": ["a"]}})
    desk.begin(how="anew", stages=[stage.value for stage in stages], patient="P1")
    desk.work()
    assert [task.target for task in desk.models(Stage.OUTGOING)] == ["a"]


def test_a_study_of_which_half_still_arrives(desk: Desk, box: Box) -> None:
    desk.receive(series="1.2.3")
    desk.deliver()
    box.receive(make_images(1, series="1.2.4"))
    plan = desk.plan(how="anew", study="1.2")
    assert (plan.series, plan.arriving) == (1, 1)
    desk.begin(how="anew", study="1.2")
    desk.work()
    found = {task.identity.SeriesInstanceUID: (task.images, task.late) for task in desk.models(Stage.OUTGOING)}
    assert found == {"1.2.3": (2, False), "1.2.4": (1, False)}


def test_a_collected_study_is_decided_anew_series_by_series(desk: Desk, box: Box) -> None:
    rules = {"s": {"rule": "True", "trigger": "study", "study": {"quiet_seconds": 5}, "targets": ["a"]}}
    box.configure(targets=folders("a"), rules=rules)
    box.receive([*make_images(2, series="1.2.3"), *make_images(1, series="1.2.4")])
    desk.route()
    (old,) = desk.deliver()
    assert (old.scope, old.images) == ("study", 3)
    desk.begin(how="again", study="1.2")
    desk.work()
    assert [(task.scope, task.images) for task in desk.models(Stage.OUTGOING)] == [("study", 3)]
    desk.deliver()
    box.configure(targets=folders("a"), rules={"ct": {"rule": CT, "targets": ["a"]}})
    assert desk.plan(how="anew", tasks=[old.id]).series == 2
    desk.begin(how="anew", tasks=[old.id])
    desk.work()
    found = {task.identity.SeriesInstanceUID: (task.images, task.late) for task in desk.models(Stage.OUTGOING)}
    assert found == {"1.2.3": (2, False), "1.2.4": (1, False)}


def test_some_images_alone(desk: Desk) -> None:
    desk.receive(3)
    (old,) = desk.deliver()
    desk.begin(how="again", tasks=[old.id], instances=["1.2.3.2"])
    desk.work()
    (path,) = desk.box.tasks(Stage.OUTGOING)
    assert [image.name for image in image_files(path)] == ["1.2.3.2.dcm"]
    assert load_task(path).images == 1


def test_a_full_disk_on_the_way(desk: Desk) -> None:
    from tests.support.faults import failing_at  # noqa: PLC0415

    desk.receive()
    desk.deliver()
    desk.begin(how="again", patient="P1")
    for step in (1, 3, 5):
        with failing_at(step, "ENOSPC", onward=True), suppress(OSError):
            ResendWorker(lambda: desk.session).turn()
    desk.work()
    assert [task.images for task in desk.models(Stage.OUTGOING)] == [2]
    assert desk.jobs()[0].state == "done"


@pytest.mark.slow
def test_ten_thousand_series(tmp_path: Path) -> None:
    session = Session(Root(tmp_path / "root"), "anna")
    setup.initialise(session)
    for number in range(10_000):
        place_task(session, Stage.SUCCESS, images=1, identity=Identity(PatientID="P1", SeriesInstanceUID=f"1.{number}"))
    asked = Asked(session, Caller("anna", 0, "operator"))
    plan = resend.plan(asked, PlanResend(how="again", patient="P1"))
    assert (plan.series, plan.images, plan.bytes) == (10_000, 10_000, 1_000_000)
    assert len(plan.model_dump_json()) < 1000
    resend.begin(asked, BeginResend(how="again", patient="P1", digest=plan.digest))
    worker = ResendWorker(lambda: session)
    for _ in range(5):
        worker.turn()
    # No router is there: no more are put into its queue than may be on their way.
    assert len(session.spool.names(Stage.ROUTING)) == 50
    (job,) = resend.list_(session, Nothing()).jobs
    assert (job.done, job.items, job.under_way) == (50, 10_000, 50)
