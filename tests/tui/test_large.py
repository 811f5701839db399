"""50,000 tasks or exams: moving, filtering and sorting them stays quick, in processor time of the UI's thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from appliance.control.rpc.client import ControlError, api
from tests.support.terminal_ui import NOW
from tests.tui.filling import HEAD
from tests.tui.screenplay import Person, play
from tui.screens import history, queue

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


def exams() -> tuple[api.exams.ExamEntry, ...]:
    """Return what a site received in a year."""
    places = [
        api.exams.ExamPlace(to="target", name=f"target{number}", state=state, states=(state,), images=100, done=40)
        for number, state in enumerate(("delivered", "waiting", "failed", "held"))
    ]
    exam = api.exams.ExamEntry(node="n", exam="", modalities=("CT",), study_description="Thorax", images=100)
    return tuple(
        exam.model_copy(
            update={
                "exam": f"1.2.{number}",
                "patient_id": f"P{number * 7919 % COUNT:05d}",
                "last_received": NOW - timedelta(seconds=number),
                "series": (f"1.2.{number}.1", f"1.2.{number}.2"),
                "places": (places[number % 4], places[0]),
            }
        )
        for number in range(COUNT)
    )


def moved_on(rows: Sequence[Any]) -> list[Any]:
    """Return the window of a queue some seconds later: the first tasks are gone, all others are older."""
    return [row.model_copy(update={"age_seconds": row.age_seconds + 5}) for row in rows[3 : queue.WINDOW + 3]]


class LargeRouter:
    """Answers as a router with so much: what is measured is the UI, and not the spool."""

    def __init__(self) -> None:
        self.queue = api.queue.Queue(total=COUNT, in_queue=COUNT, entries=entries())
        self.exams = api.exams.ExamList(total=COUNT, exams=exams())
        self.who = api.status.WhoAmI(
            user="alice", uid=1, role="admin", node="n", root="/srv", version="1",
            verbs=tuple(verb.name for verb in api.all_verbs()),
        )  # fmt: skip

    def call(self, verb: Any, request: Any, progress: Any = None) -> Any:
        """Answer the verbs that the queue needs, and refuse all others."""
        targets = api.targets.Targets(targets=(), revision=1, kinds={})
        answers = {
            "whoami": self.who,
            "queue.list": self.queue,
            "targets.list": targets,
            "exams.list": self.exams,
        }
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


@pytest.mark.parametrize(("key", "what"), [("2", "tasks"), ("3", "exams")])
def test_filter_sort_and_move_in_50_000_rows(key: str, what: str) -> None:
    taken: dict[str, float] = {}

    async def scene(person: Person) -> None:
        await person.see("• live")
        await person.press(key)
        await person.see(f"50\N{NARROW NO-BREAK SPACE}000 {what}")
        grid = person.app.screen.query_one("Grid")
        for what_is_done, act in _acts(grid, what).items():
            begun = time.thread_time()
            act()
            taken[what_is_done] = time.thread_time() - begun
            begun = time.thread_time()
            await person.pilot.pause()
            taken[f"{what_is_done}, drawn"] = time.thread_time() - begun
        await person.see("P29190")

    play(LargeRouter(), scene)
    slow = {what: seconds for what, seconds in taken.items() if seconds > QUICK_SECONDS}
    assert not slow


def _acts(grid: Any, what: str) -> dict[str, Any]:
    titles = [column.title for column in (queue.COLUMNS if what == "tasks" else history.COLUMNS)]
    sorts = {f"sort by {title}": lambda title=title: grid.sort_by(title, backwards=True) for title in titles}
    later = {
        "tasks": lambda: grid.fill(moved_on(grid.rows)),
        "exams": lambda: grid.fill(grid.rows[3 : history.WINDOW + 3]),
    }
    return {
        **sorts,
        "filter first": lambda: grid.select("target3"),
        "filter on": lambda: grid.select("target3 "),
        "filter not": lambda: grid.select("!target3"),
        "filter one": lambda: grid.select("p00001"),
        "filter off": lambda: grid.select(""),
        "move on": later[what],
        "filter after that": lambda: grid.select("p29190"),
    }
