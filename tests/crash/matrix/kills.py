"""Runs a scenario: once to count the steps, then once per step with a kill there; and judges what is left."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from appliance.control.session import Session
from mercure.config import Root
from mercure.history.verify import verify
from mercure.spool import Spool, Stage, load_task
from tests.crash.matrix import actors
from tests.crash.matrix.scenario import Batch
from tests.crash.matrix.world import World
from tests.oracle.judge import Run, judge
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import Disturbances, digest
from tests.support import killing
from tests.support.account import Account
from tests.support.certificates import make_authority
from tests.support.dcmtk import KEEP_EACH_TRY, storescp
from tests.support.folders import short_folder
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.procfs import children_of, is_stopped
from tests.support.receiver import receiver
from tests.support.recording_node import RecordingNode
from tests.support.tls_receiver import client_context, tls_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.crash.matrix.scenario import Actor, Scenario
    from tests.support.certificates import Certificate
    from tests.support.receiver import Receiver

KILLS = ("exit", "stop")
"""By ``_exit`` at the step, and by SIGKILL from outside while the process stands still before it."""

ERRORS = ("ENOSPC", "EIO")
"""The step fails, once; the victim may go on, or give up."""

ACTIONS = (*KILLS, *ERRORS)

ROUNDS = 5
TAKES_LONG = 60.0
"""Seconds: here the router decides only when the senders have ended, however slow they are."""

_WAITING = (Stage.INCOMING, Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING)
_ALL = (actors.route, actors.process, actors.dispatch, actors.record)


@dataclass
class Result:
    """What came of one scenario."""

    scenario: str
    steps: int = 0
    struck: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    acknowledged: int = 0
    """Images acknowledged, over all runs; each was looked for after its fault and in the end."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """What was not as it should be, by its kind; ``lost``: acknowledged, and nowhere at the moment of a fault."""
    troubles: list[str] = field(default_factory=list)
    """What went wrong, in words: the first of each run."""

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
        self.prepared = Account(forms=scenario.forms)
        self.disturbances = Disturbances()
        self.damaged: set[str] = set()
        self.router: Certificate
        self.scanner: Certificate
        self.secure_port = 0
        self.taken: list[float] = []
        """When a router had taken all that had come."""

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Bring the world to where the victim begins."""
        scenario, world = self.scenario, self.world
        with ExitStack() as stack:
            if scenario.secure:
                (world.folder / "tls").mkdir()
                world.hospital = make_authority(world.folder / "tls")
                self.secure_port = free_port()
                self.router, self.scanner = world.hospital.sign("router"), world.hospital.sign("scanner")
            if scenario.dicom:
                stock = storescp(
                    world.folder / "node", "--bit-preserving", "--fork", KEEP_EACH_TRY, *scenario.takes, *self._tls(),
                    aet="NODE",
                )  # fmt: skip
                there = stack.enter_context(stock)
                world.nodes["a"], world.node_port = there.folder, there.port
            for name, node in scenario.recording(RecordingNode).items():
                world.recording[name] = node
                node.come()
                stack.callback(node.go)
            if scenario.leads_back is not None:
                world.others = tuple(f"router-{number}" for number in range(scenario.leads_back))
                world.ports = {root.name: free_port() for root in world.roots}
            world.steps = scenario.steps
            rules = {rule.name: rule.written for rule in scenario.rules}
            world.configure({"targets": scenario.targets(world), "rules": rules, **scenario.more})
            if scenario.moves:
                (world.root / "run").mkdir()
                world.other_disk = stack.enter_context(short_folder())
                (world.root.parent / actors.OTHER_DISK).symlink_to(world.other_disk)
            if scenario.victim is not None:
                self._receive(scenario.objects)
                for each in scenario.before:
                    self._receive((each,)) if isinstance(each, Batch) else self._work(each)
                self._receive(scenario.late)
            world.keep()
            if scenario.damaged:
                self.damaged = {image.digest for image in self.prepared.sent} - world.everywhere()
                assert len(self.damaged) == 1
            yield

    def undisturbed(self) -> tuple[list[int], Run]:
        """Let the victim do its work, and return the numbers of the steps that it took, and what is then where."""
        account = self._account()
        assert self._struck(account, 0, "") == []
        numbers = self._logged()
        self._finish(account, [])
        return numbers, self._run(account, "")

    def strike(self, number: int, action: str) -> tuple[bool, Run]:
        """Let a fault strike at a step; tell whether it did, and what is then where."""
        self.world.restore()
        account = self._account()
        with nullcontext() if self.scenario.once else self.disturbances.during():
            left = self._struck(account, number, action)
        self._nothing_is_nowhere(account)
        struck = number in self._logged()
        self._finish(account, left)
        return struck, self._run(account, action)

    def _account(self) -> Account:
        return Account(list(self.prepared.acknowledged), sent=list(self.prepared.sent), forms=self.scenario.forms)

    def _run(self, account: Account, action: str) -> Run:
        # After a minute a series that could not be sent is passed by those of its study, and the clock goes by hours.
        orders = {
            name: order for name, order in self.scenario.orders.items() if action not in ERRORS or order != "study"
        }
        return Run(
            account.sent,
            self.scenario.rules,
            self.world.arrivals(),
            self.scenario.destinations,
            self.disturbances,
            patience=TAKES_LONG,
            damaged=frozenset(self.damaged),
            orders=orders,
            taken=tuple(self.taken),
            again=self.scenario.again,
        )

    def _struck(self, account: Account, number: int, action: str) -> list[Batch]:
        """Let the victim work and the fault strike; return what the sender has still to send."""
        self.log.unlink(missing_ok=True)
        fault = f"{action}@{number}" if number else ""
        victim, world = self.scenario.victim, self.world
        if victim is None:
            return self._struck_receiver(account, fault)
        start = killing.started(victim, world.root, world.clock(), fault=fault, log=self.log)
        with self._listening(victim), start as process:
            pid = process.pid or 0
            eventually(lambda: process.exitcode is not None or _stopped(pid), seconds=60, what="its end")
            if process.exitcode is None:
                self._nothing_is_nowhere(account)
                stopped = _stopped(pid)
                process.kill()
                for each in stopped:
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)
            process.join()
            if not number:
                assert process.exitcode == 0
        return []

    def _struck_receiver(self, account: Account, fault: str) -> list[Batch]:
        env = {"MERCURE_FAULT": fault, "MERCURE_STEP_LOG": str(self.log)}
        left: list[Batch] = []
        with self._receiver(env) as running:
            parent = running.program
            port = self._port(running)
            sending = threading.Thread(target=lambda: left.extend(self._sent(account, port, self.scenario.objects)))
            sending.start()
            # Each association is a process of its own and comes to the step of this number itself. A parent that clears
            # up after its child may come to it, too.
            while sending.is_alive():
                eventually(lambda: not sending.is_alive() or self._stopped(running), seconds=60, what="the sender ends")
                self._nothing_is_nowhere(account)
                for pid in self._stopped(running):
                    os.kill(pid, signal.SIGKILL)
            eventually(
                lambda: not parent.is_alive or is_stopped(parent.pid) or running.is_idle(),
                seconds=60,
                what="it is cleared up",
            )
            if is_stopped(parent.pid):
                parent.kill()
        return left

    @staticmethod
    def _stopped(running: Receiver) -> list[int]:
        return [pid for pid in (*running.children(), running.program.pid) if is_stopped(pid)]

    def _tls(self) -> tuple[str, ...]:
        """Return the options of a ``storescp`` that speaks TLS alone, and wants a certificate."""
        hospital = self.world.hospital
        if hospital is None:
            return ()
        node = hospital.sign("node")
        return ("+tls", str(node.key), str(node.file), "--add-cert-file", str(hospital.file), "--require-peer-cert")

    def _receiver(self, env: dict[str, str] | None = None) -> AbstractContextManager[Receiver]:
        hospital, tls = self.world.hospital, {}
        if hospital is not None:
            tls = {**tls_settings(self.router, hospital, "required"), "tls_port": self.secure_port}
        return receiver(self.world.root, env=env, log_level="info", **self.scenario.receiver, **tls)

    def _port(self, running: Receiver) -> int:
        """Return where senders call; a receiver that is stopped may not have come so far."""
        if self.world.hospital is None:
            return running.port

        def is_there() -> bool:
            program = running.program
            return is_listening(self.secure_port) or not program.is_alive or is_stopped(program.pid)

        eventually(is_there, seconds=60, what="the port for TLS")
        return self.secure_port

    def _sent(self, account: Account, port: int, batches: Sequence[Batch]) -> list[Batch]:
        """Send batches one after the other, and return what is left of each to be sent again."""
        hospital = self.world.hospital
        account.tls = None if hospital is None else client_context(hospital, self.scanner)
        left = []
        for batch in batches:
            sender = account.as_sender(batch.calling, batch.called, batch.source, batch.sender)
            rest = tuple(sent for sent in sender.send(port, list(batch.objects)) if sent.readable)
            if rest:
                left.append(replace(batch, objects=rest))
        return left

    def _receive(self, batches: tuple[Batch, ...]) -> None:
        if batches:
            with self._receiver() as running:
                assert self._sent(self.prepared, self._port(running), batches) == []
                running.until_idle()

    def _work(self, actor: Actor) -> None:
        """Let a service work; what all of them do, other routers do after it."""
        for root in self.world.roots if actor in _ALL else (self.world.root,):
            with self._listening(actor):
                actor(root, self.world.clock())
        if actor is actors.route:
            self.taken.append(monotonic())

    @contextmanager
    def _listening(self, actor: Actor) -> Iterator[None]:
        """Let the receivers of all routers listen while something is delivered, where targets are routers."""
        with ExitStack() as stack:
            ports = self.world.ports if actor is actors.dispatch else {}
            running = [
                stack.enter_context(receiver(root, port=ports[root.name], log_level="info"))
                for root in self.world.roots
                if ports
            ]
            yield
            for each in running:
                each.until_idle()

    def _logged(self) -> list[int]:
        if not self.log.exists():
            return []
        lines = [line.split(" ", 2) for line in self.log.read_text(encoding="utf-8").splitlines()]
        # The receiver is a process for each association; the first line is its parent's, which only starts it.
        parent = lines[0][0] if self.scenario.victim is None and lines else ""
        return sorted({int(number) for pid, number, _ in lines if pid != parent})

    def _finish(self, account: Account, left: list[Batch]) -> None:
        """Start everything again, and let it finish: the sender sends what was not acknowledged."""
        while left:
            with self._receiver() as running:
                left = self._sent(account, self._port(running), left)
                running.until_idle()
        for actor in self.scenario.meanwhile:
            self._work(actor)
        if self.scenario.victim not in (None, *_ALL):
            self._work(self.scenario.victim)
        for _ in range(ROUNDS):
            for actor in _ALL:
                self._work(actor)
            if not self._waits():
                break
        self._work(actors.clean)
        self._work(actors.record)

    def _waits(self) -> bool:
        """Tell whether anything waits at a router for other than a person."""
        spools = [self.world.spool, *(Spool(root / "spool") for root in self.world.roots[1:])]
        return any(set(spool.names(stage)) - actors.held(spool) for spool in spools for stage in _WAITING)

    def _nothing_is_nowhere(self, account: Account) -> None:
        places = self.world.everywhere() | self.damaged
        lost = [sent.sop for sent in account.acknowledged if digest(sent.data) not in places]
        if lost:
            raise LostError(f"acknowledged, and nowhere: {lost}")

    def verified(self) -> list[str]:
        """Say what ``mercure verify`` objects to, and what was discarded by nobody."""
        world = self.world
        found = []
        for directory in (world.spool.entry(Stage.DISCARD, name) for name in world.spool.names(Stage.DISCARD)):
            task = load_task(directory)
            if not (task.rules or task.discarded):
                found.append(f"{directory.name} is discarded, and by nobody")
        session = Session(Root(world.root), "tester")
        report = verify(session.root, session.config)
        if report.exit_code and not self.damaged:
            found += [finding.text for finding in report.findings] + list(report.unchecked)
        return found


