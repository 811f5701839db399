"""Images per second that our sender sends, against stock ``dcmsend``; both to a ``storescp`` that keeps nothing.

What is measured is the sender: the receiver reads and forgets, over loopback, and both sides send without Nagle.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.receive import Load, loads
from tests.benchmarks.rows import Result, Row, median, with_peers
from tests.support import storescu
from tests.support.dcmtk import StoreScp, storescp

ROUNDS: Final = 5
LIMIT_SECONDS: Final = 100.0
RECEIVER: Final = ("--fork", "--ignore", "--max-pdu", "131072")
NODELAY: Final = ("env", "TCP_NODELAY=1")


@dataclass
class Speed:
    """What was measured of one sender: images per second, and milliseconds of processor time for an image."""

    rates: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


Sender = Callable[[StoreScp, Sequence[Path], int], None]


def ours(receiver: StoreScp, files: Sequence[Path], associations: int) -> None:
    """Send with ``mercure-storescu``."""
    subprocess.run(
        storescu.command(receiver.port, "--associations", str(associations)),
        input=storescu.listing(files),
        stdout=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS,
        check=True,
    )


def stock(receiver: StoreScp, files: Sequence[Path], associations: int) -> None:
    """Send with as many ``dcmsend`` as associations: it has one each."""
    command = [*NODELAY, "dcmsend", "--no-uid-checks", "--max-pdu", "131072", "127.0.0.1", str(receiver.port)]
    programs = [
        subprocess.Popen(
            [*command, *files[first::associations]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for first in range(associations)
    ]
    codes = [program.wait(LIMIT_SECONDS) for program in programs]
    assert codes == [0] * associations, f"dcmsend ended with {codes}"


def run(folder: Path) -> Iterator[Result]:
    """Measure both in turns, with small and large images, over one and four associations."""
    senders: list[Sender] = [ours, stock] if with_peers() else [ours]
    with storescp(folder / "received", *RECEIVER, prefix=NODELAY) as receiver:
        for load in loads(folder):
            for associations in (1, 4):
                found = {sender: Speed() for sender in senders}
                for _ in range(ROUNDS):
                    for sender, speed in found.items():
                        _measure(sender, receiver, load.files, associations, speed)
                yield from _rows(load, associations, found)


def _measure(sender: Sender, receiver: StoreScp, files: Sequence[Path], associations: int, speed: Speed) -> None:
    before, start = _processor(), time.monotonic()
    sender(receiver, files, associations)
    speed.rates.append(len(files) / (time.monotonic() - start))
    speed.processor.append((_processor() - before) * 1000 / len(files))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rows(load: Load, associations: int, found: dict[Sender, Speed]) -> Iterator[Result]:
    what = f"send {load.name}, {associations} assoc"
    mine, peer = found[ours], found.get(stock)
    rate, used = (median(peer.rates), median(peer.processor)) if peer else (None, None)
    yield Row(what, median(mine.rates), "img/s", rate, "dcmsend", 1.0 if peer else None)
    yield Row(f"{what}: processor time", median(mine.processor), "ms/img", used, "dcmsend")
