"""Cuts the power again and again while senders send, and lets the oracle judge where each image is."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import threading
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercure.clock import Clock
from mercure.config import Root
from mercure.history.verify import Kind as Finding
from mercure.history.verify import verify
from mercure.services.common import open_store
from mercure.spool import Spool, Stage, load_task
from tests.crash.power.living import Living
from tests.oracle import hospital
from tests.oracle.judge import Kind, Run, judge
from tests.oracle.meaning import DISCARD, ERROR
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import Arrival, Disturbances, digest
from tests.support.cuttable_disk import CuttableDisk
from tests.support.data_sets import data_set_of, instance_of
from tests.support.held import arrivals, digests
from tests.support.modules import script
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.receipts import spoil
from tests.support.recording_node import RecordingNode
from tests.support.senders import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.oracle.meaning import Rule
    from tests.oracle.record import Image
    from tests.support.disks import Filesystem

QUICK = {"retry": {"first_seconds": 0.2, "cap_seconds": 1}}
AFTER_TRAFFIC = 30
"""A cut comes after 1 to so many more images were acknowledged, and up to `LONGEST_PAUSE` seconds later."""

LONGEST_PAUSE = 0.05
SETTLED_EVERY = 10
"""After so many cuts everything is let come to its end, and looked through."""

DAY = 86_400.0
WRONG_CLOCKS = (0.0, 0.0, 0.0, 9 * DAY, -DAY, 400 * DAY, -26 * 365 * DAY)
"""By how many seconds the clock may be wrong after a boot: mostly it is right; the last one is the year 2000."""

DAMAGES = ("pixel", "header", "last sector of zeros")
"""What a disk may do to an image that waits for its target, at one cut in `DAMAGED_EVERY`."""

DAMAGED_EVERY = 2
RECEIPT = b'"data":"'
"""Of its digest, in the header of an image; what a module wrote has none."""

WAITING = (Stage.INCOMING, Stage.ROUTING, Stage.STUDIES, Stage.PROCESSING, Stage.OUTGOING)


@dataclass
class Report:
    """What came of it."""

    cuts: int = 0
    acknowledged: int = 0
    settled: int = 0
    trouble: str = ""
    wrong_clocks: int = 0
    damaged: int = 0
    """Images that the disk destroyed."""
    verdicts: Counter[Kind] = field(default_factory=Counter)
    """What was not as it should be in the end, by its kind; only `PowerCuts.goes_on` gets there with any."""


class PowerCuts:
    """A router on a disk that loses its power.

    Parameters
    ----------
    folder
        An empty folder; better in memory.
    filesystem
        Of the disk.
    seed
        Decides when the cuts come, and what the clock shows after each.
    rules
        Of `tests.oracle.hospital`.
    goes_on
        Whether to go on when something is not as it should be, to see what else is found.
    """

    def __init__(
        self,
        folder: Path,
        filesystem: Filesystem,
        seed: int,
        *,
        rules: tuple[Rule, ...] = hospital.RULES,
        goes_on: bool = False,
    ) -> None:
        self._disk = CuttableDisk(folder, filesystem)
        self._folders = {name: folder / "delivered" / name for name in hospital.FOLDERS}
        for path in self._folders.values():
            path.mkdir(parents=True)
        self._offset = folder / "clock"
        self._chance = random.Random(f"{filesystem} {seed}")
        self._seed = seed
        self._rules = rules
        self._goes_on = goes_on
        self._nodes = {name: RecordingNode() for name in hospital.NODES}
        self._disturbances = Disturbances()
        self._damaged: dict[str, str] = {}
        """Images that the disk destroyed: the instance of each, by the digest of what it was."""
        self.report = Report()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make the disk and the targets, start router and senders; end them with the block."""
        self._disk.make()
        port = free_port()
        with ExitStack() as stack:
            for node in self._nodes.values():
                node.come()
                stack.callback(node.go)
            self._root = Root(self._disk.point / "root")
            self._configure(port)
            self._living = Living(self._root.path, port, self._offset)
            self._living.start()
            self._senders = [
                Sender(port, hospital.scanner(name, self._seed), account)
                for name, account in hospital.accounts().items()
            ]
            stack.callback(self._end)
            try:
                yield
            except Exception as error:
                # What ends the senders in `_end` may fail for the same reason, and would hide this one.
                self.report.trouble = str(error) if isinstance(error, AssertionError) else repr(error)
                raise

    def cut(self, times: int) -> Report:
        """Cut the power so many times."""
        for number in range(1, times + 1):
            self._let_flow()
            with self._disturbances.during():
                self._cut()
                self.report.cuts += 1
                self._nothing_is_nowhere()
                if self._chance.random() < 1 / DAMAGED_EVERY:
                    self._damage()
                self._boot()
            if number % SETTLED_EVERY == 0 or number == times:
                self._settle()
        if not self.report.verdicts:
            assert_planted_are_found(self._run())
        return self.report

    def _boot(self) -> None:
        """Start the services again, under a clock that may be wrong."""
        wrong = self._chance.choice(WRONG_CLOCKS)
        self.report.wrong_clocks += bool(wrong)
        self._offset.write_text(str(wrong), encoding="ascii")
        self._living.start()

    def _damage(self) -> None:
        """Destroy an image that waits for targets as it was received, and for nothing else."""
        waiting = sorted((self._root.path / "spool" / Stage.OUTGOING.value).glob("[!.]*/[!.]*.dcm"))
        links = Counter(path.stat().st_ino for path in waiting)
        only = [path for path in waiting if path.stat().st_nlink == links[path.stat().st_ino]]
        received = [path for path in only if RECEIPT in path.read_bytes()]
        if received:
            path = self._chance.choice(received)
            data = data_set_of(path.read_bytes())
            spoil(path, self._chance.choice(DAMAGES))
            self._damaged[digest(data)] = instance_of(data)
            self.report.damaged = len(self._damaged)

    def _let_flow(self) -> None:
        wanted = self._acknowledged() + self._chance.randint(1, AFTER_TRAFFIC)
        for sender in self._senders:
            sender.go()
        eventually(lambda: self._acknowledged() >= wanted, seconds=120, what="images are acknowledged")
        threading.Event().wait(self._chance.uniform(0, LONGEST_PAUSE))  # the moment is the point: any may be the one

    def _cut(self) -> None:
        self._disk.cut()
        for sender in self._senders:
            sender.pause()
        self._living.kill()
        eventually(self._unmounted, seconds=60, what="nobody uses the disk any more")
        self._disk.mount()
        if self._chance.random() < 1 / SETTLED_EVERY:
            self._disk.unmount()
            self._disk.check()
            self._disk.mount()

    def _unmounted(self) -> bool:
        """Try it: the last process that was killed may still hold the disk."""
        try:
            self._disk.unmount()
        except subprocess.CalledProcessError:
            return False
        return True

    def _acknowledged(self) -> int:
        return sum(sender.account.confirmed for sender in self._senders)

    def _sent(self) -> list[Image]:
        return [image for sender in self._senders for image in list(sender.account.sent)]

    def _arrivals(self) -> dict[str, list[Arrival]]:
        spool = self._root.path / "spool"
        found = {name: arrivals(folder) for name, folder in self._folders.items()}
        found |= {name: list(node.arrivals) for name, node in self._nodes.items()}
        return found | {place: arrivals(spool / place.removeprefix("stage/")) for place in (DISCARD, ERROR)}

    def _run(self) -> Run:
        return Run(
            self._sent(),
            self._rules,
            self._arrivals(),
            hospital.GROUPS,
            self._disturbances,
            damaged=frozenset(self._damaged),
        )

    def _nothing_is_nowhere(self) -> None:
        """Each acknowledged image is on the disk or at a target, in the form of one."""
        there = digests(self._root.path / "spool", *self._folders.values())
        there |= {arrival.digest for node in self._nodes.values() for arrival in node.arrivals}
        there |= self._damaged.keys()
        lost = [
            image.sop
            for image in self._sent()
            if image.answer == "acknowledged" and not there & set(image.forms.values())
        ]
        assert lost == [] or self._goes_on, f"acknowledged, and nowhere after cut {self.report.cuts}: {lost}"

    def _settle(self) -> None:
        """Let everything arrive, and ask the oracle, ``mercure verify``, the database and the targets."""
        for sender in self._senders:
            sender.pause()
        self._offset.write_text("0", encoding="ascii")
        spool = Spool(self._root.path / "spool")
        try:
            eventually(lambda: self._are_idle() and not any(map(spool.names, WAITING)), seconds=120)
        except AssertionError:
            waiting = {stage.value: spool.names(stage)[:2] for stage in WAITING if spool.names(stage)}
            raise AssertionError(f"after cut {self.report.cuts} something waits for ever: {waiting}") from None
        verdicts = judge(self._run())
        self.report.verdicts = Counter(verdict.kind for verdict in verdicts)
        places = Counter(f"{verdict.kind} at {verdict.place}" for verdict in verdicts)
        reasons = {self._reason(name) for name in spool.names(Stage.ERROR)}
        said = f"after cut {self.report.cuts}: {dict(places)}: {[str(verdict) for verdict in verdicts[:6]]}; {reasons}"
        assert verdicts == [] or self._goes_on, said
        self.report.trouble = said if verdicts else ""
        self._verify()
        self.report.settled += 1
        self.report.acknowledged = self._acknowledged()

    def _reason(self, name: str) -> str:
        """Say why a task is in ``error/``."""
        failure = load_task(Spool(self._root.path / "spool").entry(Stage.ERROR, name)).failure
        return failure.reason if failure else ""

    def _are_idle(self) -> bool:
        """Tell whether no sender is in the middle of an association."""
        return all(sender.is_idle for sender in self._senders)

    def _verify(self) -> None:
        config = open_store(self._root).mercure.load().value

        def is_clean() -> bool:
            self._said = verify(self._root, config)
            return not self._objections()

        try:
            eventually(is_clean, seconds=60)
        except AssertionError:
            found = self._objections()
            if not self._goes_on:
                raise AssertionError(found) from None
            self.report.trouble += f"; verify: {found[:3]}"
        told = self._said.acknowledged - self._said.repetitions + self._said.unreported
        sure = {image.digest for image in self._sent() if image.answer == "acknowledged"}
        assert told >= len(sure) or self._goes_on, f"verify knows of {told} images only"
        with closing(sqlite3.connect(f"file:{self._root.path / 'history.db'}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def _objections(self) -> list[str]:
        """Say what ``mercure verify`` objects to, but that images are altered which the disk destroyed."""
        known = set(self._damaged.values())
        found = [each for each in self._said.findings if each.is_violation]
        unknown = [each.text for each in found if each.kind is not Finding.ALTERED or each.sop not in known]
        return unknown + list(self._said.unchecked)

    def _end(self) -> None:
        for sender in self._senders:
            sender.end()
        self._living.kill()
        eventually(self._unmounted, seconds=60, what="nobody uses the disk any more")

    def _configure(self, port: int) -> None:
        targets: dict[str, Any] = {
            name: {"kind": "folder", "path": str(path), **QUICK} for name, path in self._folders.items()
        }
        for name, node in self._nodes.items():
            targets[name] = {
                "kind": "dicom",
                "host": "127.0.0.1",
                "port": node.port,
                "called_aet": name.upper(),
                **QUICK,
            }
        for name, members in hospital.GROUPS.items():
            targets[name] = {"kind": "group", "members": list(members), "strategy": "failover"}
        content = {
            "version": 1,
            "targets": targets,
            "rules": hospital.written(self._rules),
            "modules": {"hide": script(hospital.HIDE)},
            "completion": {
                "quiet_seconds": 1,
                "after_release_seconds": 0.2,
                "senders": {"MR1": {"quiet_seconds": 2, "after_release_seconds": 0.4}},
            },
            "receiver": {"bind": "127.0.0.1", "port": port, "min_free_bytes": 0, "stop_timeout_seconds": 1},
            "retention": {"success_seconds": 2, "pressure_free_bytes": 0},
        }
        store = open_store(self._root)
        self._root.config.mkdir(parents=True)
        store.mercure.save(store.parse(content), author="tester", comment="", edited_from=0, clock=Clock())
        Spool(self._root.path / "spool").create()
