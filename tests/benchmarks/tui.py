"""The terminal UI on a pseudo-terminal of 80 by 24, against a control service of its own: start, idling, bytes sent."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from mercure.clock import Clock
from mercure.event_details import ImageReceived
from mercure.events import EventWriter
from mercure.names import new_id
from mercure.spool import Spool, Stage
from tests.benchmarks.rows import Result, Row, median
from tests.benchmarks.waiting import write_root
from tests.support.ports import free_port
from tests.support.processes import running
from tests.support.pseudo_terminal import Screen, opened

TUI: tuple[str, ...] = (sys.executable, "-m", "tui", "--root")
STARTS = 5
SETTLE_SECONDS = 8.0
IDLE_SECONDS = 30.0
TRAFFIC_SECONDS = 20.0
IMAGES_PER_SECOND = 500
SENDERS = 8


def run(folder: Path) -> Iterator[Result]:
    """Measure start, idling and traffic."""
    targets = {"archive": {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "A"}}
    rules = {"all": {"rule": "True", "targets": ["archive"]}}
    spool = write_root(folder, {"receiver": {"port": free_port()}, "targets": targets, "rules": rules})
    control: list[str | Path] = [sys.executable, "-m", "appliance.control", "--root", folder]
    socket = folder / "run" / "control.sock"
    with running(control, ready=lambda _: socket.exists(), seconds=60):
        yield from _starts(folder)
        with opened([*TUI, folder]) as screen:
            screen.read_for(60, b"disk")
            screen.read_for(SETTLE_SECONDS)
            yield from _idle(screen)
            yield from _traffic(screen, spool)


def _starts(root: Path) -> Iterator[Result]:
    walls, processors = [], []
    for _ in range(STARTS):
        with opened([*TUI, root]) as screen:
            screen.read_for(60, b"disk")
            walls.append(time.monotonic() - screen.begun)
            processors.append(screen.processor_seconds())
    yield Row("terminal UI: from exec to the first screen", median(walls), "s", bound=1, at_most=True)
    yield Row("terminal UI: the same, processor time", median(processors), "s", bound=1, at_most=True)


def _idle(screen: Screen) -> Iterator[Result]:
    before, bytes_before = screen.processor_seconds(), len(screen.sent)
    seconds = screen.read_for(IDLE_SECONDS)
    used = 100 * (screen.processor_seconds() - before) / seconds
    yield Row("terminal UI: idle on the overview", used, "% of a core", bound=2, at_most=True)
    sent = (len(screen.sent) - bytes_before) / seconds / 1000
    yield Row("terminal UI: idle on the overview", sent, "kB/s", bound=2, at_most=True)


def _traffic(screen: Screen, spool: Spool) -> Iterator[Result]:
    ended = threading.Event()
    told = [0]
    teller = threading.Thread(target=_tell, args=(spool, ended, told))
    teller.start()
    try:
        screen.read_for(5)  # until the rates are there
        at, images = len(screen.sent), told[0]
        before = screen.processor_seconds()
        seconds = screen.read_for(TRAFFIC_SECONDS)
    finally:
        ended.set()
        teller.join()
    if f"SCANNER{SENDERS - 2}".encode() not in screen.sent:
        raise AssertionError("the senders do not stand on the overview: what was measured is not traffic")
    rate = (told[0] - images) / seconds
    sent = (len(screen.sent) - at) / seconds / 1000
    used = 100 * (screen.processor_seconds() - before) / seconds
    yield Row("terminal UI: images told while the overview is watched", rate, "img/s", bound=0.9 * IMAGES_PER_SECOND)
    yield Row(f"terminal UI: overview at {IMAGES_PER_SECOND} images/s", sent, "kB/s", bound=20, at_most=True)
    yield Row(f"terminal UI: overview at {IMAGES_PER_SECOND} images/s", used, "% of a core")


def _tell(spool: Spool, ended: threading.Event, told: list[int]) -> None:
    """Tell of images as a receiver does, at the rate wanted, from several senders."""
    clock = Clock()
    events = EventWriter(spool.stage(Stage.OUTBOX), "receiver", clock)
    begun = time.monotonic()
    while not ended.wait(0.02):
        due = int((time.monotonic() - begun) * IMAGES_PER_SECOND)
        while told[0] < due:
            number = told[0]
            details = ImageReceived(
                image=new_id(), association="a", file=f"{number}.dcm", folder="1.2", sop=f"1.2.{number}", series="1.2",
                patient="P", bytes=524_288, calling_aet=f"SCANNER{number % SENDERS}",
            )  # fmt: skip
            events.emit(details, series="1.2")
            told[0] += 1
    events.close()
