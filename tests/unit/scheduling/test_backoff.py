"""Back-off: doubled after each failure, up to a cap, and whatever the number of failures."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mercure.config import Retry
from mercure.scheduling.backoff import Backoff

RETRY = Retry(first_seconds=10, cap_seconds=900, max_refusals=3, give_up_seconds=86400)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 10), (1, 10), (2, 20), (3, 40), (7, 640), (8, 900), (100, 900), (10**9, 900)],
)
def test_backoff_doubles_up_to_the_cap(failures: int, seconds: float) -> None:
    assert Backoff.of(RETRY).after(failures) == timedelta(seconds=seconds)


def test_first_wait_above_the_cap_is_cut_to_it() -> None:
    assert Backoff(100, 50).after(1) == timedelta(seconds=50)


def test_the_next_wait_is_twice_the_last_one_between_the_first_and_the_longest() -> None:
    backoff, seconds, waits = Backoff(10, 60), 0.0, []
    for _ in range(5):
        seconds = backoff.longer(seconds)
        waits.append(seconds)
    assert waits == [10, 20, 40, 60, 60]
