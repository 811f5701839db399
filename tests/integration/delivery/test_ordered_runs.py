"""A study that arrives over four associations in scrambled order leaves in order through three dispatchers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mercure import durable
from mercure.spool import Stage
from tests.support.box import DELIVERS, Box
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.studies_in_order import STUDIES, HeldRun, Run, in_order, random_faults, step_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercure.config.models import Order

RUNS = 200
GROUPS = 8
"""The runs are dealt to so many tests, so that they are shared between workers and a failure names few seeds."""


@pytest.fixture(autouse=True)
def _no_fault_outlives_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    monkeypatch.undo()
    durable.reload_faults()


def play(
    seed: int, monkeypatch: pytest.MonkeyPatch, kind: type[Run] = Run, order: Order = "study"
) -> dict[str, list[str]]:
    before = set(threading.enumerate())
    with memory_folder() as folder:
        box = Box(folder)
        monkeypatch.setenv("MERCURE_STEP_LOG", str(step_log(box)))
        monkeypatch.setenv("MERCURE_FAULT", random_faults(seed))
        durable.reload_faults()
        try:
            run = kind(box, seed, order)
            run.go()
            assert box.spool.names(Stage.ERROR) == []
            return run.left()
        finally:
            eventually(lambda: set(threading.enumerate()) <= before, what="all deliveries have ended")
            monkeypatch.delenv("MERCURE_FAULT")
            monkeypatch.delenv("MERCURE_STEP_LOG")
            durable.reload_faults()
            box.close()


@pytest.mark.parametrize("group", range(GROUPS))
def test_each_study_leaves_in_the_order_received(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(group, RUNS, GROUPS):
        left = play(seed, monkeypatch)
        for study, count in STUDIES.items():
            assert len(set(left[study])) >= count, f"seed {seed}"
            assert in_order(left[study]), f"seed {seed}: study {study} left as {left[study]}"


@dataclass
class SlowRun(Run):
    """A run whose deliveries get on only while it waits for them, as on a machine that is busy with other things."""

    waits: threading.Event = field(default_factory=threading.Event)

    def go(self) -> None:
        original = durable.step

        def step(operation: str, path: object) -> None:
            if threading.current_thread().name.startswith(DELIVERS):
                assert self.waits.wait(60)
            original(operation, path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(durable, "step", step)
            super().go()

    def _await(self, delivery: threading.Thread) -> None:
        self.waits.set()
        super()._await(delivery)
        self.waits.clear()

    def _end(self) -> None:
        self.waits.set()
        super()._end()


@pytest.mark.parametrize("seed", [23, 47, 159])
def test_a_machine_whose_threads_are_slow_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults and slow threads let a minute go by on the clock once, after which the next series of a study may pass."""
    left = play(seed, monkeypatch, SlowRun)
    assert {study: in_order(tasks) for study, tasks in left.items()} == dict.fromkeys(STUDIES, True), f"left as {left}"


@pytest.mark.parametrize("seed", range(5))
def test_without_an_order_such_runs_leave_mixed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above measures is the order, and no accident of how these runs are made."""
    left = play(seed, monkeypatch, HeldRun, order="none")
    assert not in_order(left["1.2.1"]), f"left as {left}"
