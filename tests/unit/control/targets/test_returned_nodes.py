"""Whoever finds out that a target is back lets the dispatchers use it at once."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from appliance.control.api import targets as api
from appliance.control.session import Session
from appliance.control.targets import probe_send
from appliance.control.targets.returned_nodes import ReturnedNodes
from appliance.control.targets.targets import list_targets
from mercure.clock import ManualClock
from mercure.config import Retry
from mercure.delivery.acceptance import last_taken
from mercure.delivery.target_breaker import TargetBreaker, read_outage, target_folder
from mercure.event_details import AssociationOpened
from mercure.events import EventWriter
from mercure.spool import Spool, Stage
from mercure.targets import Trouble
from tests.support.control_session import edit
from tests.support.tasks import NOW, PutTask, events_of
from tests.support.verbs import asked, change_task, echo_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercure.clock import ManualClock

AWAY, FULL = Trouble("unreachable", "no route"), Trouble("unable", "status 0xA700")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def take_down(spool: Spool, trouble: Trouble, name: str = "delivered") -> None:
    target_folder(spool, name).mkdir(parents=True, exist_ok=True)
    TargetBreaker(spool, name).failed(trouble, Retry(), NOW, by_image=trouble is FULL)


def with_node(session: Session) -> Session:
    """Add a DICOM target at an address that belongs to nobody (RFC 5737)."""
    node = {"kind": "dicom", "host": "192.0.2.7", "port": 104, "called_aet": "PACS"}
    return edit(session, targets={**json.loads(session.store.mercure.path.read_text())["targets"], "pacs": node})


def ups(session: Session) -> int:
    return sum(event.type == "target.up" for event in events_of(session))


@pytest.fixture(params=["echo", "test send", "retry"])
def find_out(request: pytest.FixtureRequest, session: Session, put_task: PutTask) -> Callable[[], object]:
    """Give what a person does who finds out."""
    task = put_task(Stage.ERROR)
    ways: dict[str, Callable[[], object]] = {
        "echo": lambda: echo_target(session, "delivered"),
        "test send": lambda: probe_send.send(asked(session), api.TestSend(name="delivered")),
        "retry": lambda: change_task(session, "retry", task.id),
    }
    return ways[request.param]


def test_a_target_that_could_not_be_reached_is_used(
    session: Session, spool: Spool, find_out: Callable[[], object]
) -> None:
    take_down(spool, AWAY)
    events_of(session)
    find_out()
    assert read_outage(spool, "delivered") is None
    assert ups(session) == 1


def test_one_that_took_no_image_is_given_one(
    session: Session, spool: Spool, find_out: Callable[[], object], request: pytest.FixtureRequest
) -> None:
    """Only an image that it takes shows that it is back."""
    take_down(spool, FULL)
    find_out()
    outage = read_outage(spool, "delivered")
    if "test send" in request.node.name:
        assert outage is None
        assert last_taken(spool, "delivered") is not None
        return
    assert outage is not None
    assert outage.seconds_left(Retry(), session.clock.now()) == 0


@pytest.mark.parametrize(
    ("caller", "back"),
    [(("192.0.2.7", "ANY"), True), (("192.0.2.8", "PACS"), True), (("192.0.2.8", "OTHER"), False)],
)
def test_an_association_from_its_node(
    session: Session, spool: Spool, clock: ManualClock, caller: tuple[str, str], back: bool
) -> None:
    session = with_node(session)
    take_down(spool, AWAY, "pacs")
    nodes = ReturnedNodes()
    nodes.look(session)
    events = EventWriter(spool.stage(Stage.OUTBOX), "receiver", clock)
    events.emit(AssociationOpened(association="1", address=caller[0], calling_aet=caller[1]))
    nodes.look(session)
    events.close()
    nodes.close()
    assert (read_outage(spool, "pacs") is None) is back


def test_a_node_that_calls_all_the_time_is_not_tried_each_time(
    session: Session, spool: Spool, clock: ManualClock
) -> None:
    session = with_node(session)
    nodes = ReturnedNodes()
    events = EventWriter(spool.stage(Stage.OUTBOX), "receiver", clock)
    tried = []
    for _ in range(7):
        take_down(spool, AWAY, "pacs")
        nodes.look(session)
        events.emit(AssociationOpened(association="1", address="192.0.2.7", calling_aet="PACS"))
        nodes.look(session)
        tried.append(read_outage(spool, "pacs") is None)
        clock.advance(10)
    events.close()
    nodes.close()
    assert tried == [True, False, False, True, False, False, True]


def test_an_echo_that_fails_changes_nothing(session: Session, spool: Spool) -> None:
    take_down(spool, AWAY)
    shutil.rmtree(session.root.path / "delivered")
    echo_target(session, "delivered")
    assert read_outage(spool, "delivered") is not None


def test_a_target_that_is_well_is_not_told_to_be_back(session: Session, find_out: Callable[[], object]) -> None:
    events_of(session)
    find_out()
    assert ups(session) == 0


def test_a_disabled_target_is_not_down(session: Session, spool: Spool) -> None:
    take_down(spool, AWAY)
    path = session.store.mercure.path
    content = json.loads(path.read_text())
    content["targets"]["delivered"]["disabled"] = True
    path.write_text(json.dumps(content))
    (target,) = list_targets(Session(session.root, session.user, clock=session.clock))
    assert (target.disabled, target.outage) == (True, None)


def test_what_a_target_took_last_is_known(session: Session) -> None:
    (target,) = list_targets(session)
    assert target.taken is None
