"""Everything real: images come in over the network and arrive at two targets while services are killed at random."""

from __future__ import annotations

import random
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage
from tests.crash.running_router import SERVICES, RunningRouter, running_router
from tests.support.data_sets import data_set_of
from tests.support.dcmtk import KEEP_EACH_TRY, dcmsend
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.series import synthetic_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fixtures import MakeStoreScp

SENDERS, IMAGES, KILLS = 2, 5, 12


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@dataclass
class Scanner:
    """Sends one series after the other, and what was not acknowledged again, until it is told to stop."""

    name: str
    port: int
    folder: Path
    acknowledged: list[Path] = field(default_factory=list)
    stopping: bool = False

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=self.name)
        self.thread.start()

    def _run(self) -> None:
        number = 0
        while not self.stopping:
            number += 1
            files = synthetic_series(self.folder / str(number), IMAGES, 32, 32, seed=f"{self.name} {number}")
            while dcmsend("127.0.0.1", self.port, files).code != 0:
                pass  # the receiver was killed in the middle, or is not back yet
            self.acknowledged += files

    def stop(self) -> None:
        self.stopping = True


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_what_was_acknowledged_arrives_whatever_is_killed(folder: Path, storescp: MakeStoreScp, seed: int) -> None:
    chance = random.Random(seed)
    node = storescp("--bit-preserving", "--fork", KEEP_EACH_TRY)
    delivered = folder / "delivered"
    delivered.mkdir()
    quick = {"retry": {"first_seconds": 0.2, "cap_seconds": 1}}
    targets = {
        "pacs": {"kind": "dicom", "host": "127.0.0.1", "port": node.port, "called_aet": node.aet, **quick},
        "folder": {"kind": "folder", "path": str(delivered), **quick},
    }
    with running_router(folder / "root", targets) as router:
        scanners = [Scanner(f"{seed} {number}", router.port, folder / f"s{number}") for number in range(SENDERS)]
        victims = [name for name in SERVICES for _ in range(3 if name in ("router", "dispatcher") else 1)]
        for _ in range(KILLS):
            _await_traffic(scanners, chance.randint(1, 20))
            router.kill(chance.choice(victims))
            router.listening()
        for scanner in scanners:
            scanner.stop()
        eventually(lambda: router.kept() and not any(s.thread.is_alive() for s in scanners), seconds=60)
        eventually(lambda: router.kept() and _nothing_waits(router), seconds=90, what="nothing waits any more")
        wanted = sorted(data_set_of(path.read_bytes()) for scanner in scanners for path in scanner.acknowledged)
        assert sorted(data_set_of(path.read_bytes()) for path in delivered.rglob("*.dcm")) == wanted
        # What was confirmed to a dispatcher that was killed before it noted it is there twice.
        assert sorted({data_set_of(path.read_bytes()) for path in node.files()}) == wanted
        assert router.box.tasks(Stage.ERROR) == []
        # One that was only just started again may meet the signal before it knows what to do with it.
        assert set(router.stop().values()) <= {0, -signal.SIGTERM}
        verified = router.verify()
        assert verified.returncode == 0, verified.stdout + verified.stderr


def _await_traffic(scanners: list[Scanner], images: int) -> None:
    """Wait until so many more images are acknowledged, so that a kill meets work in all stages."""
    before = sum(len(scanner.acknowledged) for scanner in scanners)
    eventually(lambda: sum(len(s.acknowledged) for s in scanners) >= before + images, seconds=60)


def _nothing_waits(router: RunningRouter) -> bool:
    return not any(router.box.spool.names(stage) for stage in (Stage.INCOMING, Stage.ROUTING, Stage.OUTGOING))
