"""Ordered dispatch under every interleaving that hypothesis thinks of: several dispatchers, one spool, no coordinator.

The dispatchers here take the steps of the real ones (claim, look afresh, start or let go, end) with the real `Claim`,
`OrderGuard` and `TaskQueue`; between any two steps another one acts, series arrive and are routed, and people bring
failed tasks back.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from mercure.clock import ManualClock
from mercure.names import derived_id, new_id
from mercure.scheduling.order import OrderGuard, are_parts
from mercure.scheduling.queue import TaskQueue
from mercure.spool import Claim, Spool, Stage, Task, load_task, move, save_task
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from mercure.config.models import Order

DISPATCHERS = 3
STUDIES = ("1.2.1", "1.2.2")
KEY = "route:pacs"


@dataclass
class Held:
    """A task that a dispatcher has claimed, and whether it has started it."""

    claim: Claim
    task: Task
    started: bool = False


def no_problem(name: str, reason: str) -> None:
    pytest.fail(f"{name}: {reason}")


class OrderedDispatch(RuleBasedStateMachine):
    order: ClassVar[Order] = "study"

    routing: Bundle[str] = Bundle("routing")
    claimed: Bundle[str] = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.spool = Spool(self.stack.enter_context(memory_folder()))
        self.spool.create()
        self.clock = ManualClock()
        queues = [TaskQueue(self.spool, no_problem) for _ in range(DISPATCHERS)]
        self.gates = [OrderGuard(self.spool, queue) for queue in queues]
        self.queues = queues
        self.held: dict[str, Held] = {}
        self.studies: dict[str, str] = {}
        self.given: set[str] = set()

    def teardown(self) -> None:
        for held in self.held.values():
            held.claim.release()
        self.stack.close()

    def line(self, task: str) -> str:
        return self.studies[task[:21]] if self.order == "study" else "all"

    # --- what arrives and is routed

    def next_id(self, study: str, chance: int) -> str:
        """Make an id whose random part was drawn: with one of `new_id`'s own, a replay would sort tasks otherwise."""
        while True:
            name = f"{new_id(self.clock.now())[:22]}{chance:08x}"
            if name not in self.given and self.studies.setdefault(name[:21], study) == study:
                self.given.add(name)
                return name
            self.clock.advance(1e-6)

    @rule(
        target=routing,
        study=st.sampled_from(STUDIES),
        later=st.sampled_from([0, 1, 1000]),
        chance=st.integers(0, 0xFFFFFFFF),
        described=st.booleans(),
    )
    def complete(self, study: str, later: int, chance: int, *, described: bool) -> str:
        """A router takes a series. Two may come within one microsecond, by a clock that stands still."""
        self.clock.advance(later / 1e6)
        name = self.next_id(study, chance)
        directory = self.spool.entry(Stage.ROUTING, name)
        directory.mkdir()
        if described:
            (directory / "association.jsonl").write_text(json.dumps({"StudyInstanceUID": study}) + "\n")
        return name

    @rule(name=routing)
    def describe(self, name: str) -> None:
        """The router has written the task's model."""
        self._describe(name)

    def _describe(self, name: str) -> Task:
        study = self.studies[name[:21]]
        task = Task.model_validate(
            {"id": name, "created": self.clock.now(), "images": 1, "identity": {"StudyInstanceUID": study}}
        )
        save_task(self.spool.entry(Stage.ROUTING, name), task)
        return task

    @rule(name=consumes(routing), wanted=st.booleans(), stays=st.booleans())
    def route(self, name: str, *, wanted: bool, stays: bool) -> None:
        """The router derives a task for our target, or the rules want it elsewhere; then it retires the parent."""
        task = self._describe(name)
        if wanted:
            child = task.model_copy(update={"id": derived_id(name, KEY), "parent": name, "target": "pacs"})
            building = self.spool.stage(Stage.OUTGOING) / f".{child.id}.new"
            building.mkdir()
            save_task(building, child)
            building.rename(self.spool.entry(Stage.OUTGOING, child.id))
        if not stays:
            shutil.rmtree(self.spool.entry(Stage.ROUTING, name))

    @precondition(lambda self: self.spool.names(Stage.ROUTING))
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        """A parent that stayed for a moment after its task was derived goes."""
        derived = [
            name for name in self.spool.names(Stage.ROUTING) if self.spool.find(derived_id(name, KEY)) is not None
        ]
        if derived:
            shutil.rmtree(self.spool.entry(Stage.ROUTING, data.draw(st.sampled_from(derived))))

    @rule(study=st.sampled_from(STUDIES), chance=st.integers(0, 0xFFFFFFFF))
    def arrive(self, study: str, chance: int) -> None:
        """A series is taken and routed before anybody else does anything."""
        self.route(self.complete(study, 1, chance, described=False), wanted=True, stays=False)

    # --- what the dispatchers do

    @precondition(lambda self: self.spool.names(Stage.OUTGOING))
    @rule(target=claimed, data=st.data())
    def claim(self, data: st.DataObject) -> str | MultipleResults[str]:
        name = data.draw(st.sampled_from(self.spool.names(Stage.OUTGOING)))
        claim = Claim.take(self.spool.entry(Stage.OUTGOING, name))
        if claim is None:
            assert name in self.held
            return multiple()
        self.held[name] = Held(claim, load_task(claim.path))
        return name

    @precondition(lambda self: self.spool.names(Stage.OUTGOING))
    @rule(data=st.data(), dispatcher=st.integers(0, DISPATCHERS - 1))
    def start(self, data: st.DataObject, dispatcher: int) -> None:
        """Claim and look, with nothing in between."""
        name = self.claim(data)
        if isinstance(name, str):
            self.look(name, dispatcher)

    @rule(name=consumes(claimed), dispatcher=st.integers(0, DISPATCHERS - 1))
    def look(self, name: str, dispatcher: int) -> None:
        """Start the claimed task, or let it go."""
        held = self.held[name]
        before = self.gates[dispatcher].before(held.task, self.order, lambda: True)
        if before is not None:
            assert before.task != name
            assert self.spool.find(before.task) is not None
            held.claim.release()
            del self.held[name]
            return
        self._assert_turn(name)
        held.started = True

    def _assert_turn(self, name: str) -> None:
        line = self.line(name)
        mine = [other for other in self.spool.names(Stage.OUTGOING) if self.line(other) == line]
        # Parts of one divided series have the time of their series in common, and no order in their study.
        earlier = [other for other in mine if other < name and not are_parts(other, name, self.order)]
        assert not earlier, "something received earlier still waits"
        assert not [o for o in mine if o in self.held and self.held[o].started], "another one is in flight"
        to_come = {derived_id(other, KEY): other for other in self.spool.names(Stage.ROUTING)}
        routed = [child for child, other in to_come.items() if self.line(other) == line and child < name]
        assert not routed, "something received earlier is still in routing"

    @precondition(lambda self: any(held.started for held in self.held.values()))
    @rule(data=st.data(), how=st.sampled_from([Stage.SUCCESS, Stage.ERROR, None]))
    def end(self, data: st.DataObject, how: Stage | None) -> None:
        """A delivery ends: well, for good, or to be tried again; None is a killed dispatcher as well."""
        name = data.draw(st.sampled_from(sorted(name for name, held in self.held.items() if held.started)))
        held = self.held.pop(name)
        if how is not None:
            move(self.spool, held.claim, how)
        held.claim.release()

    @precondition(lambda self: self.spool.names(Stage.ERROR))
    @rule(data=st.data())
    def bring_back(self, data: st.DataObject) -> None:
        """A person retries a task that failed for good; what came after it may be under way."""
        name = data.draw(st.sampled_from(self.spool.names(Stage.ERROR)))
        claim = Claim.take(self.spool.entry(Stage.ERROR, name))
        assert claim is not None
        with claim:
            move(self.spool, claim, Stage.OUTGOING)

    @rule(dispatcher=st.integers(0, DISPATCHERS - 1))
    def scan(self, dispatcher: int) -> None:
        """A dispatcher's index may be of any age."""
        self.queues[dispatcher].scan()

    @invariant()
    def one_at_a_time(self) -> None:
        lines = [self.line(name) for name, held in self.held.items() if held.started]
        assert len(lines) == len(set(lines))

    @invariant()
    def never_stuck(self) -> None:
        """As soon as nothing is in hand and nothing in routing, the first of each line may start."""
        if self.held or self.spool.names(Stage.ROUTING):
            return
        self.queues[0].scan()
        for task, _ in self.queues[0].heads("pacs", self.order):
            assert self.gates[0].before(task, self.order, lambda: True) is None


class OrderedByReceipt(OrderedDispatch):
    order = "received"


SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])

TestByStudy = OrderedDispatch.TestCase
TestByStudy.settings = SETTINGS
TestByReceipt = OrderedByReceipt.TestCase
TestByReceipt.settings = SETTINGS
