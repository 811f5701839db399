"""The soak itself: a supervised router, its traffic, what befalls it, and the account at the end."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from appliance.control.errors import ControlError
from appliance.control.rpc.client import Client, DisconnectedError
from mercure.clock import OFFSET_FILE
from mercure.config import Root
from mercure.history.verify import verify
from mercure.retention.finished import FINISHED_STAGES
from mercure.services.common import open_store
from mercure.spool import Spool, Stage, TaskError, load_task
from tests.oracle import hospital
from tests.oracle.judge import STAGE, Kind, Run, judge
from tests.oracle.meaning import DISCARD, ERROR, Rule
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import Disturbances
from tests.soak import poison
from tests.soak.chaos import Chaos
from tests.soak.measuring import Samples, StageAges
from tests.soak.traffic import PIXELS, Vandal
from tests.support.held import arrivals
from tests.support.modules import script
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import Running, running
from tests.support.recording_node import RecordingNode
from tests.support.senders import Sender

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.record import Image
    from tests.support.account import Account

SAMPLE_SECONDS = 2.0
QUIET_SHARE = 0.5
"""Chaos ends after this share of the time: memory is judged on processes that then live for the rest of it."""

LONGEST_CALM = 8.0
OLDEST_SECONDS = {"routing": 30.0, "outgoing": 120.0}
"""An older task in one of these stages is stuck: outages are shorter."""

MOST_WAITING = 200
"""With more series and tasks on their way the senders pause: how the router lasts is tested, and not how much a machine
that has other work can take."""

FLOW_STAGES = (Stage.INCOMING, Stage.ROUTING, Stage.STUDIES, Stage.PROCESSING, Stage.OUTGOING)
SWITCHED = "switched"
AFTER_CHAOS = 10.0
"""So long after the end of the chaos, all targets are in use again."""

LONGEST_WAIT = 10.0
"""For images that a target never takes its good ones wait no longer than this, beside what waits at other targets."""

SETTLE_SECONDS = 180.0
"""In the end something must have moved on within this time, until nothing waits."""

QUICK = {"retry": {"first_seconds": 0.5, "cap_seconds": 3}}


@dataclass
class Outcome:
    """What came of it; `troubles` is empty when all is well."""

    minutes: float
    acknowledged: int = 0
    series: int = 0
    done: dict[str, int] = field(default_factory=dict)
    visits: int = 0
    verdicts: Counter[Kind] = field(default_factory=Counter)
    oldest: dict[str, tuple[float, str]] = field(default_factory=dict)
    """For each stage the longest time in seconds that something was in it, and what."""
    lines: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Soak:
    """One run.

    Parameters
    ----------
    folder
        An empty folder with a short name, for sockets are in it.
    minutes
        How long the traffic flows.
    seed
        Decides what is sent and what happens.
    """

    def __init__(self, folder: Path, minutes: float, seed: int) -> None:
        self._folder = folder
        self._root = Root(folder / "root")
        self._minutes = minutes
        self._seed = seed
        self._chance = random.Random(seed)
        self._nodes = {name: RecordingNode(takes=hospital.TAKES.get(name, "")) for name in hospital.NODES}
        self._nodes[poison.TARGET].poison = poison.POISON
        self._settled = float("inf")
        self._folders = {name: folder / "delivered" / name for name in (*hospital.FOLDERS, SWITCHED)}
        self._disturbances = Disturbances()
        self._clock = folder / "clock"
        self._chaos = Chaos(self._root.path, self._nodes, self._clock, self._disturbances, seed)
        self._rules = (*poison.RULES, *hospital.RULES, self._switched())
        self._port = free_port()
        self._spool = Spool(self._root.path / "spool")
        self._samples = Samples(self._root.path / "history.db", self._finished)
        self._ages = {stage: StageAges(self._spool, Stage(stage)) for stage in OLDEST_SECONDS}
        self._outcome = Outcome(minutes)

    def run(self, command: list[str]) -> Outcome:
        """Run it; `command` starts a router in the foreground and is given ``--root``."""
        self._configure()
        with ExitStack() as stack:
            self._chaos.calm()
            for node in self._nodes.values():
                stack.callback(node.go)
            ready = lambda _: is_listening(self._port)  # noqa: E731 - a condition
            start = running(
                [*command, "--root", str(self._root.path)],
                ready=ready,
                seconds=120,
                grace=120,
                env={OFFSET_FILE: str(self._clock)},
            )
            router = stack.enter_context(start)
            senders = [
                Sender(self._port, hospital.scanner(name, self._seed, PIXELS), account)
                for name, account in hospital.accounts().items()
            ]
            trickles = [make(self._port, self._seed) for make in (poison.poisoner, poison.good_sender)]
            vandal = Vandal(self._port, self._seed)
            try:
                for sender in senders:
                    sender.go()
                self._watch(router, senders, trickles)
            finally:
                vandal.end()
                self._chaos.calm()
                for sender in senders:
                    sender.end()
                for trickle in trickles:
                    trickle.finish()
            self._account(senders, trickles)
        self._outcome.visits = vandal.visits
        self._outcome.done = self._chaos.done
        self._outcome.lines += self._samples.lines()
        self._outcome.troubles += self._samples.troubles()
        return self._outcome

    def _switched(self) -> Rule:
        """Return a rule that is enabled and disabled while images are on their way."""
        switch = self._chaos.switch

        def fires(image: Image) -> bool | None:
            return image.tags.get("PatientID") == "PATIENT-2" and switch.held(image.began)

        written = {"rule": 'tags.PatientID == "PATIENT-2"', "targets": [SWITCHED], "disabled": True}
        return Rule(SWITCHED, written, fires, (SWITCHED,))

    def _targets(self) -> dict[str, Any]:
        targets: dict[str, Any] = {}
        for name, path in self._folders.items():
            path.mkdir(parents=True)
            targets[name] = {"kind": "folder", "path": str(path), **QUICK}
        for name, node in self._nodes.items():
            place = {"host": "127.0.0.1", "port": node.port, "called_aet": name.upper()}
            targets[name] = {"kind": "dicom", **place, **QUICK}
        targets[poison.TARGET]["retry"] = {**QUICK["retry"], "max_refusals": 4}
        for name, members in hospital.GROUPS.items():
            targets[name] = {"kind": "group", "members": list(members), "strategy": "failover"}
        return targets

    def _configure(self) -> None:
        content = {
            "version": 1,
            "targets": self._targets(),
            "rules": hospital.written(self._rules),
            "modules": {"hide": script(hospital.HIDE)},
            "completion": {
                "quiet_seconds": 3,
                "after_release_seconds": 0.5,
                "senders": {"MR1": {"quiet_seconds": 4, "after_release_seconds": 0.8}},
            },
            "receiver": {"bind": "127.0.0.1", "port": self._port, "min_free_bytes": 0, "idle_timeout_seconds": 5},
            "retention": {"success_seconds": 10, "discard_seconds": 100_000, "pressure_free_bytes": 0},
            "status_page": {"port": free_port()},
        }
        store = open_store(self._root)
        self._root.config.mkdir(parents=True)
        store.mercure.save(store.parse(content), author="soak", comment="", edited_from=0)
        store.services.save(store.parse_services({"version": 1}), author="soak", comment="", edited_from=0)
        Spool(self._root.path / "spool").create()

    def _watch(self, router: Running, senders: list[Sender], trickles: list[poison.Trickle]) -> None:
        began = monotonic()
        end, calm = began + 60 * self._minutes, began + 60 * self._minutes * QUIET_SHARE
        next_act = began
        pause = threading.Event()
        while (now := monotonic()) < end and router.is_alive:
            if now < calm and now >= next_act:
                self._chaos.act()
                next_act = now + self._chance.uniform(0, LONGEST_CALM)
            elif now >= calm:
                self._chaos.calm()
                self._settled = min(self._settled, now + AFTER_CHAOS)
            for trickle in trickles:
                trickle.turn()
            self._look()
            for sender in senders:
                (sender.pause if self._waiting() > MOST_WAITING else sender.go)()
            pause.wait(SAMPLE_SECONDS)
        if not router.is_alive:
            self._outcome.troubles.append("the router itself ended")

    def _waiting(self) -> int:
        return sum(len(self._spool.names(stage)) for stage in FLOW_STAGES)

    def _finished(self) -> int:
        return sum(len(self._spool.names(stage)) for stage in FINISHED_STAGES)

    def _settle(self, good: poison.Trickle) -> None:
        """Wait until nothing waits; that it takes long is no fault as long as it goes on.

        Good images go on coming to the target that never takes some: where none gets through, none is blamed.

        Raises
        ------
        AssertionError
            It does not.
        """
        while left := self._waiting():

            def fewer(left: int = left) -> bool:
                good.turn()
                return self._waiting() < left

            eventually(fewer, seconds=SETTLE_SECONDS, what=f"fewer than {left} wait")

    def _look(self) -> None:
        for name, pid in self._chaos.processes().items():
            self._samples.take(name, pid)
        with suppress(DisconnectedError, ControlError), Client(self._root.path) as client:  # it may be killed just now
            client.status()
        for stage, ages in self._ages.items():
            self._outcome.oldest[stage] = max(ages.oldest(), self._outcome.oldest.get(stage, (0.0, "")))

    def _account(self, senders: list[Sender], trickles: list[poison.Trickle]) -> None:
        """Let everything arrive, and let the oracle judge; say what is not as it should be."""
        outcome = self._outcome
        outcome.acknowledged = sum(sender.account.confirmed for sender in senders)
        outcome.series = sum(sender.sent_series for sender in senders)
        try:
            self._settle(trickles[-1])
        except AssertionError as error:
            outcome.troubles.append(str(error))
        run = self._run(senders, [trickle.account for trickle in trickles])
        outcome.troubles += self._waits(run)
        verdicts = judge(run)
        outcome.verdicts = Counter(verdict.kind for verdict in verdicts)
        places: dict[str, list[str]] = defaultdict(list)
        for verdict in verdicts:
            places[f"{verdict.kind} at {verdict.place}"].append(verdict.sop)
        outcome.troubles += [f"{len(sops)} {what}: {sops[:4]}" for what, sops in places.items()]
        outcome.troubles += self._reasons()
        if not verdicts:
            assert_planted_are_found(run)
        outcome.troubles += self._verified()
        outcome.troubles += [
            f"a task in {stage}/ was {seconds:.0f} s old: {self._about(name)}"
            for stage, (seconds, name) in outcome.oldest.items()
            if seconds > OLDEST_SECONDS[stage]
        ]

    def _about(self, name: str) -> str:
        """Say what a task was that is over by now."""
        for stage in Stage:
            with suppress(OSError, TaskError):
                task = load_task(self._spool.entry(stage, name))
                origin, why = task.origin, task.failure.reason if task.failure else ""
                tries = f"{task.attempts_made} attempts"
                return f"{name} for {task.target}, of {origin.calling_aet}, {tries}, now in {stage.value}/ {why}"
        return name

    def _waits(self, run: Run) -> list[str]:
        """Note how long good images waited at the target that never takes some, beside the others."""
        good = [each for each in run.images if each.answer == "acknowledged" and each.calling != poison.SENDER]
        waits = {name: poison.longest_wait(good, node.arrivals, self._settled) for name, node in self._nodes.items()}
        here, others = waits.pop(poison.TARGET), max(waits.values())
        self._outcome.lines.append(
            f"  longest wait of a good image: {here:.1f} s where bad ones end associations, {others:.1f} s elsewhere"
        )
        return [f"a good image waited {here:.1f} s for bad ones"] if here > LONGEST_WAIT + others else []

    def _run(self, senders: list[Sender], others: list[Account]) -> Run:
        stages = self._root.path / "spool"
        came = {name: arrivals(folder) for name, folder in self._folders.items()}
        came |= {name: list(node.arrivals) for name, node in self._nodes.items()}
        came |= {place: arrivals(stages / place.removeprefix(STAGE)) for place in (DISCARD, ERROR)}
        sent = [image for account in (*(each.account for each in senders), *others) for image in account.sent]
        return Run(sent, self._rules, came, hospital.GROUPS, self._disturbances)

    def _reasons(self) -> list[str]:
        """Say why something is in ``error/``, but for what a target never takes."""
        spool = self._spool
        tasks = [load_task(spool.entry(Stage.ERROR, name)) for name in spool.names(Stage.ERROR)]
        unwanted = [task.failure for task in tasks if task.origin.calling_aet != poison.SENDER]
        reasons = Counter(failure.reason for failure in unwanted if failure)
        return [f"{count} in error/: {reason}" for reason, count in reasons.most_common(5)]

    def _verified(self) -> list[str]:
        config = open_store(self._root).mercure.load().value

        def is_clean() -> bool:
            self._report = verify(self._root, config)
            return self._report.exit_code == 0

        try:
            eventually(is_clean, seconds=60)
        except AssertionError:
            return [f"verify: {finding.text}" for finding in self._report.findings] or list(self._report.unchecked)
        return []
