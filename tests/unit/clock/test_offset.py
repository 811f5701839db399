"""The offset of the tests: every reading of the wall clock is that much off, and nothing else is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mercure.clock import OFFSET_FILE, Clock, ManualClock, wall_seconds
from mercure.names import id_time, new_id
from mercure.rules.frame import local_now

YEAR = 365 * 86400.0


@pytest.fixture
def put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put the wall clock off by the text of a file."""
    path = tmp_path / "offset"
    monkeypatch.setenv(OFFSET_FILE, str(path))

    def put(text: str) -> None:
        (tmp_path / "next").write_text(text)
        os.replace(tmp_path / "next", path)

    return put


def off() -> float:
    return round((Clock().now() - datetime.now(UTC)).total_seconds())


def test_without_a_file_nothing_is_off(put_off: Callable[[str], None]) -> None:
    assert off() == 0
    put_off("5")
    assert off() == 5


@pytest.mark.parametrize("seconds", [YEAR, -YEAR, 1.5e9 - 2.3e9])
def test_a_running_program_meets_a_step(put_off: Callable[[str], None], seconds: float) -> None:
    ticks = Clock().monotonic()
    put_off(f"{seconds}\n")
    assert off() == seconds
    near = pytest.approx(time.time() + seconds, abs=60)
    assert wall_seconds() == near
    assert id_time(new_id()).timestamp() == near
    assert local_now().timestamp() == near
    assert Clock().monotonic() - ticks < 60
    put_off("0")
    assert off() == 0


def test_of_a_file_that_is_no_number_the_last_one_holds(put_off: Callable[[str], None]) -> None:
    put_off(str(YEAR))
    assert off() == YEAR
    for broken in ("", "soon", "1;2"):
        put_off(broken)
        assert off() == YEAR


def test_a_manual_clock_is_the_tests_own(put_off: Callable[[str], None]) -> None:
    put_off(str(YEAR))
    clock = ManualClock()
    before = clock.now()
    clock.advance(1)
    assert clock.now() - before == timedelta(seconds=1)
