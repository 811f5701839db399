"""The cleaner: what goes, what stays, and what is told again."""

from __future__ import annotations

import itertools
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure.routing import seen_series
from mercure.services import cleaner as cleaner_module
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import (
    HIDDEN_SECONDS,
    LONGEST_RETELL_SECONDS,
    RETELL_SECONDS,
    Cleaner,
    clear_hidden,
    forget_series,
)
from mercure.spool import Claim, Stage, is_locked, load_task, save_task
from tests.support.box import turn
from tests.support.faults import Crash, at_each_step, crash_at, failing_at
from tests.unit.retention.attic import DAY, HOUR, STATES, Attic

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@pytest.mark.parametrize("stage", [Stage.SUCCESS, Stage.DISCARD])
def test_what_does_not_say_since_when_it_stands_there_stays(attic: Attic, stage: Stage) -> None:
    """A person had a discarded task retried, or undone, and a crash came before it was moved: it is not finished."""
    directory = attic.finished(stage, age=100 * DAY)
    save_task(directory, load_task(directory).model_copy(update={"finished": None}))
    attic.box.clock.advance(100 * DAY)
    attic.turn(times=3)
    assert directory.exists()
    assert attic.box.events("task.retired") == []


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
    for number, age in ((1, seen_series.KEPT_SECONDS + 1), (2, seen_series.KEPT_SECONDS - 1)):
        seen_series.remember(spool, f"1.{number}", f"1.{number}", "20260101T000000000000-00000001", clock)
        moment = clock.now().timestamp() - age
        os.utime(seen_series.folder(spool) / f"1.{number}.json", (moment, moment))
    assert forget_series(spool, clock) == 1
    assert [path.name for path in seen_series.folder(spool).iterdir()] == ["1.2.json"]


def test_with_a_real_history_what_was_recorded_goes(attic: Attic) -> None:
    """The history of the configuration: it answers, and knows nothing of the task yet."""
    bookkeeper = Bookkeeper(attic.box.context("bookkeeper"))
    bookkeeper.run_once()
    bookkeeper.end()
    directory = attic.finished(Stage.SUCCESS, age=100 * DAY)
    cleaner = Cleaner(attic.box.context("cleaner"))
    turn(cleaner)
    assert directory.exists()
    assert list(cleaner.watched()) == []
    cleaner.end()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_batch_that_fails_at_any_step_holds_nothing_afterwards(attic: Attic) -> None:
    attic.turn()
    before, number = descriptors(), 0
    steps: Sequence[object] = range(1)
    while number < len(steps):
        number += 1
        kept = [attic.finished(Stage.SUCCESS, age=DAY + HOUR, known=known) for known in (True, True, False)]
        with failing_at(number, "EIO") as taken:
            attic.turn()
        steps = taken.taken
        assert descriptors() <= before, f"after an error at step {number}"
        assert not any(is_locked(directory) for directory in kept)
    attic.turn()
    assert not {directory.name for directory in attic.box.tasks(Stage.SUCCESS)} & attic.known.keys()
    assert number > 10


def test_of_a_batch_that_is_being_removed_each_task_is_let_go_at_once(attic: Attic) -> None:
    attic.turn()
    for _ in range(20):
        attic.finished(Stage.SUCCESS, age=DAY + HOUR)
    held: list[int] = []

    def look(_number: int, operation: str, _path: str) -> None:
        if operation == "rmdir":
            held.append(descriptors())

    with at_each_step(look):
        attic.turn()
    assert held == sorted(held, reverse=True)
    assert held[0] - held[-1] == 19
