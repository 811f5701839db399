"""The cleaner on a disk that runs full: what goes before its time, and what never does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.retention.finished import families, freed_bytes
from mercure.spool import Stage
from tests.unit.retention.attic import DAY, HOUR, Attic, Usage

if TYPE_CHECKING:
    pass


class Disk:
    """A disk of a size, taken up by the files of a spool."""

    def __init__(self, attic: Attic, monkeypatch: pytest.MonkeyPatch, *, floor: int) -> None:
        self.root = attic.box.spool.root
        self.floor = floor
        self.total = 10_000_000
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(self.total, self.used(), self.free()))
        attic.configure(success_seconds=100 * DAY, discard_seconds=100 * DAY, pressure_free_bytes=floor)
        attic.restart()

    def used(self) -> int:
        files = {path.stat().st_ino: path.stat().st_size for path in self.root.rglob("*.dcm") if path.is_file()}
        return sum(files.values())

    def free(self) -> int:
        return self.total - self.used()

    def fill(self) -> None:
        """Leave a little less than the floor."""
        self.total = self.used() + self.floor - 1


def test_under_pressure_the_longest_finished_goes_first_and_no_more_than_needed(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(attic, monkeypatch, floor=10)
    tasks = [attic.finished(Stage.SUCCESS, age=age * HOUR) for age in (1, 3, 2)]
    discarded = attic.finished(Stage.DISCARD, age=4 * HOUR)
    attic.turn()
    assert all(task.exists() for task in tasks)
    disk.fill()
    attic.turn()
    assert not discarded.exists()
    assert [task.exists() for task in tasks] == [True, True, True]
    disk.fill()
    attic.turn()
    assert [task.exists() for task in tasks] == [True, False, True]
    assert [event.details["reason"] for event in attic.box.events("task.retired")] == ["pressure", "pressure"]


def test_under_pressure_nothing_undelivered_unrecorded_or_failed_goes(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lesson 15."""
    disk = Disk(attic, monkeypatch, floor=1000)
    kept = [
        attic.box.waiting_task(2),
        attic.finished(Stage.ERROR, age=9 * HOUR),
        attic.finished(Stage.SUCCESS, age=9 * HOUR, known=False),
        attic.finished(Stage.DISCARD, age=9 * HOUR, known=False),
    ]
    for stage in (Stage.INCOMING, Stage.ROUTING, Stage.PROCESSING, Stage.STUDIES, Stage.QUARANTINE):
        folder = attic.box.spool.entry(stage, "20260101T000000000000-000000aa")
        folder.mkdir()
        (folder / "1.dcm").write_bytes(b"x")
        kept.append(folder)
    disk.total = disk.used()
    attic.turn(times=3)
    assert all(folder.exists() for folder in kept)
    (low,) = attic.box.events("disk.low")
    assert low.details["floor_bytes"] == 1000
    disk.total *= 100
    attic.turn()
    assert [event.type for event in attic.box.events("disk.low", "disk.ok")] == ["disk.low", "disk.ok"]


def test_under_pressure_nothing_goes_that_frees_nothing(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of a delivered task are still linked by its sibling, which waits for a target that is down."""
    disk = Disk(attic, monkeypatch, floor=10)
    parent = "20260101T000000000000-00000001"
    linked = attic.finished(Stage.SUCCESS, age=9 * HOUR, parent=parent)
    sibling = attic.box.waiting_task(2, parent=parent)
    for image in linked.glob("*.dcm"):
        (sibling / image.name).unlink()
        (sibling / image.name).hardlink_to(image)
    alone = attic.finished(Stage.SUCCESS, age=1 * HOUR)
    disk.fill()
    attic.turn()
    assert (linked.exists(), sibling.exists(), alone.exists()) == (True, True, False)


def test_under_pressure_siblings_that_are_all_delivered_go_together(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(attic, monkeypatch, floor=10)
    parent = "20260101T000000000000-00000001"
    first, second = (attic.finished(Stage.SUCCESS, age=9 * HOUR, parent=parent) for _ in range(2))
    for image in first.glob("*.dcm"):
        (second / image.name).unlink()
        (second / image.name).hardlink_to(image)
    newer = attic.finished(Stage.SUCCESS, age=HOUR)
    disk.fill()
    attic.turn()
    assert (first.exists(), second.exists(), newer.exists()) == (False, False, True)
    assert freed_bytes([first]) == 0
    assert [[task.id for task in family] for family in families([])] == []
