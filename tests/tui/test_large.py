"""A queue of 50,000 tasks: moving, filtering and sorting it stays quick, in processor time of the UI's thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from appliance.control.rpc.client import ControlError, api
from tests.support.terminal_ui import NOW
from tests.tui.filling import HEAD
from tests.tui.screenplay import Person, play
from tui.screens.queue import COLUMNS, WINDOW

COUNT = 50_000
QUICK_SECONDS = 0.2


def entries() -> tuple[api.queue.QueueEntry, ...]:
    """Return the queue of a site whose archive was down for a day."""
    states = ("retrying", "waiting", "failed", "held")
    return tuple(
        api.queue.QueueEntry.model_validate(
            {
                "id": f"20261121T0000000{number:05d}-0a1b2c3d",
                "stage": "outgoing",
                "state": states[number % 4],
                "created": NOW - timedelta(seconds=number),
                "age_seconds": number,
                "target": f"target{number % 17}",
                "identity": HEAD.model_copy(update={"PatientID": f"P{number * 7919 % COUNT:05d}"}),
            }
        )
        for number in range(COUNT)
    )


def moved_on(rows: Sequence[api.queue.QueueEntry]) -> list[api.queue.QueueEntry]:
    """Return the window of a queue some seconds later: the first tasks are gone, all others are older."""
    return [row.model_copy(update={"age_seconds": row.age_seconds + 5}) for row in rows[3 : WINDOW + 3]]


class LargeQueue:
    """Answers as a router with such a queue: what is measured is the UI, and not the spool."""

    def __init__(self) -> None:
        self.queue = api.queue.Queue(total=COUNT, in_queue=COUNT, entries=entries())
        self.who = api.status.WhoAmI(
            user="alice", uid=1, role="admin", node="n", root="/srv", version="1",
            verbs=tuple(verb.name for verb in api.all_verbs()),
        )  # fmt: skip

    def call(self, verb: Any, request: Any, progress: Any = None) -> Any:
        """Answer the verbs that the queue needs, and refuse all others."""
        targets = api.targets.Targets(targets=(), revision=1, kinds={})
        answers = {"whoami": self.who, "queue.list": self.queue, "targets.list": targets}
        if verb.name not in answers or (getattr(request, "progress", False) and request.states):
            raise ControlError("not-found", f"no {verb.name} here")
        return answers[verb.name]

    @contextlib.contextmanager
    def stream(self, request: Any) -> Iterator[Iterator[Any]]:
        """Bring nothing for as long as the test lasts."""
        _ = request
        ended = threading.Event()
        try:
            yield _beats(ended)
        finally:
            ended.set()


def _beats(ended: threading.Event) -> Iterator[Any]:
    while not ended.wait(0.05):
        yield api.streams.Heartbeat(time=NOW)


def test_filter_sort_and_move_in_50_000_tasks() -> None:
    taken: dict[str, float] = {}

    async def scene(person: Person) -> None:
        await person.see("• live")
        await person.press("2")
        await person.see("50\N{NARROW NO-BREAK SPACE}000 tasks")
        grid = person.app.screen.query_one("Grid")
        for what, act in _acts(grid).items():
            begun = time.thread_time()
            act()
            taken[what] = time.thread_time() - begun
            begun = time.thread_time()
            await person.pilot.pause()
            taken[f"{what}, drawn"] = time.thread_time() - begun
        await person.see("P29190")

    play(LargeQueue(), scene)
    slow = {what: seconds for what, seconds in taken.items() if seconds > QUICK_SECONDS}
    assert not slow


def _acts(grid: Any) -> dict[str, Any]:
    sorts = {
        f"sort by {column.title}": lambda title=column.title: grid.sort_by(title, backwards=True) for column in COLUMNS
    }
    return {
        **sorts,
        "filter first": lambda: grid.select("target3"),
        "filter on": lambda: grid.select("target3 "),
        "filter not": lambda: grid.select("!target3"),
        "filter one": lambda: grid.select("p00001"),
        "filter off": lambda: grid.select(""),
        "move on": lambda: grid.fill(moved_on(grid.rows)),
        "filter after that": lambda: grid.select("p29190"),
    }
