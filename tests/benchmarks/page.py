"""200 requests a second at the status page: it answers, and receiving is as fast as without.

Two senders, each measured in turns, round by round: stock ``dcmsend`` as fast as it can, which on two cores leaves
nothing over, and a scanner that keeps its own pace. Who asks the page is on another computer in a hospital and on this
one here, so `dcmsend` is measured a third time, beside as many requests to a server that answers without work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.benchmarks.rows import Result, Row, median
from tests.benchmarks.waiting import write_root
from tests.support.dcmtk import dcmsend
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import Running, running
from tests.support.series import synthetic_series

REQUESTS_PER_SECOND = 200
ROUNDS = 5
SERIES = 6
IMAGES = 1000
LEAST_SECONDS = 30.0
"""So long the page is asked, all rounds together, with each sender."""

PACE = 50.0
"""Images of 512x512 a second: 25 MB/s, as the quickest scanners send."""

PACED_IMAGES = 320
LEAST_SHARE = 0.95
SLOWEST_MS = 500.0
MOST_LATE = 2.0
"""Times as long for an image of the scanner to be taken, in 99 of 100 cases, when the page is asked."""

Load = Literal["rest", "asking", "page"]
LOADS: tuple[Load, ...] = ("rest", "asking", "page")


@dataclass
class Asked:
    """What a time of asking came to."""

    answered: int = 0
    wrong: int = 0
    seconds: float = 0.0
    p99_ms: float = 0.0


@dataclass
class Measured:
    """What was measured, by load."""

    fast: dict[Load, list[float]] = field(default_factory=lambda: {load: [] for load in LOADS})
    pace: dict[Load, list[float]] = field(default_factory=lambda: {load: [] for load in LOADS})
    late: dict[Load, list[float]] = field(default_factory=lambda: {load: [] for load in LOADS})
    asked: dict[str, list[Asked]] = field(default_factory=lambda: {"fast": [], "pace": []})


def run(folder: Path) -> Iterator[Result]:
    """Send with and without requests to the page, in turns."""
    port, http, idle = free_port(), free_port(), free_port()
    write_root(
        folder,
        {
            "receiver": {"port": port, "bind": "127.0.0.1"},
            "status_page": {"port": http},
            "completion": {"after_release_seconds": 0.2},
            "targets": {},
            "rules": {"none": {"rule": "True", "action": "discard"}},
        },
    )
    series = [synthetic_series(folder / f"{number}", IMAGES, 128, 128, seed=f"{number}") for number in range(SERIES)]
    router: list[str | Path] = [sys.executable, "-m", "appliance.cli", "run", "--root", folder]
    found = Measured()
    with (
        running(router, ready=lambda _: is_listening(port) and is_listening(http), seconds=90, grace=90),
        running(_python("answering", idle), ready=lambda _: is_listening(idle), env=_PATH),
    ):
        rate(series, port)  # warm
        for number in range(ROUNDS):
            with asking(idle):
                found.fast["asking"].append(rate(series, port))
            found.fast["rest"].append(rate(series, port))
            with asking(http) as told:
                found.fast["page"].append(rate(series, port))
            found.asked["fast"].append(told)
            _scan(found, "rest", port, f"rest {number}")
            with asking(http) as told:
                _scan(found, "page", port, f"page {number}")
            found.asked["pace"].append(told)
    yield from _rows(found)


def _rows(found: Measured) -> Iterator[Result]:
    for told in found.asked.values():
        seconds = sum(one.seconds for one in told)
        assert seconds >= LEAST_SECONDS, f"the page was asked for {seconds:.0f} s only: send more images"
    fast, pace, late = (_medians(of) for of in (found.fast, found.pace, found.late))
    beside, rest = f"page asked {REQUESTS_PER_SECOND}/s", "page at rest"
    yield Row(f"scanner at {PACE:.0f} img/s, {beside}", pace["page"], "img/s", pace["rest"], rest, LEAST_SHARE)
    yield Row("  99 of 100 images taken within", late["page"], "ms", late["rest"], rest, MOST_LATE, at_most=True)
    yield Row(f"dcmsend, {beside}", fast["page"], "img/s", fast["asking"], "another server asked", LEAST_SHARE)
    yield Row("  the same", fast["page"], "img/s", fast["rest"], rest)
    asked = [one for told in found.asked.values() for one in told]
    per_second = sum(one.answered for one in asked) / sum(one.seconds for one in asked)
    yield Row("status page: answers", per_second, "req/s", bound=0.98 * REQUESTS_PER_SECOND)
    yield Row("status page: answers other than 200", sum(one.wrong for one in asked), "", bound=0, at_most=True)
    yield Row("status page: 99 of 100 within", max(one.p99_ms for one in asked), "ms", bound=SLOWEST_MS, at_most=True)


def _medians(rounds: dict[Load, list[float]]) -> dict[Load, float]:
    return {load: median(values) for load, values in rounds.items() if values}


def rate(series: list[list[Path]], port: int) -> float:
    """Send all series, an association each; return images per second."""
    start = time.monotonic()
    for files in series:
        report = dcmsend("127.0.0.1", port, files)
        assert report.code == 0, report.output
    return sum(map(len, series)) / (time.monotonic() - start)


def _scan(found: Measured, load: Load, port: int, seed: str) -> None:
    """Let the scanner send a series at its pace."""
    with running(_python("scanning", port, PACE, PACED_IMAGES, seed), env=_PATH) as scanner:
        assert scanner.wait(seconds=120) == 0, scanner.output()
        reached, _, late = map(float, scanner.output().split())
    found.pace[load].append(reached)
    found.late[load].append(late)


@contextmanager
def asking(port: int) -> Iterator[Asked]:
    """Ask a server for the length of a block, from another process that yields to all others."""
    told = Asked()

    def ready(program: Running) -> bool:
        return "asking" in program.output()

    with running(_python("asking", port, REQUESTS_PER_SECOND), ready=ready, env=_PATH) as program:
        yield told
        program.popen.terminate()
        eventually(lambda: not program.is_alive, seconds=30)
        figures = program.output().splitlines()[-1].split()
    told.answered, told.wrong = int(figures[0]), int(figures[1])
    told.seconds, told.p99_ms = float(figures[2]), float(figures[3])


_PATH = {"PYTHONPATH": os.getcwd()}


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)]
