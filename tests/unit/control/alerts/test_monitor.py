"""What the status page asks, at a real control service: the role viewer is enough, and needed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.control.api import traffic as api
from appliance.control.rpc.client import Client, ControlError
from appliance.control.session import Session
from appliance.status_page.source import RouterLook, find_exam
from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.recorder import Recorder
from tests.support.control_server import AsRole, Served
from tests.support.history import START, Outbox, Told

TOLD = Told(number=7, images=3, targets=("archive", "research"))


@pytest.fixture
def recorded(served: Served, session: Session) -> Served:
    """A root whose history knows one exam."""
    database = open_history(session.root.history_url(session.config))
    outbox = Outbox(session.root.path / "told")
    try:
        migrate(database, ManualClock())
        outbox.put(TOLD.all())
        while Recorder(database, outbox.folder, session.config.name, ManualClock()).run_once().any:
            pass
    finally:
        outbox.close()
        disconnect(database)
    return served


def test_a_viewer_sees_all_that_the_page_shows(recorded: Served, as_role: AsRole) -> None:
    as_role("viewer")
    settings, seen = RouterLook(recorded.root)()
    assert settings.masked
    assert seen.flow is not None
    (sender,) = seen.flow.senders.senders
    assert (sender.calling_aet, sender.address) == ("CT1", "10.0.0.7")
    assert len(seen.flow.rates.points) == 24
    assert len(sender.hourly) == 24
    assert seen.days is not None
    assert len(seen.days.days) == 90
    counted = {(total.name, total.label): total.value for total in seen.flow.totals.counters}
    assert counted["images.delivered", "research"] == 3
    found = find_exam(recorded.root, "a000007")
    (series,) = found.series
    assert (series.modality, series.images, len(series.steps)) == ("CT", 3, 2)
    assert [(target.name, target.images, target.delivered) for target in found.targets] == [
        ("archive", 3, 3),
        ("research", 3, 3),
    ]
    assert {(step.to, step.name, step.state) for step in series.steps} == {
        ("target", "archive", "delivered"),
        ("target", "research", "delivered"),
    }
    assert "Doe7" not in found.model_dump_json()
    assert "P000007" not in found.model_dump_json()


def test_without_the_role_nothing_is_seen(served: Served, as_role: AsRole) -> None:
    as_role(None)
    with pytest.raises(ControlError, match="needs the role page"):
        RouterLook(served.root)()
    with pytest.raises(ControlError, match="needs the role page"):
        find_exam(served.root, "A1")


def test_without_a_history_the_rest_is_seen(served: Served) -> None:
    _, seen = RouterLook(served.root)()
    assert seen.flow is None
    assert seen.days is None
    assert seen.status.history.problem
    with pytest.raises(ControlError, match="history"):
        find_exam(served.root, "A1")


def test_rates_have_a_point_for_each_step(recorded: Served) -> None:
    with Client(recorded.root, seconds=20) as client:
        rates = client.call(api.RATES, api.RateOver(hours=168, step=60))
        steps = {after.begin - before.begin for before, after in zip(rates.points, rates.points[1:], strict=False)}
        assert steps == {timedelta(hours=1)}
        assert len(rates.points) == 168
        assert rates.points[-1].begin <= rates.time < rates.points[-1].begin + timedelta(hours=1)
        here = [point for point in rates.points if point.begin == START]
        assert not here or here[0].received == 3
        with pytest.raises(ControlError, match="whole steps"):
            client.call(api.RATES, api.RateOver(hours=1, step=7))
