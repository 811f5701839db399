"""The guard of the order sees what another process has just done to a task, whatever the guard knew before."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from mercure.scheduling.order import OrderGuard, Predecessor
from mercure.scheduling.queue import TaskQueue
from mercure.spool import Claim, Spool, Stage, Task, load_task, move, save_task
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from mercure.config.models import Order
    from tests.support.box import Box

WRITER: Final = """
import sys
from pathlib import Path
from mercure.spool import Claim, Spool, Stage, load_task, move, nudge, save_task

spool = Spool(Path(sys.argv[1]))

def change(stage, to=None, **fields):
    with Claim.take(spool.entry(Stage(stage), sys.argv[2])) as claim:
        save_task(claim.path, load_task(claim.path).model_copy(update=fields))
        nudge(claim.path) if to is None else move(spool, claim, Stage(to))
"""
"""How services and the control service change a task, for a process of its own."""

INTO: Final = {
    "rerouted": ("outgoing", "change('outgoing', target='archive')"),
    "rerouted without a nudge": ("outgoing", "nudge = lambda path: None; change('outgoing', target='archive')"),
    "rerouted twice": ("outgoing", "change('outgoing', target='other'); change('outgoing', target='archive')"),
    "given to a member, then rerouted": (
        "outgoing",
        "change('outgoing', member='one'); change('outgoing', target='archive', member=None)",
    ),
    "rerouted out of error/": ("error", "change('error', to='outgoing', target='archive')"),
    "put aside, changed and brought back": (
        "outgoing",
        "change('outgoing', to='error'); change('error', to='outgoing', target='archive')",
    ),
}
"""What puts a task into the line of another: where it stands before, and what the other process does."""


def act(box: Box, task: str, code: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"{WRITER}\n{code}", box.spool.root, task], check=False)
    assert done.returncode == 0


def guard_of(spool: Spool, stage: Stage = Stage.OUTGOING) -> OrderGuard:
    return OrderGuard(spool, TaskQueue(spool, lambda name, reason: pytest.fail(f"{name}: {reason}"), stage), stage)


@pytest.mark.parametrize("order", ["study", "received"])
@pytest.mark.parametrize("what", INTO)
def test_what_puts_a_task_into_the_line_is_seen_at_the_next_look(box: Box, what: str, order: Order) -> None:
    stage, code = INTO[what]
    first, second = waiting_series(box, "1", target="elsewhere"), waiting_series(box, "2")
    if stage == "error":
        with taken(box.spool, first) as claim:
            move(box.spool, claim, Stage.ERROR)
    guard = guard_of(box.spool)
    with taken(box.spool, second) as claim:
        task = load_task(claim.path)
        assert guard.before(task, order) is None
        act(box, first, code)
        assert guard.before(task, order) == Predecessor(first, "waits")


@pytest.mark.parametrize("code", ["change('outgoing', target='elsewhere')", "change('outgoing', to='error')"])
def test_what_takes_a_task_out_of_the_line_is_seen_at_the_next_look(box: Box, code: str) -> None:
    first, second = waiting_series(box, "1"), waiting_series(box, "2")
    guard = guard_of(box.spool)
    with taken(box.spool, second) as claim:
        task = load_task(claim.path)
        assert guard.before(task, "study") == Predecessor(first, "waits")
        act(box, first, code)
        assert guard.before(task, "study") is None


def test_a_chain_that_moves_to_its_next_module_is_seen_at_the_next_look(box: Box) -> None:
    first, second = processed(box, "1", "other"), processed(box, "2", "lung")
    guard = guard_of(box.spool, Stage.PROCESSING)
    with taken(box.spool, second, Stage.PROCESSING) as claim:
        task = load_task(claim.path)
        task = task.model_copy(update={"target": task.module})
        assert guard.before(task, "received") is None
        act(box, first, "change('processing', module='lung', done=('other',))")
        assert guard.before(task, "received") == Predecessor(first, "waits")


def taken(spool: Spool, task: str, stage: Stage = Stage.OUTGOING) -> Claim:
    claim = Claim.take(spool.entry(stage, task))
    assert claim is not None
    return claim


def processed(box: Box, series: str, module: str) -> str:
    """Put a task into ``processing/`` for a module."""
    name = waiting_series(box, series)
    with taken(box.spool, name) as claim:
        task = load_task(claim.path).model_dump() | {"action": "process", "target": None, "module": module}
        save_task(claim.path, Task.model_validate(task))
        move(box.spool, claim, Stage.PROCESSING)
    return name
