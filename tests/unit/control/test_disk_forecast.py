"""When the disk will be full: from how it filled in the last minutes, and told by all who tell of the disk."""

from __future__ import annotations

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.api.status import DiskState
from appliance.control.disk import FORECAST_SPAN, DiskForecast, with_forecast
from mercure.config.alerts import AlertSettings, DiskAlert
from tests.support.statuses import empty_status

GIGABYTE = 10**9
LEAST, MOST = FORECAST_SPAN


def disk(free: float) -> DiskState:
    return DiskState(
        path="/spool",
        free_bytes=int(free * GIGABYTE),
        total_bytes=1000 * GIGABYTE,
        refuse_below_bytes=10 * GIGABYTE,
        clean_below_bytes=20 * GIGABYTE,
    )


def test_it_goes_on_as_in_the_last_minutes() -> None:
    forecast = DiskForecast()
    assert forecast.seconds_left(0, disk(110)) is None
    assert forecast.seconds_left(LEAST - 1, disk(100)) is None, "that is too short to tell"
    assert forecast.seconds_left(LEAST, disk(100)) == pytest.approx(90 * LEAST / 10)


def test_a_disk_that_gets_emptier_is_no_concern_and_what_is_long_past_does_not_count() -> None:
    forecast = DiskForecast()
    forecast.seconds_left(0, disk(500))
    assert forecast.seconds_left(LEAST, disk(510)) is None
    forecast.seconds_left(2 * MOST, disk(300))
    assert forecast.seconds_left(2 * MOST + LEAST, disk(300)) is None


@pytest.mark.parametrize(
    ("minutes", "limit", "alerted"), [(77, 4 * 3600, True), (300, 4 * 3600, False), (77, 0, False)]
)
def test_it_is_an_alert_when_it_is_near(minutes: float, limit: float, alerted: bool) -> None:
    found = with_forecast(empty_status().model_copy(update={"disk": disk(500)}), minutes * 60)
    rules = AlertSettings(disk=DiskAlert(forecast_seconds=limit))
    texts = [alert.text for alert in alerts_of(found, rules=rules).alerts if alert.key == "disk:forecast"]
    assert bool(texts) is alerted
    assert all("77 minutes" in text for text in texts)
