"""The hands of a service: nothing that one of them does keeps its task from being taken up again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pytest

from mercure.delivery.crew import Crew, Hand
from mercure.delivery.queue import Queue
from tests.support.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Clumsy(Hand):
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
def crew(box: Box) -> Crew[Clumsy]:
    context = box.context("dispatcher")
    return Crew(Queue(box.spool, lambda name, reason: None), context.events, context.clock, lambda: None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_hand_that_cannot_even_let_go_frees_its_task_all_the_same(crew: Crew[Clumsy]) -> None:
    hand = Clumsy("t1", ("let go",))
    crew.begin(hand)
    assert hand.join(20)
    assert crew.collect() == float("inf")
    assert "t1" not in crew
    assert not list(crew)


def test_a_disturbed_task_rests_longer_each_time_and_is_told_of_once(box: Box, crew: Crew[Clumsy]) -> None:
    rests = []
    for _ in range(3):
        hand = Clumsy("t1", ("work",))
        crew.begin(hand)
        assert "t1" in crew
        assert hand.join(20)
        rests.append(crew.collect())
        assert "t1" in crew
        box.clock.advance(rests[-1])
        assert crew.collect() == float("inf")
        assert "t1" not in crew
    assert rests == [10, 20, 30]
    (told,) = box.events("warning")
    assert told.task == "t1"
    assert "the disk is gone" in told.details["text"]


def test_after_a_good_turn_a_disturbance_is_the_first_again(crew: Crew[Clumsy]) -> None:
    counted: list[int] = []
    for at in (("work",), ("work",), (), ("work",)):
        hand = Clumsy("t1", at, counted)
        crew.begin(hand)
        assert hand.join(20)
        crew.collect()
    assert counted == [1, 2, 1]