def _stopped(pid: int) -> list[int]:
    """Return which stand still of a process and those that it has started."""
    return [each for each in (pid, *children_of(pid)) if is_stopped(each)]


class LostError(AssertionError):
    """An acknowledged image was nowhere at the moment of a fault."""


def run(scenario: Scenario, folder: Path, *, faults: int | None = None, brief: bool = False) -> Result:
    """Run a scenario, once without a fault and then once for each.

    Parameters
    ----------
    scenario, folder
        Which, and an empty folder for it.
    faults
        So many only, spread over the steps and the kinds; absent: each kind at each step.
    brief
        At each step one kill only, of one kind and the other by turns, and at each third one error.
    """
    crashes = Crashes(scenario, folder)
    result = Result(scenario.name)
    with crashes.ready():
        numbers, seen = crashes.undisturbed()
        result.steps = len(numbers)
        _judge(result, "undisturbed", crashes, seen)
        if not result.troubles:
            assert_planted_are_found(seen)
        for number, action in _briefly(numbers) if brief else _chosen(numbers, faults):
            where = f"{action}@{number}"
            try:
                struck, seen = crashes.strike(number, action)
            except LostError as error:
                result.verdicts["lost"] += 1
                result.troubles.append(f"{where}: {error}")
                continue
            except AssertionError as error:
                raise AssertionError(f"{scenario.name}, {where}: {error}") from error
            result.struck[action] += struck
            result.acknowledged += sum(image.answer == "acknowledged" for image in seen.sent)
            _judge(result, where, crashes, seen)
    return result


def _judge(result: Result, where: str, crashes: Crashes, seen: Run) -> None:
    """Compare what is where with what should be, and let ``mercure verify`` object."""
    verdicts = judge(seen)
    result.verdicts.update(Counter({verdict.kind for verdict in verdicts}))
    said = [*map(str, verdicts), *crashes.verified()]
    if said:
        result.troubles.append(f"{where}: {'; '.join(said[:4])}")


def _briefly(numbers: list[int]) -> list[tuple[int, str]]:
    kills = [(number, KILLS[place % 2]) for place, number in enumerate(numbers)]
    return kills + [(number, ERRORS[place % 2]) for place, number in enumerate(numbers[::3])]


def _chosen(numbers: list[int], faults: int | None) -> list[tuple[int, str]]:
    if faults is None:
        return [(number, action) for number in numbers for action in ACTIONS]
    spread = [numbers[place * len(numbers) // faults] for place in range(faults)]
    return [(number, ACTIONS[place % len(ACTIONS)]) for place, number in enumerate(spread)]
