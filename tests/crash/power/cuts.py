"""Cuts the power again and again while senders send, and looks for every image that was acknowledged."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercure.bookkeeping.verify import verify
from mercure.clock import Clock
from mercure.config import ConfigStore, Root
from mercure.spool import Spool
from mercure.targets import MODELS
from tests.crash.power.living import Living
from tests.support.account import Sent, ct_series
from tests.support.cuttable_disk import CuttableDisk
from tests.support.dcmtk import KEEP_EACH_TRY, StoreScp, storescp
from tests.support.held import digest, digests
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.senders import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.disks import Filesystem

SENDERS, IMAGES = 2, 6
QUICK = {"retry": {"first_seconds": 0.2, "cap_seconds": 1}}
AFTER_TRAFFIC = 30
"""A cut comes after 1 to so many more images were acknowledged, and up to `LONGEST_PAUSE` seconds later."""

LONGEST_PAUSE = 0.05
SETTLED_EVERY = 10
"""After so many cuts everything is let come to its end, and looked through."""


@dataclass
class Report:
    """What came of it."""

    cuts: int = 0
    acknowledged: int = 0
    settled: int = 0
    trouble: str = ""


class PowerCuts:
    """A router on a disk that loses its power.

    Parameters
    ----------
    folder
        An empty folder; better in memory.
    filesystem
        Of the disk.
    seed
        Decides when the cuts come.
    """

    def __init__(self, folder: Path, filesystem: Filesystem, seed: int) -> None:
        self._disk = CuttableDisk(folder, filesystem)
        self._delivered = folder / "delivered"
        self._delivered.mkdir()
        self._folder = folder
        self._chance = random.Random(f"{filesystem} {seed}")
        self._safe: set[str] = set()
        self.report = Report()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make the disk and the target, start router and senders; end them with the block."""
        self._disk.make()
        port = free_port()
        with ExitStack() as stack:
            self._node = stack.enter_context(
                storescp(self._folder / "node", "--bit-preserving", "--fork", KEEP_EACH_TRY, aet="NODE")
            )
            self._root = Root(self._disk.point / "root")
            _configure(self._root, self._delivered, self._node, port)
            self._living = Living(self._root.path, port)
            self._living.start()
            self._senders = [Sender(port, partial(_series, name)) for name in range(SENDERS)]
            stack.callback(self._end)
            try:
                yield
            except AssertionError as error:
                # What ends the senders in `_end` may fail for the same reason, and would hide this one.
                self.report.trouble = str(error)
                raise

    def cut(self, times: int) -> Report:
        """Cut the power so many times."""
        for number in range(1, times + 1):
            self._let_flow()
            self._cut()
            self.report.cuts += 1
            self._nothing_is_nowhere()
            self._living.start()
            if number % SETTLED_EVERY == 0 or number == times:
                self._settle()
        return self.report

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
        return len(self._sent())

    def _nothing_is_nowhere(self) -> None:
        """Each acknowledged image is on the disk or at both targets; those at both are safe from now on."""
        self._all_at_both()
        held = self._safe | digests(self._root.path / "spool")
        lost = [sent.sop for sent in self._sent() if digest(sent.data) not in held]
        assert lost == [], f"acknowledged, and nowhere after cut {self.report.cuts}: {lost}"

    def _settle(self) -> None:
        """Let everything arrive, and ask ``mercure verify``, the database and the targets."""
        eventually(self._all_at_both, seconds=180, what="every acknowledged image is at both targets")
        config = ConfigStore(self._root, MODELS).mercure.load().value

        def is_clean() -> bool:
            self._said = verify(self._root, config)
            return self._said.exit_code == 0

        try:
            eventually(is_clean, seconds=60)
        except AssertionError:
            raise AssertionError([finding.text for finding in self._said.findings]) from None
        told = self._said.acknowledged - self._said.repetitions + self._said.unreported
        assert told >= len({digest(sent.data) for sent in self._sent()}), f"verify knows of {told} images only"
        with closing(sqlite3.connect(f"file:{self._root.path / 'history.db'}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        self.report.settled += 1
        self.report.acknowledged = self._acknowledged()

    def _all_at_both(self) -> bool:
        self._safe |= set.intersection(digests(self._delivered), digests(self._node.folder))
        return all(digest(sent.data) in self._safe for sent in self._sent())

    def _sent(self) -> list[Sent]:
        return [sent for sender in self._senders for sent in list(sender.account.acknowledged)]

    def _end(self) -> None:
        for sender in self._senders:
            sender.end()
        self._living.kill()
        eventually(self._unmounted, seconds=60, what="nobody uses the disk any more")


def _series(sender: int, number: int) -> list[Sent]:
    return ct_series(f"1.2.{sender}.{number}", IMAGES, study=f"1.2.{sender}.{number}")


def _configure(root: Root, delivered: Path, node: StoreScp, port: int) -> None:
    targets: dict[str, Any] = {
        "folder": {"kind": "folder", "path": str(delivered), **QUICK},
        "node": {"kind": "dicom", "host": "127.0.0.1", "port": node.port, "called_aet": node.aet, **QUICK},
    }
    content = {
        "version": 1,
        "targets": targets,
        "rules": {"all": {"rule": "True", "targets": list(targets)}},
        "completion": {"quiet_seconds": 1, "after_release_seconds": 0.2},
        "receiver": {"bind": "127.0.0.1", "port": port, "min_free_bytes": 0, "stop_timeout_seconds": 1},
        "retention": {"success_seconds": 2, "pressure_free_bytes": 0},
    }
    store = ConfigStore(root, MODELS)
    root.config.mkdir(parents=True)
    store.mercure.save(store.parse(content), author="tester", comment="", edited_from=0, clock=Clock())
    Spool(root.path / "spool").create()
