"""Runs a scenario: once to count the steps, then once per step with a kill there; and judges what is left."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appliance.control.session import Session
from mercure.bookkeeping.verify import verify
from mercure.config import Root
from mercure.spool import Stage, load_task
from tests.crash.matrix import actors
from tests.crash.matrix.world import World
from tests.support import killing
from tests.support.account import Account, Sent
from tests.support.dcmtk import KEEP_EACH_TRY, storescp
from tests.support.polling import eventually
from tests.support.procfs import is_stopped
from tests.support.receiver import receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.crash.matrix.scenarios import Actor, Scenario
    from tests.support.receiver import Receiver

KILLS = ("exit", "stop")
"""By ``_exit`` at the step, and by SIGKILL from outside while the process stands still before it."""

ERRORS = ("ENOSPC", "EIO")
"""The step fails, once; the victim may go on, or give up."""

ACTIONS = (*KILLS, *ERRORS)

ROUNDS = 5
_WAITING = (Stage.INCOMING, Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING)
_ALL = (actors.route, actors.process, actors.dispatch, actors.record)


@dataclass
class Result:
    """What came of one scenario."""

    scenario: str
    steps: int
    struck: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    acknowledged: int = 0
    """Images acknowledged, over all runs; each was looked for after its fault and in the end."""

    @property
    def kills(self) -> int:
        """How often the victim was killed."""
        return sum(self.struck[action] for action in KILLS)

    @property
    def errors(self) -> int:
        """How often a step of it failed."""
        return sum(self.struck[action] for action in ERRORS)


class Crashes:
    """One scenario, ready to be killed.

    Parameters
    ----------
    scenario
        Which.
    folder
        An empty folder, better in memory: nearly every step is a sync.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.world = World(folder)
        self.log = folder / "steps.log"
        self.prepared = Account()

    @contextmanager
    def ready(self) -> Iterator[list[int]]:
        """Bring the world to where the victim begins, and give the numbers of the steps that it then takes."""
        scenario, world = self.scenario, self.world
        with ExitStack() as stack:
            if scenario.dicom:
                node = stack.enter_context(
                    storescp(world.folder / "node", "--bit-preserving", "--fork", KEEP_EACH_TRY, aet="NODE")
                )
                world.nodes["a"], world.node_port = node.folder, node.port
            world.configure({"targets": scenario.targets(world), "rules": scenario.rules, **scenario.more})
            if scenario.victim is not None:
                self._receive(list(scenario.objects))
                for actor in scenario.before:
                    self._work(actor)
                self._receive(list(scenario.late))
            world.keep()
            account = self._undisturbed()
            numbers = self._logged()
            self._finish(account, [])
            self._judge(account)
            yield numbers

    def strike(self, number: int, action: str) -> tuple[bool, int]:
        """Let a fault strike at a step, and judge; tell whether it did, and how many images are on account."""
        self.world.restore()
        account = Account(list(self.prepared.acknowledged))
        left = self._struck(account, number, action)
        self._nothing_is_nowhere(account)
        struck = number in self._logged()
        self._finish(account, left)
        self._judge(account)
        return struck, len(account.acknowledged)

    def _undisturbed(self) -> Account:
        account = Account(list(self.prepared.acknowledged))
        assert self._struck(account, 0, "") == []
        return account

    def _struck(self, account: Account, number: int, action: str) -> list[Sent]:
        """Let the victim work and the fault strike; return what the sender has still to send."""
        self.log.unlink(missing_ok=True)
        fault = f"{action}@{number}" if number else ""
        victim, world = self.scenario.victim, self.world
        if victim is None:
            return self._struck_receiver(account, fault)
        with killing.started(victim, world.root, world.clock(), fault=fault, log=self.log) as process:
            eventually(lambda: process.exitcode is not None or is_stopped(process.pid or 0), seconds=60, what="its end")
            if process.exitcode is None:
                self._nothing_is_nowhere(account)
                process.kill()
            process.join()
            if not number:
                assert process.exitcode == 0
        return []

    def _struck_receiver(self, account: Account, fault: str) -> list[Sent]:
        env = {"MERCURE_FAULT": fault, "MERCURE_STEP_LOG": str(self.log)}
        left: list[Sent] = []
        with self._receiver(env) as running:
            sending = threading.Thread(
                target=lambda: left.extend(account.send(running.port, list(self.scenario.objects)))
            )
            sending.start()
            eventually(lambda: not sending.is_alive() or self._stopped(running), seconds=60, what="the sender ends")
            if sending.is_alive():
                self._nothing_is_nowhere(account)
                for pid in self._stopped(running):
                    os.kill(pid, signal.SIGKILL)
            sending.join(60)
            assert not sending.is_alive()
            # A parent that clears up after its child may come to the step of this number itself, and be struck too.
            parent = running.program
            eventually(
                lambda: not parent.is_alive or is_stopped(parent.pid) or running.is_idle(),
                seconds=60,
                what="it is cleared up",
            )
            if is_stopped(parent.pid):
                parent.kill()
        return [sent for sent in left if sent.readable]

    @staticmethod
    def _stopped(running: Receiver) -> list[int]:
        return [pid for pid in running.children() if is_stopped(pid)]

    def _receiver(self, env: dict[str, str] | None = None) -> AbstractContextManager[Receiver]:
        return receiver(self.world.root, env=env, log_level="info", **self.scenario.receiver)

    def _receive(self, objects: list[Sent]) -> None:
        if objects:
            with self._receiver() as running:
                assert self.prepared.send(running.port, objects) == []
                running.until_idle()

    def _work(self, actor: Actor) -> None:
        actor(self.world.root, self.world.clock())

    def _logged(self) -> list[int]:
        if not self.log.exists():
            return []
        lines = [line.split(" ", 2) for line in self.log.read_text(encoding="utf-8").splitlines()]
        # The receiver is a process for each association; the first line is its parent's, which only starts it.
        parent = lines[0][0] if self.scenario.victim is None and lines else ""
        return sorted({int(number) for pid, number, _ in lines if pid != parent})

    def _finish(self, account: Account, left: list[Sent]) -> None:
        """Start everything again, and let it finish: the sender sends what was not acknowledged."""
        while left:
            with self._receiver() as running:
                left = [sent for sent in account.send(running.port, left) if sent.readable]
                running.until_idle()
        if self.scenario.victim not in (None, *_ALL):
            self._work(self.scenario.victim)
        for _ in range(ROUNDS):
            for actor in _ALL:
                self._work(actor)
            if not any(self.world.spool.names(stage) for stage in _WAITING):
                break
        self._work(actors.clean)
        self._work(actors.record)

    def _nothing_is_nowhere(self, account: Account) -> None:
        places = self.world.everywhere()
        lost = [sent.sop for sent in account.acknowledged if sent.data not in places]
        assert lost == [], f"acknowledged, and nowhere: {lost}"

    def _judge(self, account: Account) -> None:
        """Each acknowledged image is wherever the scenario says, and ``mercure verify`` finds nothing."""
        world = self.world
        for end in self.scenario.ends:
            stage = end.removeprefix("stage/")
            held = world.images_at(end) if stage == end else world.images_in(stage)
            lost = [sent.sop for sent in account.acknowledged if sent.data not in held]
            assert lost == [], f"acknowledged, and not in {end}: {lost}"
        for directory in (world.spool.entry(Stage.DISCARD, name) for name in world.spool.names(Stage.DISCARD)):
            task = load_task(directory)
            assert task.rules or task.discarded, "discarded, and by nobody"
        session = Session(Root(world.root), "tester")
        report = verify(session.root, session.config)
        assert report.exit_code == 0, [finding.text for finding in report.findings] + list(report.unchecked)


def run(scenario: Scenario, folder: Path, *, faults: int | None = None) -> Result:
    """Run a scenario, once without a fault and then once for each.

    Parameters
    ----------
    scenario, folder
        Which, and an empty folder for it.
    faults
        So many only, spread over the steps and the kinds; absent: each kind at each step.
    """
    crashes = Crashes(scenario, folder)
    with crashes.ready() as numbers:
        result = Result(scenario.name, len(numbers))
        for number, action in _chosen(numbers, faults):
            try:
                struck, acknowledged = crashes.strike(number, action)
            except AssertionError as error:
                raise AssertionError(f"{scenario.name}, {action}@{number}: {error}") from error
            result.struck[action] += struck
            result.acknowledged += acknowledged
    return result


def _chosen(numbers: list[int], faults: int | None) -> list[tuple[int, str]]:
    if faults is None:
        return [(number, action) for number in numbers for action in ACTIONS]
    spread = [numbers[place * len(numbers) // faults] for place in range(faults)]
    return [(number, ACTIONS[place % len(ACTIONS)]) for place, number in enumerate(spread)]
