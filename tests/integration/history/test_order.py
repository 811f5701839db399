"""The rows do not depend on the order in which the outbox is read: files of different writers have none."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercure.clock import ManualClock
from mercure.event_details import (
    Audit,
    Metrics,
    RuleOutcome,
    SeriesDecided,
    StudyCompleted,
    TaskChanged,
    TaskCreated,
    TaskFailed,
    TaskProcessed,
    TaskRetired,
)
from mercure.history.database import run_sql
from mercure.history.recorder import Recorder
from mercure.names import derived_id
from tests.support.history import Outbox, Told, event, make_id
from tests.support.history_rows import empty, rows_of
from tests.support.recording import record_all

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from mercure.events import Event


def changes(story: Told, target: str) -> list[Event]:
    """Tell how people and failures pull a task to and fro."""
    task = story.derived(target)

    def changed(type_: str, seconds: float, **fields: str) -> Event:
        return event(type_, TaskChanged(by="anna", **fields), story.start + seconds, task=task, service="control")

    failed = TaskFailed(stage="outgoing", reason="refused ten times", advice="ask the archive")
    return [
        changed("task.held", 71),
        changed("task.released", 72, reason="was a mistake"),
        event("task.failed", failed, story.start + 73, task=task, id=f"failed-1-{task}"),
        changed("task.retried", 74),
        event("task.failed", failed, story.start + 75, task=task, id=f"failed-2-{task}"),
        changed("task.rerouted", 76, target="elsewhere"),
    ]


def discarded(story: Told) -> list[Event]:
    """Tell a series that a rule discards: the routed task goes to discard/ itself."""
    decided = SeriesDecided(rules=(RuleOutcome(rule="phantoms", fired=True),), derived=(), discarded_by="phantoms")
    created = TaskCreated(
        stage="discard",
        action="discard",
        rules=("phantoms",),
        identity=story.identity,
        origin=story.origin,
        images=story.refs,
        bytes=10,
    )
    retired = TaskRetired(stage="discard", images=story.images, reason="pressure")
    about = {"task": story.task, "series": story.uid}
    return [
        *story.receiver(),
        story.completed(),
        event("series.decided", decided, story.start + 61, **about),
        event("task.created", created, story.start + 62, **about),
        event("task.retired", retired, story.start + 900, **about),
    ]


def processed(story: Told) -> list[Event]:
    """Tell a task whose result goes on as a task of its own."""
    task, output = story.derived("module"), story.derived("result")
    common = {"identity": story.identity, "origin": story.origin, "images": story.refs[:1]}
    first = TaskCreated(stage="processing", action="process", parent=story.task, module="seg", **common)
    second = TaskCreated(stage="outgoing", action="route", parent=task, target="archive", **common)
    return [
        event("task.created", first, story.start + 62, task=task),
        event("task.created", second, story.start + 70, task=output),
        event("task.processed", TaskProcessed(module="seg", outputs=(output,)), story.start + 71, task=task),
    ]


COLLECTED = Told(number=5, images=2, targets=("collect",), start=17)
STUDY = make_id(5, 200, "study")


def study(story: Told) -> list[Event]:
    """Tell a series that waits for its study, and the study that is made of it."""
    waits = TaskCreated(
        stage="studies",
        action="collect",
        parent=story.task,
        rules=("whole studies",),
        identity=story.identity,
        origin=story.origin,
        images=story.refs,
    )
    identity = story.identity.model_copy(update={"SeriesInstanceUID": "", "SeriesDescription": "", "Modality": ""})
    completed = StudyCompleted(
        identity=identity,
        origin=story.origin,
        rule="whole studies",
        members=(story.derived("collect"),),
        images=story.refs,
        bytes=10,
        reason="quiet",
        by="anna",
    )
    route = TaskCreated(
        stage="outgoing",
        action="route",
        scope="study",
        parent=STUDY,
        target="archive",
        identity=identity,
        origin=story.origin,
        images=story.refs,
    )
    decided = SeriesDecided(rules=(), derived=(derived_id(STUDY, "route:archive"),))
    return [
        *story.receiver(),
        story.completed(),
        story.decided(),
        event("task.created", waits, 80, task=story.derived("collect"), series=story.uid),
        event("study.completed", completed, 200, task=STUDY),
        event("series.decided", decided, 201, task=STUDY),
        event("task.created", route, 202, task=derived_id(STUDY, "route:archive")),
    ]


def everything() -> list[Event]:
    plain, pulled = Told(number=1, images=2, targets=("archive", "research")), Told(number=2, images=2, start=7)
    dropped, module = Told(number=3, images=2, start=11), Told(number=4, images=2, targets=(), start=13)
    again = Told(number=1, images=1, start=300)
    events = [*plain.all(), plain.received(0, repetition=True)]
    events += [*pulled.receiver(), *pulled.router(), *changes(pulled, "archive")]
    events += [*discarded(dropped), *module.receiver(), *module.router(), *processed(module)]
    events += [*again.receiver(), *again.router(), *study(COLLECTED)]
    events.append(event("audit", Audit(by="anna", verb="hold", object="task", before=None, after={"a": 1}), 71.5))
    for second, level in ((20, 5.0), (30, 4.0), (30.5, 9.0)):
        events.append(event("metrics", Metrics(counters={"loops": 2}, gauges={"level": level}), second))
    # The same facts told later by somebody who did not know that they were told.
    events += [plain.created("archive", seconds=7000), plain.delivered("research", seconds=7001)]
    return events


EVENTS = everything()


@st.composite
def arrangements(draw: st.DrawFn) -> tuple[list[list[Event]], int]:
    """Deal the events to writers in any order, some of them twice, read in batches of any size."""
    dealt = draw(st.permutations(EVENTS))
    twice = draw(st.lists(st.sampled_from(EVENTS), max_size=10))
    told_first = {event.id: event for event in reversed(EVENTS)}
    everyone = [told_first[event.id] for event in [*dealt, *twice]]
    cuts = sorted(draw(st.lists(st.integers(0, len(everyone)), max_size=6)))
    edges = [0, *cuts, len(everyone)]
    files = [everyone[start:end] for start, end in itertools.pairwise(edges)]
    return files, draw(st.integers(1, 30))


@pytest.fixture
def expected(database: Database, tmp_path: Path) -> dict[str, object]:
    """Record the events in the order in which they happened."""
    outbox = Outbox(tmp_path / "in-order")
    outbox.put(sorted(EVENTS, key=lambda event: event.time))
    record_all(Recorder(database, outbox.folder, "node-a", ManualClock()))
    rows = rows_of(database)
    empty(database)
    return dict(rows)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrangement=arrangements())
def test_any_order_gives_the_same_rows(
    arrangement: tuple[list[list[Event]], int], database: Database, tmp_path: Path, expected: dict[str, object]
) -> None:
    files, batch = arrangement
    outbox = Outbox(tmp_path / "outbox")
    recorder = Recorder(database, outbox.folder, "node-a", ManualClock(), batch_lines=batch)
    try:
        for number, events in enumerate(files):
            outbox.put(events, number=number)
        record_all(recorder)
        assert rows_of(database) == expected
    finally:
        for name in outbox.files():
            (outbox.folder / name).unlink()
        empty(database)


def test_the_states_are_those_that_a_person_would_name(database: Database, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put(sorted(EVENTS, key=lambda event: event.time, reverse=True))
    record_all(Recorder(database, outbox.folder, "node-a", ManualClock()))
    columns = "id, state, target, reason, completion, study_task"
    rows = {row[0]: row[1:] for row in run_sql(database, f"SELECT {columns} FROM tasks").fetchall()}  # noqa: S608
    dropped = Told(number=3, images=2, start=11)
    module = Told(number=4, images=2, start=13)
    wanted = {
        Told(number=1, images=2).derived("archive"): ("delivered", "archive", None, None, None),
        Told(number=2, images=2, start=7).derived("archive"): ("waiting", "elsewhere", "by anna", None, None),
        dropped.task: ("discarded", None, "phantoms", "released", None),
        module.derived("module"): ("processed", None, None, None, None),
        module.derived("result"): ("waiting", "archive", None, None, None),
        COLLECTED.derived("collect"): ("collected", None, None, None, STUDY),
        STUDY: ("decided", None, None, "quiet (anna)", None),
    }
    assert {task: tuple(rows[task]) for task in wanted} == wanted
