"""What the wall clock does to what is kept: nothing, until the box has lived through its time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.routing.task_ids import newest_id
from mercure.spool import Stage, uptime
from mercure.spool.uptime import EARLIEST, STEP_BOUND_SECONDS
from tests.unit.retention.attic import DAY, HOUR, Attic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

YEAR = 365 * DAY


@pytest.fixture
def kept(attic: Attic) -> list[Path]:
    """Tasks that ended now; kept for one day, and for two."""
    attic.turn()
    return [attic.finished(stage, age=0) for stage in (Stage.SUCCESS, Stage.DISCARD)]


def stay(kept: list[Path]) -> list[bool]:
    return [path.exists() for path in kept]


def ahead_and_back(clock: ManualClock) -> None:
    clock.step_wall(YEAR)
    clock.step_wall(-YEAR)


STEPS: dict[str, Callable[[ManualClock], None]] = {
    "a year ahead": lambda clock: clock.step_wall(YEAR),
    "a year back": lambda clock: clock.step_wall(-YEAR / 12),
    "ahead and back": ahead_and_back,
    "a boot a year ahead": lambda clock: clock.restart(off=YEAR),
    "a boot after two weeks": lambda clock: clock.restart(off=14 * DAY),
    "a boot after a minute": lambda clock: clock.restart(off=60),
    "asleep for two weeks": lambda clock: clock.step_wall(14 * DAY),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_set_removes_nothing_and_the_time_lived_does(attic: Attic, kept: list[Path], step: str) -> None:
    attic.turn(seconds=HOUR)
    STEPS[step](attic.box.clock)
    attic.turn(seconds=HOUR, times=20)
    assert stay(kept) == [True, True]
    attic.turn(seconds=HOUR, times=8)
    assert stay(kept) == [False, True]
    attic.turn(seconds=HOUR, times=24)
    assert stay(kept) == [False, False]


def test_a_year_ahead_for_an_hour_and_back(attic: Attic, kept: list[Path]) -> None:
    """What ended in the meantime has an instant of next year, and goes in its time all the same."""
    attic.box.clock.step_wall(YEAR)
    attic.turn()
    kept.append(attic.finished(Stage.SUCCESS, age=0))
    attic.turn(seconds=HOUR)
    attic.box.clock.step_wall(-YEAR)
    attic.turn(seconds=HOUR, times=20)
    assert stay(kept) == [True, True, True]
    attic.turn(seconds=HOUR, times=30)
    assert stay(kept) == [False, False, False]


def test_within_a_bound_of_a_step_nothing_is_retired_though_it_is_due(attic: Attic) -> None:
    attic.turn()
    due = attic.finished(Stage.SUCCESS, age=2 * DAY)
    attic.box.clock.step_wall(30)
    attic.turn(seconds=STEP_BOUND_SECONDS - 1)
    attic.turn(seconds=2)
    assert due.exists()
    attic.turn()
    assert not due.exists()


def test_a_boot_in_the_year_2000_retires_nothing_until_the_clock_is_right(attic: Attic) -> None:
    attic.turn()
    due = attic.finished(Stage.SUCCESS, age=2 * DAY)
    off = (EARLIEST - attic.box.clock.now()).total_seconds() - 25 * YEAR
    attic.box.clock.restart(off=off)
    attic.turn(seconds=HOUR, times=72)
    assert due.exists()
    attic.box.clock.step_wall(-off)
    attic.turn(seconds=HOUR)
    assert due.exists()
    attic.turn(seconds=HOUR, times=3)
    assert not due.exists()


def test_a_clock_behind_the_newest_task_is_doubted_for_a_day(attic: Attic) -> None:
    attic.turn()
    due = attic.finished(Stage.SUCCESS, age=2 * DAY)
    attic.box.clock.step_wall(-2 * HOUR)
    attic.turn(seconds=HOUR)
    assert newest_id(attic.box.spool) > f"{attic.box.clock.now():%Y%m%dT%H%M%S}"
    attic.box.clock.step_wall(-5 * DAY)
    attic.turn(seconds=HOUR, times=22)
    assert due.exists()
    attic.turn(seconds=HOUR, times=4)
    assert not due.exists()


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"\0" * 100, b'{"version":1,"boot":"","monotonic":0,"stretches":[]}']
)
def test_a_counter_that_is_lost_makes_nothing_older(attic: Attic, kept: list[Path], content: bytes | None) -> None:
    path = attic.box.spool.stage(Stage.STATE) / "clock" / "uptime.json"
    attic.turn(seconds=12 * HOUR)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    attic.restart()
    attic.turn(seconds=HOUR, times=23)
    assert stay(kept) == [True, True]
    attic.turn(seconds=HOUR, times=30)
    assert stay(kept) == [False, False]


def test_each_service_goes_on_with_the_counter_of_the_others(attic: Attic) -> None:
    spool, clock = attic.box.spool, attic.box.clock
    begin = uptime(spool, clock).lived
    for service in ("router", "dispatcher", "cleaner"):
        attic.box.context(service)
        clock.advance(40)
    assert uptime(spool, clock).lived - begin == pytest.approx(120)
    text = json.loads((spool.stage(Stage.STATE) / "clock" / "uptime.json").read_bytes())
    assert len(text["stretches"]) == 1


def test_a_disk_that_refuses_the_counter_stops_nobody(attic: Attic, kept: list[Path]) -> None:
    folder = attic.box.spool.stage(Stage.STATE) / "clock"
    (folder / "uptime.json").unlink()
    folder.rmdir()
    folder.write_bytes(b"not a folder")
    attic.turn(seconds=DAY, times=5)
    assert stay(kept) == [True, True]
    folder.unlink()
    attic.turn(seconds=DAY, times=4)
    assert stay(kept) == [False, False]
