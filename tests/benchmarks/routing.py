"""From a complete series to the first byte at the target, with 1,000 tasks waiting; and what fan-out writes."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from mercure.names import new_id, safe_name
from mercure.spool import Spool, Stage
from tests.benchmarks.rows import Result, Row, median
from tests.benchmarks.waiting import add_waiting_tasks, write_root
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.processes import Running, running
from tests.support.series import synthetic_images

WAITING = 1000
SERIES = 15
IMAGES = 20
QUIET_SECONDS = 0.3
BLOCK = 512


def run(folder: Path) -> Iterator[Result]:
    """Measure both."""
    yield from _latency(folder / "latency")
    yield from _fan_out(folder / "fanout")


def services(root: Path, *names: str) -> list[list[str | Path]]:
    """Return the command of each service."""
    return [[sys.executable, "-m", "mercure.services", name, "--root", root] for name in names]


def is_ready(program: Running) -> bool:
    """Tell whether a service has begun its work."""
    return "configuration in force" in program.output()


def place_series(spool: Spool, seed: str, images: int = IMAGES, size: int = 64) -> float:
    """Put a series into ``incoming/`` in one step; return when its last image landed (monotonic seconds)."""
    building = spool.stage(Stage.INCOMING) / f".{seed}"
    building.mkdir()
    for uid, data in synthetic_images(images, size, size, seed=seed):
        (building / f"{uid}.dcm").write_bytes(data)
    (building / f"{new_id()}.jsonl").write_bytes(b"")
    building.rename(spool.stage(Stage.INCOMING) / safe_name(f"1.2.{int.from_bytes(seed.encode()) % 10**12}"))
    return time.monotonic()


class Target:
    """Listens, and notes when the first byte of each connection came; it then hangs up."""

    def __init__(self) -> None:
        self.port = free_port()
        self.first_bytes: list[float] = []
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with closing(connection):
                connection.settimeout(10)
                if connection.recv(1):
                    self.first_bytes.append(time.monotonic())

    def was_reached(self) -> bool:
        """Tell whether a first byte has come."""
        return bool(self.first_bytes)

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()


def _latency(root: Path) -> Iterator[Result]:
    down = {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "DOWN"}
    seconds: list[float] = []
    targets = [Target() for _ in range(SERIES)]
    # One target for each series: the first byte is what counts, and a target that hung up is left alone for a while.
    reachable = {
        f"t{number}": {"kind": "dicom", "host": "127.0.0.1", "port": target.port, "called_aet": "T"}
        for number, target in enumerate(targets)
    }
    rules = {f"t{n}": {"rule": f"tags.PatientID == 'P{n}'", "targets": [f"t{n}"]} for n in range(SERIES)}
    completion = {"quiet_seconds": QUIET_SECONDS, "after_release_seconds": QUIET_SECONDS}
    config = {"targets": {"down": down, **reachable}, "rules": rules, "completion": completion}
    spool = write_root(root, config)
    add_waiting_tasks(spool, "down", WAITING)
    with ExitStack() as stack:
        for command in services(root, "router", "dispatcher"):
            stack.enter_context(running(command, ready=is_ready, seconds=60))
        for number, target in enumerate(targets):
            stack.callback(target.close)
            landed = _place_tagged(spool, number)
            eventually(target.was_reached, seconds=30, what="the first byte")
            seconds.append(target.first_bytes[0] - landed - QUIET_SECONDS)
    name = f"complete series to first byte, {WAITING} tasks waiting"
    yield Row(name, median(seconds) * 1000, "ms", bound=100, at_most=True)


def _place_tagged(spool: Spool, number: int) -> float:
    building = spool.stage(Stage.INCOMING) / f".{number}"
    building.mkdir()
    for uid, data in synthetic_images(IMAGES, seed=f"latency-{number}", PatientID=f"P{number}"):
        (building / f"{uid}.dcm").write_bytes(data)
    (building / f"{new_id()}.jsonl").write_bytes(b"")
    landed = time.monotonic()
    os.utime(building)
    building.rename(spool.stage(Stage.INCOMING) / f"1.2.{number}")
    return landed


def _fan_out(root: Path) -> Iterator[Result]:
    names = [f"f{number}" for number in range(4)]
    targets = {
        name: {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "DOWN"} for name in names
    }
    rules = {"all": {"rule": "True", "targets": names}}
    completion = {"quiet_seconds": QUIET_SECONDS, "after_release_seconds": QUIET_SECONDS}
    spool = write_root(root, {"targets": targets, "rules": rules, "completion": completion})
    with running(services(root, "router")[0], ready=is_ready, seconds=60):
        place_series(spool, "fan-out", 50, 512)
        eventually(lambda: len(spool.names(Stage.OUTGOING)) == len(names), seconds=30, what="four tasks")
        eventually(lambda: not spool.names(Stage.ROUTING), seconds=30, what="the parent is retired")
    pixels = 50 * 512 * 512 * 2
    inodes = {status.st_ino: status.st_blocks * BLOCK for path in spool.root.rglob("*.dcm") for status in [path.stat()]}
    yield Row("fan-out to 4 targets: disk used / pixels", sum(inodes.values()) / pixels, "x", bound=1.05, at_most=True)
