"""What is alerted to about the history: that it lags, and that it or what waits for it grows beyond its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.health import status
from appliance.control.api.status import HistoryState
from mercure.config.models import HistorySettings
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.queries import History
from tests.support.statuses import empty_status

if TYPE_CHECKING:
    from appliance.control.session import Session


def raised(**history: object) -> list[str]:
    state = HistoryState.model_validate({"outbox_bytes": 0, "lag_seconds": 0.0, **history})
    return [alert.key for alert in alerts_of(empty_status().model_copy(update={"history": state})).alerts]


@pytest.mark.parametrize(
    ("history", "keys"),
    [
        ({}, []),
        ({"outbox_bytes": 1_999_999_999, "size_bytes": 49_999_999_999}, []),
        ({"outbox_bytes": 2_000_000_001}, ["history:outbox"]),
        ({"size_bytes": 50_000_000_001}, ["history:size"]),
        ({"problem": "down", "outbox_bytes": 3_000_000_000}, ["history", "history:outbox"]),
    ],
)
def test_a_bound_that_is_passed_is_told(history: dict[str, object], keys: list[str]) -> None:
    assert raised(**history) == keys


def test_the_history_says_how_large_it_is(session: Session) -> None:
    database = open_history(session.root.history_url(session.config))
    migrate(database, session.clock)
    disconnect(database)
    with History.open(session.root, session.config) as history:
        assert 4096 <= history.size_bytes() < 100_000_000
    state = status(session).history
    assert state.size_bytes is not None


def test_it_is_bounded_unless_somebody_says_otherwise() -> None:
    assert HistorySettings().keep_days == 3650
    assert HistorySettings(keep_days=None).keep_days is None
