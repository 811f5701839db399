"""The workers of a service: nothing that one of them does keeps its task from being taken up again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pytest

from mercure.scheduling.queue import TaskQueue
from mercure.scheduling.worker_pool import TaskWorker, WorkerPool
from tests.support.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Clumsy(TaskWorker):
    """Fails where it is told to."""

    doing: ClassVar = "drop"

    at: tuple[str, ...] = ()
    pauses: list[int] = field(default_factory=list)

    def work(self) -> None:
        if "work" in self.at:
            raise OSError("the disk is gone")

    def let_go(self) -> None:
        if "let go" in self.at:
            raise OSError("the slot is gone")

    def pause(self, disturbances: int) -> float:
        self.pauses.append(disturbances)
        return 10.0 * disturbances


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "root")
    made.configure()
    yield made
    made.close()


@pytest.fixture
def pool(box: Box) -> WorkerPool[Clumsy]:
    context = box.context("dispatcher")
    return WorkerPool(TaskQueue(box.spool, lambda name, reason: None), context.events, context.clock, lambda: None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_cannot_even_let_go_frees_its_task_all_the_same(pool: WorkerPool[Clumsy]) -> None:
    worker = Clumsy("t1", ("let go",))
    pool.begin(worker)
    assert worker.join(20)
    assert pool.collect() == float("inf")
    assert "t1" not in pool
    assert not list(pool)


def test_a_disturbed_task_rests_longer_each_time_and_is_told_of_once(box: Box, pool: WorkerPool[Clumsy]) -> None:
    rests = []
    for _ in range(3):
        worker = Clumsy("t1", ("work",))
        pool.begin(worker)
        assert "t1" in pool
        assert worker.join(20)
        rests.append(pool.collect())
        assert "t1" in pool
        box.clock.advance(rests[-1])
        assert pool.collect() == float("inf")
        assert "t1" not in pool
    assert rests == [10, 20, 30]
    (told,) = box.events("warning")
    assert told.task == "t1"
    assert "the disk is gone" in told.details["text"]


def test_after_a_good_turn_a_disturbance_is_the_first_again(pool: WorkerPool[Clumsy]) -> None:
    counted: list[int] = []
    for at in (("work",), ("work",), (), ("work",)):
        worker = Clumsy("t1", at, counted)
        pool.begin(worker)
        assert worker.join(20)
        pool.collect()
    assert counted == [1, 2, 1]
