"""While the history is away the cleaner makes room all the same, and the history misses nothing when it is back."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.clock import Clock
from mercure.history.database import HistoryError
from mercure.history.reader import HistoryUnavailableError
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import Cleaner
from mercure.spool import LedgerLine, Stage, add_to_ledger, image_files
from tests.support.box import turn
from tests.support.faults import counted, failing_at
from tests.unit.retention.attic import DAY, HOUR, Attic, Usage

if TYPE_CHECKING:
    from pathlib import Path

DOWN = HistoryUnavailableError("down")


def confirm(directory: Path, *, but: int = 0) -> None:
    """Write the ledger of a task; `but` so many images are missing from it."""
    files = [image.name for image in image_files(directory)]
    now = Clock().now()
    lines = [LedgerLine(file=name, sop="1", status="0x0000", time=now, target="archive") for name in files]
    add_to_ledger(directory, lines[: len(lines) - but])


@pytest.mark.parametrize("error", [DOWN, HistoryError("no password")])
def test_what_was_kept_long_enough_goes_and_all_that_the_history_needs_stands_in_the_outbox(
    attic: Attic, error: Exception
) -> None:
    attic.error = error
    delivered = attic.finished(Stage.SUCCESS, age=2 * DAY, known=False)
    confirm(delivered)
    discarded = attic.finished(Stage.DISCARD, age=3 * DAY, known=False)
    young = attic.finished(Stage.SUCCESS, age=HOUR, known=False)
    failed = attic.finished(Stage.ERROR, age=300 * DAY, known=False)
    attic.turn()
    assert [path.exists() for path in (delivered, discarded, young, failed)] == [False, False, True, True]
    told = [event.type for event in attic.box.events() if event.task == delivered.name]
    assert told == ["task.created", "task.delivered", "task.retired"]
    told = [event.type for event in attic.box.events() if event.task == discarded.name]
    assert told == ["task.created", "task.retired"]


def test_under_pressure_what_is_over_goes_and_what_waits_stays(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    attic.error = DOWN
    kept = [attic.box.waiting_task(2), attic.finished(Stage.ERROR, age=9 * HOUR)]
    half = attic.finished(Stage.SUCCESS, age=9 * HOUR)
    confirm(half, but=1)
    over = [attic.finished(Stage.SUCCESS, age=HOUR), attic.finished(Stage.DISCARD, age=HOUR)]
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100, 100, 0))
    attic.configure(pressure_free_bytes=10)
    attic.restart()
    attic.turn()
    assert [path.exists() for path in (*kept, half, *over)] == [True, True, True, False, False]


def test_a_history_that_answers_and_lags_keeps_nobody_from_making_room(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite on the very disk that is full: it can be read, and takes nothing new."""
    unproven = attic.finished(Stage.SUCCESS, age=HOUR, known=False)
    proven = attic.finished(Stage.SUCCESS, age=HOUR, known=False)
    confirm(proven)
    attic.turn()
    assert proven.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100, 100, 0))
    attic.configure(pressure_free_bytes=10)
    attic.restart()
    attic.turn()
    assert (unproven.exists(), proven.exists()) == (True, False)


def test_nothing_goes_before_what_was_told_is_on_stable_storage(attic: Attic) -> None:
    attic.error = DOWN
    other = attic.box.spool.stage(Stage.OUTBOX) / "router-20260101T000000000000-00000001.jsonl"
    other.write_bytes(b"")
    task = attic.finished(Stage.SUCCESS, age=2 * DAY)
    with counted() as steps:
        attic.turn()
    assert not task.exists()
    order = [(operation, os.path.basename(path)) for operation, path in steps.taken]
    assert ("fdatasync", other.name) in order
    removed = next(index for index, (name, path) in enumerate(order) if name == "rename" and path.endswith(".removed"))
    assert max(index for index, (name, _) in enumerate(order) if name == "fdatasync") < removed
    assert order.index(("fdatasync", other.name)) < removed


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_what_cannot_be_told_stays(attic: Attic, error: str) -> None:
    attic.error = DOWN
    task = attic.finished(Stage.SUCCESS, age=2 * DAY)
    with failing_at(1, error, onward=True):
        attic.turn()
    assert task.exists()
    attic.turn()
    assert not task.exists()


def test_when_it_is_back_the_history_knows_what_became_of_each_task(attic: Attic) -> None:
    attic.error = DOWN
    delivered = attic.finished(Stage.SUCCESS, age=2 * DAY, known=False)
    confirm(delivered)
    attic.turn()
    attic.box.close()
    bookkeeper = Bookkeeper(attic.box.context("bookkeeper"))
    while bookkeeper.run_once().more:
        pass
    cleaner = Cleaner(attic.box.context("cleaner"))
    assert cleaner._ask_history([delivered.name]) == {delivered.name: "delivered"}
    turn(cleaner)
    bookkeeper.end()
