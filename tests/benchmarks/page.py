"""200 requests a second at the status page for half a minute: it answers, and receiving is as fast as without."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
"""So long the page is asked, all rounds together."""

LEAST_SHARE = 0.95
SLOWEST_MS = 500.0


def run(folder: Path) -> Iterator[Result]:
    """Send the same images with and without requests to the page, in turns."""
    port, http = free_port(), free_port()
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
    command: list[str | Path] = [sys.executable, "-m", "appliance.cli", "run", "--root", folder]
    quiet: list[float] = []
    busy: list[float] = []
    asked: list[Asked] = []
    with running(command, ready=lambda _: is_listening(port) and is_listening(http), seconds=90, grace=90):
        rate(series, port)  # warm
        for _ in range(ROUNDS):
            quiet.append(rate(series, port))
            with asking(http) as told:
                busy.append(rate(series, port))
            asked.append(told)
    seconds = sum(one.seconds for one in asked)
    assert seconds >= LEAST_SECONDS, f"the page was asked for {seconds:.0f} s only: send more images"
    per_second = sum(one.answered for one in asked) / seconds
    name = f"receiving, page asked {REQUESTS_PER_SECOND}/s"
    yield Row(name, median(busy), "img/s", median(quiet), "page at rest", LEAST_SHARE)
    yield Row("status page: answers", per_second, "req/s", bound=0.98 * REQUESTS_PER_SECOND)
    yield Row("status page: answers other than 200", sum(one.wrong for one in asked), "", bound=0, at_most=True)
    yield Row("status page: 99 of 100 within", max(one.p99_ms for one in asked), "ms", bound=SLOWEST_MS, at_most=True)


def rate(series: list[list[Path]], port: int) -> float:
    """Send all series, an association each; return images per second."""
    start = time.monotonic()
    for files in series:
        report = dcmsend("127.0.0.1", port, files)
        assert report.code == 0, report.output
    return sum(map(len, series)) / (time.monotonic() - start)


class Asked:
    """What a time of asking came to."""

    answered = wrong = 0
    seconds = p99_ms = 0.0


@contextmanager
def asking(port: int) -> Iterator[Asked]:
    """Ask the page for the length of a block, from another process that yields to all others."""
    told = Asked()
    command: list[str | Path] = [sys.executable, "-m", "tests.benchmarks.asking", str(port), str(REQUESTS_PER_SECOND)]

    def ready(program: Running) -> bool:
        return "asking" in program.output()

    with running(command, ready=ready, env={"PYTHONPATH": os.getcwd()}) as program:
        yield told
        program.popen.terminate()
        eventually(lambda: not program.is_alive, seconds=30)
        figures = program.output().splitlines()[-1].split()
    told.answered, told.wrong = int(figures[0]), int(figures[1])
    told.seconds, told.p99_ms = float(figures[2]), float(figures[3])
