"""Hints: changed by one at a time, and nobody stands still because of one who is stopped while it changes them."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.spool import Spool, Stage, hints, uptime
from mercure.spool.hints import exclusive, unless_busy
from mercure.spool.notices import notices, post
from tests.support.box import Box
from tests.support.faults import at_each_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder as a process does that is stopped in the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def made(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return spool


def test_one_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with exclusive(tmp_path):
            order.append("second")

    with exclusive(tmp_path), unless_busy(tmp_path) as alone:
        assert not alone
        other = threading.Thread(target=second)
        other.start()
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]
    with unless_busy(tmp_path) as alone:
        assert alone


def test_who_is_stopped_while_it_changes_a_hint_stops_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "PATIENCE_SECONDS", 0.05)
    spool = made(tmp_path)
    folders = [spool.stage(Stage.STATE) / "notices", spool.stage(Stage.STATE) / "targets" / "pacs"]
    with held(folders[0]), held(folders[1]):
        post(spool, "refused", "CT1@x", "text", "", now=NOW)
        with exclusive(folders[1]):
            pass
    assert [notice.about for notice in notices(spool)] == ["CT1@x"]


def test_the_time_lived_through_is_known_while_another_one_writes_it_down(tmp_path: Path) -> None:
    spool, clock = made(tmp_path), ManualClock()
    folder = spool.stage(Stage.STATE) / "clock"
    with held(folder):
        assert uptime(spool, clock).lived == 0
        assert not (folder / "uptime.json").exists()
    begun = uptime(spool, clock)
    clock.advance(1000)
    with held(folder):
        written = (folder / "uptime.json").read_bytes()
        assert uptime(spool, clock).age(begun.instant_before(0)) == 1000
        assert (folder / "uptime.json").read_bytes() == written
    assert uptime(spool, clock).lived == 1000
    assert (folder / "uptime.json").read_bytes() != written


def test_a_service_that_asks_in_the_middle_of_the_write_of_another_gets_its_answer(tmp_path: Path) -> None:
    box = Box(tmp_path / "root")
    box.configure()
    found: list[float] = []

    def ask(*_: object) -> None:
        found.append(uptime(box.spool, box.clock).lived)

    box.clock.advance(1000)
    with at_each_step(ask) as steps:
        uptime(box.spool, box.clock)
    assert len(found) == len(steps) > 0
    box.close()
