"""Rerouting, forcing a study, alerts, waiting in line and the reference page: what the control API adds to the rest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.api_reference import page
from appliance.control import api
from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.health import status
from appliance.control.api.services import ProcessState, ServiceState
from appliance.control.queue import task_actions
from appliance.control.queue.entries import list_queue
from appliance.control.rpc.client import Client, ControlError
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.config.alerts import StuckAlert
from mercure.delivery.target_outage import TargetOutage
from mercure.event_details import Identity
from mercure.names import id_time
from mercure.spool import Failure, Stage, load_task, save_task
from mercure.spool.images import LedgerLine, add_to_ledger
from tests.support.control_server import Served
from tests.support.tasks import claim_of, events_of, place_task
from tests.support.verbs import change_task
from tests.unit.control.requests import TARGET

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "control-api.md"


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m appliance.cli.api_reference > docs/reference/control-api.md"


@pytest.fixture
def two_targets(session: Session) -> Session:
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    content["targets"] = {**content["targets"], "other": TARGET, "inline": {**TARGET, "order": "study"}}
    config = session.store.parse(content)
    session.store.mercure.save(config, author="alice", comment="", edited_from=1)
    return Session(session.root, "alice")


@pytest.mark.parametrize("stage", [Stage.OUTGOING, Stage.ERROR])
def test_a_rerouted_task_goes_to_the_other_target(two_targets: Session, stage: Stage) -> None:
    session = two_targets
    now = session.clock.now()
    failed = Failure(stage="outgoing", reason="refused", at=now) if stage is Stage.ERROR else None
    task = place_task(session, stage, failure=failed, refusals=9, member="m")
    line = LedgerLine(file="1.2.3.0.dcm", sop="1", status="0x0000", time=now, target="delivered")
    add_to_ledger(session.spool.entry(stage, task.id), [line])
    changed = change_task(session, "reroute", task.id, "the archive moved", target="other")
    assert (changed.before, changed.after, changed.target) == (stage, Stage.OUTGOING, "other")
    found = load_task(session.spool.entry(Stage.OUTGOING, task.id))
    assert (found.target, found.member, found.refusals, found.failure) == ("other", None, 0, None)
    assert task_actions.show(session, api.queue.OneTask(task=task.id)).confirmed == 0, (
        "what the old target confirmed does not count for the new one"
    )
    rerouted, audit = events_of(session)
    assert (rerouted.type, rerouted.details["target"]) == ("task.rerouted", "other")
    assert audit.details["before"]["target"] == "delivered"


@pytest.mark.parametrize(
    ("stage", "target", "fields", "text"),
    [
        (Stage.OUTGOING, "nowhere", {}, "there is no target"),
        (Stage.OUTGOING, "delivered", {}, "already"),
        (Stage.SUCCESS, "other", {}, "it was delivered"),
        (Stage.DISCARD, "other", {}, "discarded"),
        (Stage.ROUTING, "other", {"action": "complete", "target": None}, "not on its way"),
        (Stage.ERROR, "other", {"action": "complete", "target": None}, "goes to no target"),
    ],
)
def test_a_task_that_cannot_be_rerouted_stays(
    two_targets: Session, stage: Stage, target: str, fields: dict[str, Any], text: str
) -> None:
    task = place_task(two_targets, stage, **fields)
    before = load_task(two_targets.spool.entry(stage, task.id))
    with pytest.raises(ControlError) as caught:
        change_task(two_targets, "reroute", task.id, target=target)
    assert text in str(caught.value)
    assert load_task(two_targets.spool.entry(stage, task.id)) == before


def test_a_task_that_is_being_sent_is_not_rerouted(two_targets: Session) -> None:
    task = place_task(two_targets, Stage.OUTGOING)
    claim = claim_of(two_targets.spool, Stage.OUTGOING, task)
    with claim, pytest.raises(ControlError) as caught:
        change_task(two_targets, "reroute", task.id, target="other")
    assert caught.value.kind == "busy"


def test_a_held_task_stays_held_at_its_new_target(two_targets: Session) -> None:
    task = place_task(two_targets, Stage.OUTGOING)
    change_task(two_targets, "hold", task.id)
    change_task(two_targets, "reroute", task.id, target="other")
    assert load_task(two_targets.spool.entry(Stage.OUTGOING, task.id)).hold is not None


def test_the_queue_says_what_a_task_waits_for(two_targets: Session) -> None:
    identity = Identity(StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3")
    first, second = (
        place_task(two_targets, Stage.OUTGOING, age=age, target="inline", identity=identity) for age in (60, 30)
    )
    place_task(two_targets, Stage.OUTGOING, age=20, identity=identity)
    found = {entry.id: entry.waits_for for entry in list_queue(two_targets).entries}
    assert found[second.id] == first.id
    assert [waits for name, waits in found.items() if name != second.id] == [None, None]


def test_a_study_is_completed_on_a_persons_word(client: Client, session: Session) -> None:
    with pytest.raises(ControlError, match="no study"):
        client.call(api.queue.FORCE_STUDY, api.queue.ForceStudy(study="1.2"))
    folder = session.spool.entry(Stage.STUDIES, "1.2+mr")
    folder.mkdir()
    task = place_task(session, Stage.OUTGOING, action="collect", target=None, study_rule="mr")
    session.spool.entry(Stage.OUTGOING, task.id).rename(folder / task.id)
    forced = client.call(api.queue.FORCE_STUDY, api.queue.ForceStudy(study="1.2", reason="urgent"))
    (routed,) = forced.tasks
    assert session.spool.entry(Stage.ROUTING, routed).is_dir()
    (audit,) = events_of(session)
    assert (audit.details["verb"], audit.details["object"]) == ("queue.force_study", "1.2+mr")


class TestAlerts:
    def kinds(self, found: api.status.Status) -> set[str]:
        return {alert.kind for alert in alerts_of(found).alerts}

    def well(self, session: Session) -> api.status.Status:
        process = ProcessState(name="router_00", state="running", pid=1)
        service = ServiceState(name="router", configured=1, processes=(process,))
        found = status(session).model_copy(update={"running": True, "services": (service,)})
        history = found.history.model_copy(update={"problem": "", "lag_seconds": 0.0})
        return found.model_copy(update={"history": history})

    def test_when_all_is_well_there_are_none(self, session: Session) -> None:
        assert alerts_of(self.well(session)).alerts == ()

    @pytest.mark.parametrize(
        ("state", "told"),
        [("failed", ["crash-loop"]), ("retrying", ["service"]), ("stopped", ["service"]), ("starting", [])],
    )
    def test_a_crashing_process_is_told(self, session: Session, state: str, told: list[str]) -> None:
        found = self.well(session)
        process = found.services[0].processes[0].model_copy(update={"state": state, "problem": "why"})
        services = (found.services[0].model_copy(update={"processes": (process,)}),)
        alerts = alerts_of(found.model_copy(update={"services": services})).alerts
        assert [alert.key for alert in alerts] == [f"{kind}:router_00" for kind in told]

    def test_each_source_is_told_and_the_worst_first(self, session: Session) -> None:
        found = self.well(session)
        outage = TargetOutage(since=found.time, failures=3, until=found.time, kind="unreachable", error="refused")
        counts = {
            Stage.ERROR: (2, 60.0),
            Stage.QUARANTINE: (1, 60.0),
            Stage.OUTGOING: (5, StuckAlert().outgoing_seconds + 1),
        }
        stages = tuple(
            stage.model_copy(
                update=dict(zip(("count", "oldest_seconds"), counts.get(stage.stage, (0, None)), strict=True))
            )
            for stage in found.stages
        )
        bad = found.model_copy(
            update={
                "outages": (api.status.OutageState(target="pacs", outage=outage),),
                "stages": stages,
                "disk": found.disk.model_copy(update={"refuse_below_bytes": found.disk.free_bytes + 1}),
                "history": found.history.model_copy(update={"lag_seconds": 100.0}),
                "config": found.config.model_copy(update={"problems": ("rules.mr: wrong",)}),
            }
        )
        alerts = alerts_of(bad).alerts
        kinds = ["disk", "outage", "failed", "configuration", "stuck", "quarantine", "history"]
        assert [alert.kind for alert in alerts] == kinds
        assert [alert.severity for alert in alerts] == ["critical"] * 4 + ["warning"] * 3
        assert len({alert.key for alert in alerts}) == len(alerts)
        stuck = next(alert for alert in alerts if alert.kind == "stuck")
        assert stuck.since == found.time - timedelta(seconds=StuckAlert().outgoing_seconds + 1)


def test_a_task_is_changed_in_the_name_of_the_caller(client: Client, served: Served, session: Session) -> None:
    task = place_task(session, Stage.OUTGOING)
    client.call(api.queue.HOLD, api.queue.ChangeTask(task=task.id[-8:], reason="why"))
    held, audit = events_of(session)
    assert held.service == audit.service == "control"
    assert audit.details["by"] == client.whoami().user
    assert id_time(held.id) >= task.created
    directory = session.spool.entry(Stage.OUTGOING, task.id)
    save_task(directory, load_task(directory).model_copy(update={"hold": None}))
    with pytest.raises(ControlError, match="is not held"):
        client.call(api.queue.RELEASE, api.queue.ChangeTask(task=task.id))
