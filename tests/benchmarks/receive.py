"""Images per second, from stock ``dcmsend`` without any setting, over a veth pair between two namespaces."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.receivers import (
    BARE,
    CLASSIC,
    ORTHANC,
    OURS,
    OURS_UNSYNCED,
    UNTOUCHED,
    Contender,
    Receiver,
)
from tests.benchmarks.rows import Result, Row, median, with_peers
from tests.support.namespaces import NamespacePair, namespace_pair
from tests.support.polling import eventually
from tests.support.series import synthetic_series

ROUNDS = 3
LIMIT_SECONDS = 300.0


@dataclass(frozen=True)
class Load:
    """Images to send."""

    name: str
    files: Sequence[Path]


def loads(folder: Path) -> list[Load]:
    """Make the two loads of the issue."""
    large = synthetic_series(folder / "large", 400, 512, 512, seed="large")
    small = synthetic_series(folder / "small", 1000, 128, 128, seed="small")
    return [Load("400 of 512x512", large), Load("1000 of 128x128", small)]


def run(folder: Path) -> Iterator[Result]:
    """Measure every contender in turns, round by round, and compare."""
    for load in loads(folder):
        for associations in (1, 4):
            with namespace_pair() as ends, ExitStack() as stack:
                contenders = [OURS, OURS_UNSYNCED]
                if with_peers():
                    contenders += [BARE, CLASSIC, ORTHANC, *([UNTOUCHED] if associations == 1 else [])]
                place = folder / f"{len(load.files)}-{associations}"
                started = {
                    contender: stack.enter_context(contender.start(ends.receiver, _new(place / str(number))))
                    for number, contender in enumerate(contenders)
                }
                rates: dict[Contender, list[float]] = {contender: [] for contender in contenders}
                loop: list[float] = []
                for _ in range(ROUNDS):
                    if with_peers():
                        loop.append(sync_loop(load.files, _new(place / "loop")))
                    for contender, receiver in started.items():
                        files = load.files[: contender.most]
                        rates[contender].append(rate(ends, receiver, files, associations))
            yield from _rows(f"{load.name}, {associations} assoc", rates, loop, associations)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _rows(what: str, rates: dict[Contender, list[float]], loop: list[float], associations: int) -> Iterator[Result]:
    image, none = median(rates[OURS]), median(rates[OURS_UNSYNCED])

    if not with_peers():
        yield Row(f"{what}: image", image, "img/s")
        yield Row(f"{what}: none", none, "img/s")
        return

    def row(name: str, ours: float, peer: Contender, bound: float) -> Row:
        return Row(f"{what}: {name}", ours, "img/s", median(rates[peer]), peer.name, bound)

    yield row("image", image, CLASSIC, 10)
    if associations == 1:
        yield row("image", image, UNTOUCHED, 20)
    yield row("none", none, BARE, 0.9)
    yield Row(f"{what}: image", image, "img/s", median(loop), "write+fdatasync+rename+fsync loop", 0.8)
    yield row("image", image, ORTHANC, 2)


def rate(ends: NamespacePair, receiver: Receiver, files: Sequence[Path], associations: int) -> float:
    """Send files over some associations at once; return images per second until the last is received."""
    receiver.clear()
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    start = time.monotonic()
    senders = [
        subprocess.Popen(
            ends.sender.command(
                "dcmsend", "--no-uid-checks", ends.receiver.address, str(receiver.port), *files[first::associations]
            ),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for first in range(associations)
    ]
    codes = [sender.wait(LIMIT_SECONDS) for sender in senders]
    eventually(lambda: receiver.done() >= len(files), seconds=LIMIT_SECONDS, what="every image is received")
    seconds = time.monotonic() - start
    assert codes == [0] * associations, f"dcmsend ended with {codes}"
    return len(files) / seconds


def sync_loop(files: Sequence[Path], folder: Path) -> float:
    """Write, sync, rename, sync the directory, one image after the other: what the disk alone allows."""
    contents = [path.read_bytes() for path in files]
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    start = time.monotonic()
    for number, data in enumerate(contents):
        part, name = folder / "part", folder / f"{number}.dcm"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, data)
        os.fdatasync(descriptor)
        os.close(descriptor)
        os.rename(part, name)
        os.fsync(directory)
    seconds = time.monotonic() - start
    os.close(directory)
    return len(files) / seconds
