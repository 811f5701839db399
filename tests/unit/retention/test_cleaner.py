"""The cleaner: what goes, what stays, and what is told again."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
from collections import namedtuple
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mercure.bookkeeping.database import HistoryError
from mercure.bookkeeping.reader import HistoryUnavailableError
from mercure.retention.leftovers import HIDDEN_SECONDS, clear_hidden, forget_series
from mercure.retention.space import families, freed_bytes
from mercure.routing import seen
from mercure.services import cleaner as cleaner_module
from mercure.services.cleaner import LONGEST_RETELL_SECONDS, RETELL_SECONDS, Cleaner
from mercure.spool import Claim, Stage, Task, load_task, save_task
from tests.support.box import Box, turn
from tests.support.faults import Crash, crash_at, failing_at
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HOUR, DAY = 3600.0, 86400.0
KEEP = {"success_seconds": DAY, "discard_seconds": 2 * DAY, "pressure_free_bytes": 0}
STATES = {Stage.SUCCESS: "delivered", Stage.DISCARD: "discarded", Stage.ERROR: "failed"}
Usage = namedtuple("Usage", "total used free")


class Attic:
    """A box with finished tasks, and a history that knows what it is told to know."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.configure()
        self.known: dict[str, str] = {}
        self.error: Exception | None = None
        self.restart()

    def configure(self, **retention: float) -> None:
        self.box.configure(retention={**KEEP, **retention})

    def restart(self) -> None:
        self.cleaner = Cleaner(self.box.context("cleaner"), self.states)

    def states(self, tasks: Sequence[str]) -> Mapping[str, str]:
        if self.error is not None:
            raise self.error
        return {task: self.known[task] for task in tasks if task in self.known}

    def finished(self, stage: Stage, *, age: float, known: bool = True, **fields: Any) -> Path:
        """Put a finished task into a stage; by default the history knows of it."""
        directory = self.box.waiting_task(2, **fields)
        task = load_task(directory)
        action = "discard" if stage is Stage.DISCARD else "route"
        finished = self.box.clock.now() - timedelta(seconds=age)
        failure = {"stage": "outgoing", "reason": "no", "at": finished} if stage is Stage.ERROR else None
        changes = {"finished": finished, "action": action, "failure": failure}
        save_task(directory, Task.model_validate({**task.model_dump(), **changes}))
        destination = self.box.spool.entry(stage, directory.name)
        directory.rename(destination)
        if known:
            self.known[directory.name] = STATES[stage]
        return destination

    def turn(self, *, times: int = 1, seconds: float = 60.0) -> None:
        for _ in range(times):
            turn(self.cleaner)
            self.box.clock.advance(seconds)

    def types(self) -> list[str]:
        return [event.type for event in self.box.events() if event.type.startswith(("task.", "disk."))]


@pytest.fixture
def attic() -> Iterator[Attic]:
    with memory_folder() as folder:
        box = Box(folder / "root")
        box.configure()
        yield Attic(box)
        box.close()


@pytest.mark.parametrize(
    ("stage", "age", "goes"),
    [
        (Stage.SUCCESS, DAY - HOUR, False),
        (Stage.SUCCESS, DAY + HOUR, True),
        (Stage.SUCCESS, -HOUR, False),
        (Stage.DISCARD, DAY + HOUR, False),
        (Stage.DISCARD, 2 * DAY + HOUR, True),
        (Stage.ERROR, 1000 * DAY, False),
    ],
)
def test_what_is_kept_long_enough_goes_and_is_told(attic: Attic, stage: Stage, age: float, goes: bool) -> None:
    directory = attic.finished(stage, age=age)
    attic.turn()
    assert directory.exists() != goes
    retired = attic.box.events("task.retired")
    assert [(event.task, event.details) for event in retired] == (
        [(directory.name, {"stage": stage.value, "images": 2, "reason": "retention"})] if goes else []
    )


@pytest.mark.parametrize("state", [None, "waiting", "failed", "created"])
def test_what_the_history_does_not_know_as_finished_stays(attic: Attic, state: str | None) -> None:
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY, known=False)
    if state:
        attic.known[directory.name] = state
    attic.turn(times=3)
    assert directory.exists()
    attic.known[directory.name] = "delivered"
    attic.turn()
    assert not directory.exists()


@pytest.mark.parametrize("error", [HistoryUnavailableError("down"), HistoryError("no password")])
def test_while_the_history_cannot_be_asked_nothing_is_removed_and_the_disk_is_watched_all_the_same(
    attic: Attic, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY)
    attic.error = error
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100, 100, 0))
    attic.configure(pressure_free_bytes=10)
    attic.restart()
    attic.turn(times=3)
    assert directory.exists()
    assert attic.types() == ["disk.low"]


def test_a_task_whose_parent_is_still_being_routed_stays(attic: Attic) -> None:
    """The router may look for it, and would else make it again."""
    parent = "20260101T000000000000-00000001"
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY, parent=parent)
    attic.box.spool.entry(Stage.ROUTING, parent).mkdir()
    attic.turn()
    assert directory.exists()
    attic.box.spool.entry(Stage.ROUTING, parent).rmdir()
    attic.turn()
    assert not directory.exists()


def test_a_task_that_somebody_holds_is_left_for_now(attic: Attic) -> None:
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY)
    with Claim.take(directory) or pytest.fail("not claimed"):
        attic.turn()
        assert directory.exists()
    attic.turn()
    assert not directory.exists()


def test_a_task_that_cannot_be_read_is_never_removed(attic: Attic) -> None:
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY)
    (directory / "task.json").write_bytes(b"{")
    attic.turn(times=5)
    assert directory.exists()


