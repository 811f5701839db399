"""Exams: the series of a study as one row, found, ordered and counted by the database."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import pytest

from mercure.clock import ManualClock
from mercure.event_details import Identity, TaskFailed
from mercure.history.database import disconnect, open_history, run_many, transaction
from mercure.history.exams import ExamQuery, Exams, FoundExam
from mercure.history.migrate import migrate
from mercure.history.records import ExamOrder
from tests.support.history import START, Outbox, Told, event
from tests.support.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from mercure.history.recorder import Recorder


@dataclass(frozen=True)
class Member(Told):
    """A series of a study."""

    study: str = ""
    more: tuple[tuple[str, str], ...] = ()

    @cached_property
    def identity(self) -> Identity:
        """Whose it is."""
        return super().identity.model_copy(update={"StudyInstanceUID": self.study, **dict(self.more)})


HEAD = Member(number=1, images=3, targets=("archive", "research"), study="1.2.826.0.2.1")
NECK = Member(
    number=2,
    start=1000,
    study="1.2.826.0.2.1",
    more=(("PatientID", "P000001"), ("AccessionNumber", "A000001"), ("SeriesDescription", "Neck")),
)
MUELLER = Member(number=3, images=5, start=2000, study="1.2.826.0.2.3", name="Müller^Jörg")
ALONE = Member(number=4, images=2, start=3000, more=(("StudyDescription", "Lost"),))
WAITING = Told(number=12, images=4, start=4000)


def failed(told: Told, target: str) -> list[object]:
    details = TaskFailed(stage="outgoing", reason="0xA700 no room there", advice="make room")
    attempt = told.dispatcher(target)[0]
    return [attempt, event("task.failed", details, told.start + 90, task=told.derived(target), service="dispatcher")]


@pytest.fixture
def exams(history_url: str, recorder: Recorder, outbox: Outbox) -> Iterator[Exams]:
    waiting = [*WAITING.receiver(), *WAITING.router(), WAITING.dispatcher("archive")[0]]
    mueller = [*MUELLER.receiver(), *MUELLER.router(), *failed(MUELLER, "archive")]
    outbox.put([*HEAD.all(), *NECK.all(), *mueller, *ALONE.all(), *waiting])  # type: ignore[list-item]
    record_all(recorder)
    with Exams(history_url) as opened:
        opened.check()
        yield opened


def found(exams: Exams, query: ExamQuery) -> list[str]:
    """Return the numbers of the last series of the exams found."""
    total, rows = exams.find(query)
    assert total == len(rows)
    return [(row.series[0].series_uid or "").rpartition(".")[2] for row in rows]


def test_the_series_of_a_study_are_one_row_the_last_received_first(exams: Exams) -> None:
    total, rows = exams.find(ExamQuery())
    assert total == 4
    assert [[series.series_uid for series in row.series] for row in rows] == [
        [WAITING.uid],
        [ALONE.uid],
        [MUELLER.uid],
        [NECK.uid, HEAD.uid],
    ]
    assert [(row.node, row.study) for row in rows][1:] == [
        ("node-a", "1.2.826.0.1.4"),  # without a study it is by its folder
        ("node-a", MUELLER.study),
        ("node-a", HEAD.study),
    ]
    assert sum(series.images for series in rows[-1].series) == 6


def test_the_tasks_of_an_exam_with_what_keeps_them(exams: Exams) -> None:
    rows = {row.study: row for row in exams.find(ExamQuery())[1]}
    head = rows[HEAD.study]
    assert {(task.target, task.state, task.images) for task in head.tasks if task.target} == {
        ("archive", "delivered", 3),
        ("research", "delivered", 3),
    }
    assert [task.id for task in head.tasks] == sorted(task.id for task in head.tasks)
    assert [(task.state, task.kind, task.reason) for task in rows[MUELLER.study].tasks if task.target] == [
        ("failed", "unreachable", "0xA700 no room there")
    ]
    assert [(task.state, task.kind) for task in rows["1.2.826.0.2.12"].tasks if task.target] == [
        ("waiting", "unreachable")
    ]
    assert {task.folder for task in head.tasks} == {series.folder for series in head.series}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (ExamQuery(text="neck"), ["2"]),
        (ExamQuery(text="ead"), ["12", "3", "2"]),
        (ExamQuery(text="ead", inverse=True), ["4"]),
        (ExamQuery(text="müll"), ["3"]),
        (ExamQuery(text="MÜLLER"), ["3"]),
        (ExamQuery(text="000012"), ["12"]),
        (ExamQuery(text="%"), []),
        (ExamQuery(text="resea", targets=("research",)), ["2"]),
        (ExamQuery(text="fail", states=("failed",)), ["3"]),
        (ExamQuery(text="fail", states=("failed",), inverse=True), ["12", "4", "2"]),
        (ExamQuery(beginning="a000001"), ["2"]),
        (ExamQuery(beginning="mueller"), ["3"]),
        (ExamQuery(beginning=f"{HEAD.uid}.1"), ["2"]),  # an image of one of its series
        (ExamQuery(beginning="nobody"), []),
        (ExamQuery(since=START + timedelta(seconds=1500)), ["12", "4", "3"]),
        (ExamQuery(until=START + timedelta(seconds=500)), ["2"]),
        (ExamQuery(since=START + timedelta(seconds=1500), until=START + timedelta(seconds=2500)), ["3"]),
    ],
)
def test_what_is_looked_for(exams: Exams, query: ExamQuery, numbers: list[str]) -> None:
    assert found(exams, query) == numbers


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("received", ["2", "3", "4", "12"]),
        ("patient", ["2", "3", "4", "12"]),
        ("accession", ["2", "3", "4", "12"]),
        ("exam", ["12", "3", "2", "4"]),
        ("series", ["12", "4", "3", "2"]),
        ("images", ["4", "12", "3", "2"]),
        ("from", ["12", "4", "3", "2"]),
        ("delivered", ["3", "12", "4", "2"]),
    ],
)
def test_the_order_is_that_of_all_and_what_is_equal_has_the_last_first(
    exams: Exams, order: ExamOrder, numbers: list[str]
) -> None:
    assert found(exams, ExamQuery(order=order, backwards=False)) == numbers
    assert exams.find(ExamQuery(order=order, backwards=False, limit=1))[0] == 4  # of which one is returned
    first = exams.find(ExamQuery(order=order, backwards=False, limit=1))[1][0]
    assert (first.series[0].series_uid or "").endswith(f".{numbers[0]}")


def test_an_image_that_came_twice_counts_once(exams: Exams, recorder: Recorder, outbox: Outbox) -> None:
    again = replace(HEAD, start=5000)
    outbox.put([*again.receiver(), *again.router()], number=2)
    record_all(recorder)
    exam = exams.show("node-a", HEAD.study)
    assert exam is not None
    assert {(series.images, series.repetitions) for series in exam.series} == {(3, 0), (3, 3)}


def test_one_exam_by_its_study_or_by_the_folder_of_a_series_without_one(exams: Exams) -> None:
    def shown(study: str, node: str = "node-a") -> FoundExam | None:
        return exams.show(node, study)

    head, alone = shown(HEAD.study), shown("1.2.826.0.1.4")
    assert head is not None
    assert [series.series_uid for series in head.series] == [NECK.uid, HEAD.uid]
    assert alone is not None
    assert [series.study_description for series in alone.series] == ["Lost"]
    assert shown(HEAD.study, "node-b") is None
    assert shown("1.2.3.4") is None
    assert shown(HEAD.uid) is None  # a series of a study is no exam


COUNT = 50_000
QUICK_SECONDS = 0.4
"""Twice of what a person may wait for: tests run beside others, which take from the processor's caches."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A history in SQLite of 50,000 exams of one series each, most of which were delivered to two targets."""
    url = f"sqlite://{tmp_path_factory.mktemp('large')}/history.db"
    database = open_history(url)
    migrate(database, ManualClock())
    with transaction(database):
        fill_series(database)
        fill_tasks(database)
    disconnect(database)
    return url


