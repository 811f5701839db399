"""What all services together cost when nothing happens, with 10,000 tasks in the spool."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil

from mercure.services import NAMES
from tests.benchmarks.routing import is_ready, services
from tests.benchmarks.rows import Result, Row
from tests.benchmarks.waiting import add_waiting_tasks, write_root
from tests.support.ports import free_port
from tests.support.processes import running

WAITING = 10_000
SETTLE_SECONDS = 20
MEASURED_SECONDS = 60


def run(folder: Path) -> Iterator[Result]:
    """Measure the processor time of all services over a minute."""
    targets = {
        "down": {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "DOWN"},
        "off": {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "OFF", "disabled": True},
    }
    receiver = {"port": free_port(), "bind": "127.0.0.1"}
    spool = write_root(folder, {"receiver": receiver, "targets": targets, "rules": {}})
    add_waiting_tasks(spool, "down", WAITING // 2)
    add_waiting_tasks(spool, "off", WAITING // 2)
    with ExitStack() as stack:
        programs = [stack.enter_context(running(c, ready=is_ready, seconds=90)) for c in services(folder, *NAMES)]
        time.sleep(SETTLE_SECONDS)  # a benchmark, not a test: what is measured is the passing of time
        before = sum(_seconds(program.pid) for program in programs)
        time.sleep(MEASURED_SECONDS)
        used = sum(_seconds(program.pid) for program in programs) - before
    percent = 100 * used / MEASURED_SECONDS
    yield Row(f"idle with {WAITING} tasks, all services", percent, "% of a core", bound=1, at_most=True)


def _seconds(pid: int) -> float:
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for member in family for times in [member.cpu_times()])