def test_however_many_are_due_at_once(attic: Attic) -> None:
    """Each claim costs a descriptor; a night's worth of tasks expires together."""
    tasks = [attic.finished(Stage.SUCCESS, age=2 * DAY) for _ in range(250)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 120, hard))
    try:
        attic.turn()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not any(task.exists() for task in tasks)
    assert len(os.listdir("/proc/self/fd")) <= used + 1
    assert len(attic.box.events("task.retired")) == 250


def test_an_error_in_one_part_keeps_nothing_else_from_being_done(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> int:
        raise PermissionError(13, "not ours")

    monkeypatch.setattr(cleaner_module, "clear_hidden", fails)
    directory = attic.finished(Stage.SUCCESS, age=2 * DAY)
    attic.turn(times=3)
    assert not directory.exists()
    assert len(attic.box.events("warning")) == 1


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.SUCCESS, ["task.created", "task.delivered"]),
        (Stage.ERROR, ["task.created", "task.failed"]),
        (Stage.DISCARD, ["task.created"]),
    ],
)
def test_what_the_history_does_not_know_is_told_again_after_a_while(
    attic: Attic, stage: Stage, expected: list[str]
) -> None:
    """A crash may have come between the change and its event."""
    directory = attic.finished(stage, age=0, known=False)
    attic.turn(seconds=RETELL_SECONDS - 1)
    attic.turn(seconds=1)
    assert attic.types() == []
    attic.turn()
    assert attic.types() == expected
    assert {event.task for event in attic.box.events(*expected)} == {directory.name}
    attic.known[directory.name] = STATES[stage]
    attic.turn(times=3, seconds=DAY / 4)
    assert attic.types() == expected


def test_a_history_that_lags_for_long_is_not_buried(attic: Attic) -> None:
    attic.finished(Stage.SUCCESS, age=0, known=False)
    lines = 0
    outbox = attic.box.spool.stage(Stage.OUTBOX)
    for _ in range(int(7 * DAY / HOUR)):
        attic.turn(seconds=HOUR)
    lines = sum(b"task.delivered" in line for path in outbox.iterdir() for line in path.read_bytes().splitlines())
    assert 7 <= lines <= 20
    assert LONGEST_RETELL_SECONDS <= DAY


@pytest.mark.parametrize("how", ["crash", "ENOSPC", "EIO"])
def test_at_each_step_a_task_is_there_or_told_to_be_retired_and_the_next_run_finishes(attic: Attic, how: str) -> None:
    for number in itertools.count(1):
        tasks = [attic.finished(Stage.SUCCESS, age=2 * DAY) for _ in range(2)]
        fault = crash_at(number) if how == "crash" else failing_at(number, how)
        with fault as steps, suppress(Crash):
            attic.turn()
        attic.box.close()
        told = {event.task for event in attic.box.events("task.retired")}
        for task in tasks:
            assert task.exists() or task.name in told
        attic.restart()
        attic.turn()
        assert not any(task.exists() for task in tasks)
        told = {event.task for event in attic.box.events("task.retired")}
        assert {task.name for task in tasks} <= told
        if len(steps) < number:
            break
    attic.box.clock.advance(HIDDEN_SECONDS + HOUR)
    stages = [attic.box.spool.stage(stage) for stage in (Stage.SUCCESS,)]
    for path in [entry for stage in stages for entry in stage.iterdir()]:
        os.utime(path, (0, 0))
    attic.turn()
    assert [entry for stage in stages for entry in stage.iterdir()] == []


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


def test_half_built_and_half_removed_entries_go_when_they_are_old_and_nobody_holds_them(attic: Attic) -> None:
    spool, clock = attic.box.spool, attic.box.clock
    made = {}
    for stage, name, age in (
        (Stage.OUTGOING, ".a.new", HIDDEN_SECONDS + 1),
        (Stage.ROUTING, ".b.removed", HIDDEN_SECONDS + 1),
        (Stage.OUTGOING, ".held.new", HIDDEN_SECONDS + 1),
        (Stage.OUTGOING, ".young.new", HIDDEN_SECONDS - 1),
        (Stage.OUTGOING, "visible", 10 * HIDDEN_SECONDS),
        (Stage.QUARANTINE, "entry", 10 * HIDDEN_SECONDS),
    ):
        made[name] = spool.stage(stage) / name
        made[name].mkdir()
        (made[name] / "1.dcm").write_bytes(b"x")
        moment = clock.now().timestamp() - age
        os.utime(made[name], (moment, moment))
    with Claim.take(made[".held.new"]) or pytest.fail("not claimed"):
        assert clear_hidden(spool, clock) == 2
    assert {name for name, path in made.items() if not path.exists()} == {".a.new", ".b.removed"}


def test_series_whose_last_image_came_long_ago_are_forgotten(attic: Attic) -> None:
    spool, clock = attic.box.spool, attic.box.clock
    assert forget_series(spool, clock) == 0
    for number, age in ((1, seen.KEPT_SECONDS + 1), (2, seen.KEPT_SECONDS - 1)):
        seen.remember(spool, f"1.{number}", "20260101T000000000000-00000001", clock)
        moment = clock.now().timestamp() - age
        os.utime(seen.folder(spool) / f"1.{number}.json", (moment, moment))
    assert forget_series(spool, clock) == 1
    assert [path.name for path in seen.folder(spool).iterdir()] == ["1.2.json"]


def test_with_a_real_history_what_was_recorded_goes(attic: Attic) -> None:
    """The history of the configuration: none is made yet, so nothing is removed."""
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY)
    cleaner = Cleaner(attic.box.context("cleaner"))
    turn(cleaner)
    assert directory.exists()
    assert list(cleaner.watched()) == []
    cleaner.end()
