"""What costs much is looked at so seldom that it takes little of a processor, and what costs little each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.monitor import LOOK_SECONDS
from appliance.control.api.status import OutageState
from appliance.control.pace import LONGEST_SECONDS, SHARE, Pace
from mercure.clock import ManualClock
from mercure.delivery.target_outage import TargetOutage
from tests.support.router_status import NOW, WELL


class Dear:
    """A look that takes so much of a processor."""

    def __init__(self, cost: float) -> None:
        self.cost, self.spent, self.looks = cost, 0.0, 0

    def __call__(self) -> int:
        self.spent += self.cost
        self.looks += 1
        return self.looks


@pytest.mark.parametrize("cost", [0.0, 0.001, 0.01, 0.08, 0.15, 10.0])
def test_a_look_takes_no_more_than_its_share(cost: float) -> None:
    clock, dear = ManualClock(datetime(2026, 3, 2, tzinfo=UTC)), Dear(cost)
    pace = Pace(clock, lambda: dear.spent)
    hour = 3600
    for _ in range(int(hour / LOOK_SECONDS)):
        assert pace.look("it", dear) == dear.looks
        clock.advance(LOOK_SECONDS)
    if cost <= SHARE * LOOK_SECONDS:
        assert dear.looks == hour / LOOK_SECONDS, "what costs nothing is looked at each time"
    else:
        assert dear.spent / hour <= max(SHARE, cost / LONGEST_SECONDS) * 1.1
        assert dear.looks >= hour / (LONGEST_SECONDS + LOOK_SECONDS) - 1


def test_each_thing_has_a_pace_of_its_own() -> None:
    clock, dear, cheap = ManualClock(datetime(2026, 3, 2, tzinfo=UTC)), Dear(1.0), Dear(0.0)
    pace = Pace(clock, lambda: dear.spent)
    assert [pace.look("dear", dear) for _ in range(3)] == [1, 1, 1]
    assert [pace.look("cheap", cheap) for _ in range(3)] == [1, 2, 3]


def test_an_outage_says_what_waits_and_when_it_is_asked() -> None:
    outage = TargetOutage(
        since=NOW - timedelta(seconds=40), failures=3, until=NOW, kind="unreachable", error="no route"
    )
    state = OutageState(target="pacs", outage=outage, waiting=7, asked_seconds=30.0)
    (alert,) = alerts_of(WELL.model_copy(update={"outages": (state,)})).alerts
    assert alert.text == (
        "target 'pacs' is not accepting images: no route (for 40 seconds; 7 tasks wait; it is asked every 30 s)"
    )
    by_image = outage.model_copy(update={"by_image": True, "since": NOW - timedelta(hours=3)})
    (alert,) = alerts_of(WELL.model_copy(update={"outages": (state.model_copy(update={"outage": by_image}),)})).alerts
    assert "(for 3 hours; 7 tasks wait; it is given one image every 30 s)" in alert.text