SERIES = """
    INSERT INTO series (id, node, folder, series_uid, study_uid, patient_id, patient_name, accession, modality,
                        study_description, series_description, calling_aet, first_received, last_received, images,
                        bytes, repetitions)
    VALUES (?, 'n', ?, ?, ?, ?, ?, ?, 'CT', ?, 'Lung 1.0', ?, ?, ?, 100, 100000000, 0)
"""
TASKS = """
    INSERT INTO tasks (id, node, series_id, action, target, state, images, decided) VALUES (?, 'n', ?, ?, ?, ?, 100, 1)
"""


def fill_series(database: Database) -> None:
    rows = (
        (number, f"1.3.{number}", f"1.3.{number}", f"1.2.{number}", f"P{number * 7919 % COUNT}", f"DOE{number}^JANE",
         f"A{number}", f"CT Thorax {number % 97}", f"CT{number % 9}", number, number * 10**6)
        for number in range(COUNT)
    )  # fmt: skip
    run_many(database, SERIES, rows)
    studies = ((f"1.2.{number}", "study_uid", number) for number in range(COUNT))
    run_many(database, "INSERT INTO identifiers (folded, kind, series_id) VALUES (?, ?, ?)", studies)


def fill_tasks(database: Database) -> None:
    def state(number: int, target: str | None) -> str:
        if target is None:
            return "decided"
        return "failed" if target == "cloud" and number % 1000 == 0 else "delivered"

    rows = (
        (f"{number:08}-{target}", number, "route" if target else "complete", target, state(number, target))
        for number in range(COUNT)
        for target in (None, "archive", "cloud")
    )
    run_many(database, TASKS, rows)


@pytest.mark.parametrize(
    ("query", "total"),
    [
        *((ExamQuery(order=order), COUNT) for order in get_args(ExamOrder)),
        (ExamQuery(text="thorax 13"), 516),
        (ExamQuery(text="thorax 13", inverse=True), COUNT - 516),
        (ExamQuery(text="nobody"), 0),
        (ExamQuery(text="fail", states=("failed",)), 50),
        (ExamQuery(since=datetime.fromtimestamp(25_000, UTC)), COUNT - 25_000),
    ],
)
def test_50_000_exams_are_listed_filtered_and_sorted_quickly(large: str, query: ExamQuery, total: int) -> None:
    with Exams(large) as exams:
        exams.check()
        taken = []
        for _ in range(3):  # the best counts
            begun = time.thread_time()
            found, rows = exams.find(query)
            taken.append(time.thread_time() - begun)
            assert found == total
            assert len(rows) == min(total, query.limit)
    assert min(taken) < QUICK_SECONDS
