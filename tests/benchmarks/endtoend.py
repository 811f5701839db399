"""From the sender's first byte until every target has every image: ours against Orthanc with Lua auto-routing.

Both sync what they receive, both send without Nagle, over one association to each target, to the same stock `storescp`.
Orthanc sends each image on by itself, as its book tells; ours waits until the series is complete, and that wait is
part of its time. What the processors did is told by service.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from mercure.services import NAMES
from tests.benchmarks.receivers import NODELAY
from tests.benchmarks.routing import is_ready, services
from tests.benchmarks.rows import Result, Row, median, with_peers
from tests.benchmarks.waiting import write_root
from tests.support import storescu
from tests.support.dcmtk import StoreScp, storescp
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import running
from tests.support.series import synthetic_series

ROUNDS: Final = 3
IMAGES: Final = 40
SIZE: Final = 512
QUIET_SECONDS: Final = 0.3
LIMIT_SECONDS: Final = 100.0
META_BYTES: Final = 1000
"""A file at the target differs from the one sent by its meta header alone, which is shorter than this."""

MOST: Final = {1: 1.25, 4: 1.0}
"""Of Orthanc's time, by the number of targets: with one, our wait for the whole series is a good part of it."""

AFTERWARDS_SECONDS: Final = 2.0
"""What is still to be recorded after the last image is done in this time, and counts."""


@dataclass(frozen=True)
class Way:
    """A router that runs.

    Parameters
    ----------
    port : int
        Where it takes images.
    programs : mapping
        Its processes by the name of the service.
    """

    port: int
    programs: Mapping[str, int]

    def processor(self) -> dict[str, float]:
        """Return the seconds of processor time that each service has used, with what it started."""
        return {name: sum(map(_seconds, _family(pid))) for name, pid in self.programs.items()}


@dataclass
class Measured:
    """What was measured of one router."""

    way: Way
    before: dict[str, float]
    seconds: list[float] = field(default_factory=list)


def run(folder: Path) -> Iterator[Result]:
    """Measure both with one target and with four."""
    for count in (1, 4):
        with ExitStack() as stack:
            place = folder / str(count)
            options = ("--fork", "--bit-preserving", "--max-pdu", "131072")
            targets = [
                stack.enter_context(storescp(place / f"target-{number}", *options, prefix=("env", "TCP_NODELAY=1")))
                for number in range(count)
            ]
            yield from _compared(place, targets, stack)


Start = Callable[[Path, Sequence[StoreScp]], AbstractContextManager[Way]]


def _compared(place: Path, targets: Sequence[StoreScp], stack: ExitStack) -> Iterator[Result]:
    starts: dict[str, Start] = {"ours": ours, "orthanc": orthanc} if with_peers() else {"ours": ours}
    ways = {name: stack.enter_context(start(place / name, targets)) for name, start in starts.items()}
    found = {name: Measured(way, way.processor()) for name, way in ways.items()}
    for number in range(ROUNDS):
        for name, measured in found.items():
            series = synthetic_series(place / "series", IMAGES, SIZE, SIZE, seed=f"{name} {number} {len(targets)}")
            measured.seconds.append(_round(measured.way.port, series, targets))
    time.sleep(AFTERWARDS_SECONDS)  # a benchmark, not a test
    used = {name: _used(measured) for name, measured in found.items()}
    what = f"end to end, {IMAGES} of {SIZE}x{SIZE}, {len(targets)} target{'s' if len(targets) > 1 else ''}"
    peer = found.get("orthanc")
    name = "Orthanc, Lua"
    seconds = median(peer.seconds) if peer else None
    bound = MOST[len(targets)] if peer else None
    yield Row(what, median(found["ours"].seconds), "s", seconds, name, bound, at_most=True)
    total = sum(used["orthanc"].values()) if peer else None
    yield Row(f"{what}: processor", sum(used["ours"].values()), "ms/img", total, name, at_most=True)
    for service, milliseconds in used["ours"].items():
        yield Row(f"  {len(targets)} x: {service}", milliseconds, "ms/img", at_most=True)


def _round(port: int, series: Sequence[Path], targets: Sequence[StoreScp]) -> float:
    """Send a series; return the seconds until every target has all of it."""
    whole = series[0].stat().st_size - META_BYTES
    start = time.monotonic()
    sent = storescu.send(port, series, seconds=LIMIT_SECONDS)
    assert sent.code == 0, sent.messages

    def everywhere() -> bool:
        return all(_count(target.folder, whole) == len(series) for target in targets)

    eventually(everywhere, seconds=LIMIT_SECONDS, what="every image at every target")
    seconds = time.monotonic() - start
    for target in targets:
        for path in target.folder.iterdir():
            path.unlink()
    return seconds


def _count(folder: Path, whole: int) -> int:
    return sum(path.stat().st_size >= whole for path in folder.iterdir())


def _used(measured: Measured) -> dict[str, float]:
    after = measured.way.processor()
    return {name: (after[name] - before) * 1000 / (ROUNDS * IMAGES) for name, before in measured.before.items()}


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


@contextmanager
def ours(folder: Path, targets: Sequence[StoreScp]) -> Iterator[Way]:
    """Start all services of the router, with a rule that sends every series to every target."""
    port = free_port()
    nodes = {
        f"t{number}": {"kind": "dicom", "host": "127.0.0.1", "port": target.port, "called_aet": target.aet}
        for number, target in enumerate(targets)
    }
    config = {
        "receiver": {"port": port, "bind": "127.0.0.1"},
        "targets": nodes,
        "rules": {"all": {"rule": "True", "targets": list(nodes)}},
        "completion": {"quiet_seconds": QUIET_SECONDS, "after_release_seconds": QUIET_SECONDS},
    }
    write_root(folder, config)
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(running(command, ready=is_ready, seconds=90)).pid
            for name, command in zip(NAMES, services(folder, *NAMES), strict=True)
        }
        eventually(lambda: is_listening(port), seconds=30, what="the receiver listens")
        yield Way(port, programs)


@contextmanager
def orthanc(folder: Path, targets: Sequence[StoreScp]) -> Iterator[Way]:
    """Start Orthanc, which sends each image on as soon as it is stored."""
    port, storage = free_port(), folder / "storage"
    storage.mkdir(parents=True)
    sends = "\n".join(f"   SendToModality(instanceId, 't{number}')" for number in range(len(targets)))
    script = folder / "route.lua"
    script.write_text(f"function OnStoredInstance(instanceId, tags, metadata, origin)\n{sends}\nend\n")
    settings = {
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "TemporaryDirectory": str(folder),
        "DicomPort": port,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 4,
        "ConcurrentJobs": 4,
        "HttpServerEnabled": False,
        "SyncStorageArea": True,
        "Plugins": [],
        "LuaScripts": [str(script)],
        "DicomModalities": {
            f"t{number}": [target.aet, "127.0.0.1", target.port] for number, target in enumerate(targets)
        },
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with running(
        ["Orthanc", config], ready=lambda program: is_listening(port, pid=program.pid), env=NODELAY
    ) as program:
        yield Way(port, {"orthanc": program.pid})
        program.kill()
