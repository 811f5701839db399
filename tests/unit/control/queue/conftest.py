"""A clock that stands still: ages and waits are by it."""

from __future__ import annotations

import pytest

from mercure.clock import ManualClock
from tests.support.tasks import NOW


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)
