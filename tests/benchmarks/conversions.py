"""What a conversion on the way out costs: images per second to nodes that do not take what is kept, in turns.

Beside them what people do without it: ``dcmsend`` started for each image, ``dcmdjpeg`` started for each image.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.rows import Result, Row, median, with_peers
from tests.support import storescu
from tests.support.dcmtk import StoreScp, storescp
from tests.support.series import synthetic_series

ROUNDS: Final = 5
LIMIT_SECONDS: Final = 100.0
RECEIVER: Final = ("--fork", "--ignore", "--max-pdu", "131072")
STARTED: Final = 20
"""Images for which a program is started each: it takes long enough."""
LEAST_OF_AS_RECEIVED: Final = 0.7
LEAST_OF_DCMSEND: Final = 10.0
LEAST_OF_DCMDJPEG: Final = 2.0

Work = Callable[[], int]
"""Does something to images, and says to how many."""


def run(folder: Path) -> Iterator[Result]:
    """Measure explicit to implicit VR, and decompression."""
    files = synthetic_series(folder / "native", 400, 512, 512, seed="converted")
    compressed = _compressed(folder, files[:100])
    nodelay = ("env", "TCP_NODELAY=1")
    with (
        storescp(folder / "all", *RECEIVER, prefix=nodelay) as takes_all,
        storescp(folder / "implicit", *RECEIVER, "--implicit", prefix=nodelay) as implicit,
    ):
        works: dict[str, Work] = {
            "received": lambda: _ours(takes_all, files),
            "implicit": lambda: _ours(implicit, files),
            "decompressed": lambda: _ours(takes_all, compressed),
        }
        if with_peers():
            works |= {
                "dcmsend": lambda: _each("dcmsend", files[:STARTED], "127.0.0.1", str(implicit.port)),
                "dcmdjpeg": lambda: _decompressed(compressed[:STARTED], folder / "decompressed.dcm"),
            }
        found = _in_turns(works)
    yield from _rows(found)


def _compressed(folder: Path, files: Sequence[Path]) -> list[Path]:
    made = []
    for file in files:
        made.append(folder / f"{file.stem}-compressed.dcm")
        subprocess.run(["dcmcjpeg", "+e1", file, made[-1]], check=True, timeout=LIMIT_SECONDS)
    return made


def _ours(receiver: StoreScp, files: Sequence[Path]) -> int:
    sent = storescu.send(receiver.port, files, seconds=LIMIT_SECONDS)
    assert sent.outcomes == {"confirmed": len(files)}
    return len(files)


def _each(program: str, files: Sequence[Path], *address: str) -> int:
    for file in files:
        subprocess.run([program, *address, file], check=True, capture_output=True, timeout=LIMIT_SECONDS)
    return len(files)


def _decompressed(files: Sequence[Path], made: Path) -> int:
    for file in files:
        subprocess.run(["dcmdjpeg", file, made], check=True, timeout=LIMIT_SECONDS)
    return len(files)


def _in_turns(works: dict[str, Work]) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.monotonic()
            rates[name].append(work() / (time.monotonic() - start))
    return {name: median(each) for name, each in rates.items()}


def _rows(found: dict[str, float]) -> Iterator[Result]:
    name, unit = "send 400 of 512x512, explicit to implicit VR", "img/s"
    yield Row(name, found["implicit"], unit, found["received"], "as received", LEAST_OF_AS_RECEIVED)
    if "dcmsend" in found:
        yield Row(f"{name}: by people", found["implicit"], unit, found["dcmsend"], "dcmsend, each", LEAST_OF_DCMSEND)
    name, peer = "send 100 of 512x512, JPEG lossless decompressed", found.get("dcmdjpeg")
    yield Row(name, found["decompressed"], unit, peer, "dcmdjpeg, each", LEAST_OF_DCMDJPEG if peer else None)
