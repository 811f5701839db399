"""How fast the control service answers, over its real socket, with a long queue that a busy dispatcher changes."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from appliance.control.rpc.client import Client, api
from mercure.spool import Spool, Stage
from tests.benchmarks.rows import Result, Row
from tests.benchmarks.waiting import add_waiting_tasks, write_root
from tests.support.ports import free_port
from tests.support.processes import running

WAITING = 50_000
REPEATS = 15
BOUND_MS = 200.0
"""What a person at the terminal still takes for at once (issue 4)."""

_PAGE = 200


def run(folder: Path) -> Iterator[Result]:
    """Measure the answers that the terminal UI asks for most."""
    target = {"kind": "dicom", "host": "127.0.0.1", "port": free_port(), "called_aet": "DOWN"}
    receiver = {"port": free_port(), "bind": "127.0.0.1"}
    spool = write_root(folder, {"receiver": receiver, "targets": {"down": target}, "rules": {}})
    add_waiting_tasks(spool, "down", WAITING)
    command = [sys.executable, "-m", "appliance.control", "--root", str(folder)]
    with running(command, ready=lambda _: (folder / "run" / "control.sock").exists(), seconds=60) as service:
        with Client(folder) as client:
            first = _once(lambda: _list(client))
            yield Row(f"control: first look at {WAITING} tasks", first, "ms", bound=60_000, at_most=True)
            for name, ask in _questions(client).items():
                yield Row(f"control: {name} of {WAITING}", _median(ask), "ms", bound=BOUND_MS, at_most=True)
            yield Row(f"control: page, queue moving, of {WAITING}", _median(_moving(client, spool)), "ms",
                      bound=BOUND_MS, at_most=True)  # fmt: skip
        used = psutil.Process(service.pid).memory_info().rss / 1e6
    yield Row(f"control: memory with {WAITING} tasks", used, "MB", bound=400, at_most=True)


def _list(client: Client, **wanted: object) -> api.queue.Queue:
    return client.call(api.queue.LIST, api.queue.ListQueue.model_validate({"limit": _PAGE, **wanted}))


def _questions(client: Client) -> dict[str, Callable[[], object]]:
    return {
        "queue.list, oldest": lambda: _list(client),
        "queue.list, filter": lambda: _list(client, text="0a"),
        "queue.list, filter not": lambda: _list(client, text="!0a", sort="state"),
        "queue.list, sort by state": lambda: _list(client, sort="state"),
        "queue.list, sort by exam": lambda: _list(client, sort="exam", backwards=True),
        "queue.list, last page": lambda: _list(client, offset=WAITING - _PAGE),
        "queue.list with its shape": lambda: _list(client, shape=True),
        "targets.list": lambda: client.call(api.targets.LIST),
        "status.get": client.status,
    }


def _moving(client: Client, spool: Spool) -> Callable[[], object]:
    """Ask while one task after the other leaves."""
    ids = spool.names(Stage.OUTGOING)
    moved = iter(ids)

    def ask() -> object:
        task = next(moved)
        spool.entry(Stage.OUTGOING, task).rename(spool.entry(Stage.SUCCESS, task))
        return _list(client)

    return ask


def _median(ask: Callable[[], object]) -> float:
    return statistics.median(_once(ask) for _ in range(REPEATS))


def _once(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - begun)
