"""The spool under a state machine: whatever is begun, crashed at any step and begun again, no image is ever nowhere."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from mercure import durable
from mercure.names import derived_id, new_id
from mercure.spool import (
    TASK_STAGES,
    Claim,
    Failure,
    LedgerLine,
    Spool,
    Stage,
    Task,
    add_to_ledger,
    derive,
    image_files,
    load_task,
    move,
    read_ledger,
    save_task,
)
from mercure.spool.link import LinkSource
from tests.support.faults import Crash, crash_at, failing_at
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAULTS = st.none() | st.tuples(st.sampled_from(["crash", "ENOSPC", "EIO"]), st.integers(1, 12))
ENDS = st.sampled_from([Stage.SUCCESS, Stage.ERROR, Stage.DISCARD])
NEVER = 10_000


class SpoolMachine(RuleBasedStateMachine):
    """Routed tasks are derived from, retired and moved; every rule may be cut off, and is repeated later."""

    tasks = Bundle("tasks")

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.spool = Spool(self.stack.enter_context(memory_folder()) / "spool")
        self.spool.create()
        self.images: dict[bytes, str] = {}
        """Content of every image ever received, and the routed task in which it came."""
        self.plans: dict[str, tuple[str, ...]] = {}
        """The targets for which tasks are derived from each routed task."""
        self.confirmed: dict[str, set[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def attempt(self, work: Callable[[], object], fault: tuple[str, int] | None) -> bool:
        """Do something with a fault in between; tell whether it came to its end."""
        kind, number = fault or ("crash", NEVER)
        with crash_at(number) if kind == "crash" else failing_at(number, kind), suppress(Crash, OSError):
            work()
            return True
        return False

    @rule(target=tasks, count=st.integers(1, 3), wanted=st.sampled_from(["a", "ab", "abc"]))
    def receive(self, count: int, wanted: str) -> str:
        name = new_id(NOW)
        directory = self.spool.entry(Stage.ROUTING, name)
        directory.mkdir()
        for number in range(count):
            data = f"{name} {number}".encode()
            (directory / f"{number}.dcm").write_bytes(data)
            self.images[data] = name
        save_task(directory, Task(id=name, created=NOW, images=count))
        self.plans[name] = tuple(wanted)
        return name

    @rule(target=tasks, name=tasks, fault=FAULTS)
    def route(self, name: str, fault: tuple[str, int] | None) -> object:
        """Derive what was planned, then retire: as the router does, and again after a crash."""

        def work() -> None:
            claim = Claim.take(self.spool.entry(Stage.ROUTING, name))
            if claim is None:
                return
            with claim:
                task = load_task(claim.path)
                files = [image.name for image in image_files(claim.path)]
                for target in self.plans[name]:
                    child = task.model_copy(update={"id": derived_id(name, target), "parent": name, "target": target})
                    derive(self.spool, child, self.spool.stage(Stage.OUTGOING), [LinkSource(claim.path, files)])
                durable.remove_tree(claim.path)

        if name not in self.plans:
            return multiple()
        self.attempt(work, fault)
        made = [derived_id(name, target) for target in self.plans[name]]
        return multiple(*(task for task in made if self.spool.find(task)))

    @rule(name=tasks, end=ENDS, fault=FAULTS)
    def finish(self, name: str, end: Stage, fault: tuple[str, int] | None) -> None:
        def work() -> None:
            claim = Claim.take(self.spool.entry(Stage.OUTGOING, name))
            if claim is None:
                return
            with claim:
                failure = Failure(stage="outgoing", reason="no", at=NOW) if end is Stage.ERROR else None
                save_task(claim.path, load_task(claim.path).model_copy(update={"finished": NOW, "failure": failure}))
                move(self.spool, claim, end)

        self.attempt(work, fault)

    @rule(name=tasks, number=st.integers(0, 2), fault=FAULTS)
    def confirm(self, name: str, number: int, fault: tuple[str, int] | None) -> None:
        directory = self.spool.entry(Stage.OUTGOING, name)
        if directory.exists() and (directory / f"{number}.dcm").exists():
            line = LedgerLine(file=f"{number}.dcm", status="0x0000", time=NOW, target="a")
            if self.attempt(lambda: add_to_ledger(directory, [line]), fault):
                self.confirmed.setdefault(name, set()).add(line.file)

    @rule(name=tasks, fault=FAULTS)
    def try_again(self, name: str, fault: tuple[str, int] | None) -> None:
        """A person sends a failed task on its way again."""

        def work() -> None:
            claim = Claim.take(self.spool.entry(Stage.ERROR, name))
            if claim is None:
                return
            with claim:
                save_task(claim.path, load_task(claim.path).for_retry())
                move(self.spool, claim, Stage.OUTGOING)

        self.attempt(work, fault)

    @rule(name=consumes(tasks), fault=FAULTS)
    def retire(self, name: str, fault: tuple[str, int] | None) -> None:
        """The cleaner removes what was delivered, unless the router may still look for it."""
        directory = self.spool.entry(Stage.SUCCESS, name)
        parent = load_task(directory).parent if directory.exists() else None
        if parent is None or self.spool.entry(Stage.ROUTING, parent).exists():
            return
        self.attempt(lambda: durable.remove_tree(directory), fault)
        if not directory.exists():
            target = next(target for target in self.plans[parent] if derived_id(parent, target) == name)
            self.plans[parent] = tuple(other for other in self.plans[parent] if other != target)
            self.confirmed.pop(name, None)

    @invariant()
    def every_image_is_in_one_routed_task_or_in_all_that_were_derived(self) -> None:
        if not hasattr(self, "images"):
            return
        where: dict[bytes, set[str]] = {}
        for stage in TASK_STAGES:
            for name in self.spool.names(stage):
                for image in image_files(self.spool.entry(stage, name)):
                    where.setdefault((self.spool.entry(stage, name) / image.name).read_bytes(), set()).add(name)
        for data, origin in self.images.items():
            children = {derived_id(origin, target) for target in self.plans[origin]}
            if self.spool.entry(Stage.ROUTING, origin).exists():
                assert origin in where[data]
                assert where[data] <= {origin, *children}
            else:
                assert where.get(data, set()) == children

    @invariant()
    def every_task_is_whole_and_in_one_stage(self) -> None:
        if not hasattr(self, "images"):
            return
        places = list(self.spool.tasks())
        assert len({name for _, name in places}) == len(places)
        for stage, name in places:
            directory = self.spool.entry(stage, name)
            assert load_task(directory).images == len(image_files(directory))
            assert self.confirmed.get(name, set()) <= set(read_ledger(directory))


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=25, suppress_health_check=list(HealthCheck))
