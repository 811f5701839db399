"""A boot with a clock of the year 2000, while tasks wait: delivered, in order, not given up, and recorded so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.names import id_time
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import Cleaner
from mercure.spool import Stage, load_task
from tests.support.box import Box, turn
from tests.support.incoming import make_images
from tests.support.waiting import Dispatchers, finished_order

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86400.0
YEARS = 26 * 365 * DAY


@pytest.fixture
def bookkeeper(box: Box) -> Iterator[Bookkeeper]:
    box.configure(
        targets={"archive": {"kind": "folder", "path": str(box.delivered), "order": "received"}},
        retention={"success_seconds": 3600, "pressure_free_bytes": 0},
    )
    made = Bookkeeper(box.context("bookkeeper"))
    yield made
    made.end()


def record(bookkeeper: Bookkeeper) -> None:
    while bookkeeper.run_once().more:
        pass


def receive(box: Box, series: str) -> None:
    box.receive(make_images(2, series=series))
    router = box.router()
    turn(router)
    box.clock.advance(100)
    turn(router)


@pytest.mark.parametrize("off", [-YEARS, -400 * DAY, 14 * DAY, 400 * DAY])
def test_what_waited_and_what_comes_is_delivered_in_order_and_recorded(
    box: Box, bookkeeper: Bookkeeper, off: float
) -> None:
    receive(box, "1.1")
    receive(box, "1.2")
    record(bookkeeper)
    before = box.spool.names(Stage.OUTGOING)
    assert len(before) == 2
    box.close()
    box.clock.restart(off=off)
    bookkeeper = Bookkeeper(box.context("bookkeeper"))
    cleaner = Cleaner(box.context("cleaner"))
    receive(box, "1.3")
    box.clock.advance(0.001)  # texts of instants sort when all have a fraction
    Dispatchers(box).until(lambda: len(box.spool.names(Stage.SUCCESS)) == 3)
    order = finished_order(box.spool)
    assert order == sorted(order)
    assert order[:2] == before
    assert id_time(order[2]) > id_time(order[1])
    assert [load_task(path).failure for path in box.tasks(Stage.SUCCESS)] == [None] * 3
    box.close()
    record(bookkeeper)
    assert set(cleaner._ask_history(order).values()) == {"delivered"}
    turn(cleaner)
    assert box.spool.names(Stage.SUCCESS) == order
    box.clock.step_wall(-off if off < 0 else 0)
    for _ in range(6):
        box.clock.advance(1800)
        turn(cleaner)
    record(bookkeeper)
    assert box.spool.names(Stage.SUCCESS) == []
    bookkeeper.end()
