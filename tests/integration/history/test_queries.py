"""The questions that screens, commands and services ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.event_details import Audit
from mercure.history.database import HistoryError, disconnect, open_history, run_sql
from mercure.history.queries import History, HistoryUnavailableError, Identifier, ResultPage
from mercure.history.recorder import Recorder
from tests.support.history import START, Outbox, Told, event
from tests.support.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = Told(number=1, images=3, targets=("archive", "research"))
SECOND = Told(number=2, images=2, start=1000)
WAITING = Told(number=12, images=4, start=2000)


@pytest.fixture
def history(history_url: str, recorder: Recorder, outbox: Outbox) -> Iterator[History]:
    waiting = [*WAITING.receiver(), *WAITING.router(), WAITING.dispatcher("archive")[0]]
    audit = event("audit", Audit(by="anna", verb="queue.hold", object="t", before={"held": False}, after=None), 50)
    outbox.put([*FIRST.all(), FIRST.received(0, repetition=True), *SECOND.all(), *waiting, audit])
    record_all(recorder)
    with History(history_url) as opened:
        opened.check()
        yield opened


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("P000001", [1]),
        ("p0000", [12, 2, 1]),
        ("doe2", [2]),
        ("JANE", [12, 2, 1]),
        ("A000012", [12]),
        ("1.2.826.0.1.1", [12, 1]),
        ("1.2.826.0.2.2", [2]),
        ("1.2.826.0.1.12.3", [12]),
        ("nobody", []),
        ("%", []),
        ("  ", []),
    ],
)
def test_find_by_the_beginning_of_any_identifier(history: History, text: str, numbers: list[int]) -> None:
    found = [series.series_uid for series in history.find(text)]
    assert found == [Told(number=number).uid for number in numbers]


@pytest.mark.parametrize(("kind", "text"), [("accession", "a000001"), ("study_uid", "1.2.826.0.2.1")])
def test_all_of_an_exam_by_its_whole_identifier(history: History, kind: str, text: str) -> None:
    exam = Identifier(kind, text)
    assert [series.series_uid for series in history.series(of=exam)] == [FIRST.uid]
    images = history.images(of=exam)
    assert sorted(image.sop or "" for image in images) == [f"{FIRST.uid}.{number}" for number in (0, 0, 1, 2)]
    assert {task.id for task in history.tasks_of(exam)} == {FIRST.task, *map(FIRST.derived, FIRST.targets)}
    assert len(history.tasks_of(exam, ResultPage(limit=2, offset=2))) == 1
    assert history.series(of=Identifier(kind, text[:-1])) == []


def test_connections_by_their_id(history: History) -> None:
    found = history.associations([FIRST.association, SECOND.association, "unknown"])
    assert set(found) == {FIRST.association, SECOND.association}
    assert (found[FIRST.association].calling_aet, found[FIRST.association].how) == ("CT1", "released")
    assert history.associations([]) == {}


def test_series_come_last_received_first_in_pages(history: History) -> None:
    assert [series.patient_id for series in history.series()] == ["P000012", "P000002", "P000001"]
    assert [series.patient_id for series in history.series(ResultPage(limit=1, offset=1))] == ["P000002"]
    since = START + timedelta(seconds=500)
    until = START + timedelta(seconds=1500)
    assert [series.patient_id for series in history.series(ResultPage(since=since, until=until))] == ["P000002"]
    first = history.series(series_uid=FIRST.uid)[0]
    assert (first.images, first.repetitions, first.bytes) == (3, 1, 3003)
    assert first.first_received == START
    assert history.series(modality="MR") == []


def test_an_image_that_comes_three_times_counts_once_and_is_where_its_copy_is(
    history_url: str, recorder: Recorder, outbox: Outbox
) -> None:
    again = replace(FIRST, start=5000)
    third = replace(FIRST, start=6000)
    twice = [FIRST.received(index, repetition=True) for index in range(3)]
    outbox.put([*FIRST.receiver(), *twice, *FIRST.router(), *again.receiver(), *again.router()])
    record_all(recorder)
    with History(history_url) as history:
        history.check()
        assert [(found.images, found.repetitions, found.bytes) for found in history.series()] == [(3, 6, 3003)]
        assert [found.images for found in history.find(FIRST.uid)] == [3]
        assert {image.task for image in history.images()} == {FIRST.task, again.task}
        outbox.put([third.received(0)], number=2)  # still arriving, for the third time
        record_all(recorder)
        assert [(found.images, found.repetitions) for found in history.series()] == [(3, 7)]
        assert history.images()[0].task is None


def test_a_repetition_waits_with_the_image_that_it_repeats(
    history_url: str, recorder: Recorder, outbox: Outbox
) -> None:
    outbox.put([*FIRST.receiver(), FIRST.received(0, repetition=True)])
    record_all(recorder)
    with History(history_url) as history:
        assert {image.task for image in history.images()} == {None}
        assert [(found.images, found.repetitions) for found in history.series()] == [(3, 1)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller-Lüdenscheidt^Jörg", "lüdenscheidt"),
        ("Müller-Lüdenscheidt^Jörg", "Müller-Lüdenscheidt^Jörg"),
        ("Garc\u00eda\u2010Lorca\u2010Ruiz^Ana", "lorca-ruiz"[:5]),
        ("Anna-Maria-Luise", "maria-luise"),
        ("Mu\u0308nch^A", "m\u00fcnch"),
        ("M\u00fcnch^A", "mu\u0308nch"),
        ("\u00c5SE^\u0130", "A\u030ase"),
        ("Van der Berg^X", "berg"),
        ("Müller-Lüdenscheidt^Jörg", "muller"),
        ("Müller-Lüdenscheidt^Jörg", "LUEDENSCHEIDT"),
        ("Mu\u0308ller^Jo\u0308rg", "mueller^joerg"),
        ("Sørensen^Zoë", "zoe"),
        ("Łukasz^Żółć", "zolc"),
    ],
)
def test_a_name_is_found_by_each_part_however_it_is_composed(
    history_url: str, recorder: Recorder, outbox: Outbox, name: str, text: str
) -> None:
    told = replace(FIRST, name=name)
    outbox.put([*told.receiver(), *told.router()])
    record_all(recorder)
    with History(history_url) as history:
        assert len(history.find(text)) == 1
        assert history.find("denscheidt") == []  # a piece of a word is no beginning of it


def test_images_of_a_series_a_task_and_by_sop(history: History) -> None:
    assert len(history.images(series_uid=FIRST.uid)) == 4
    assert len(history.images(task=FIRST.derived("research"))) == 3
    only = history.images(sop=f"{SECOND.uid}.1")
    assert [(image.file, image.task, image.series_uid) for image in only] == [
        (f"{SECOND.uid}.1.dcm", SECOND.task, SECOND.uid)
    ]
    assert only[0].received == START + timedelta(seconds=1000.01)


def test_tasks_by_state_target_series_and_parent(history: History) -> None:
    assert {task.id for task in history.tasks(states=["delivered"])} == {
        FIRST.derived("archive"),
        FIRST.derived("research"),
        SECOND.derived("archive"),
    }
    assert [task.id for task in history.tasks(target="research")] == [FIRST.derived("research")]
    assert {task.action for task in history.tasks(series_uid=FIRST.uid)} == {"complete", "route"}
    assert len(history.tasks(parent=FIRST.task)) == 2
    waiting = history.task(WAITING.derived("archive"))
    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.last_error) == ("waiting", 1, "no route to host")
    assert waiting.next_attempt == START + timedelta(seconds=2080)
    assert waiting.rules == ("all",)
    assert waiting.patient_name == "Doe12^Jane"
    assert history.task("nothing") is None


def test_attempts_in_order(history: History) -> None:
    attempts = history.attempts(FIRST.derived("archive"))
    assert [(attempt.number, attempt.outcome, attempt.kind) for attempt in attempts] == [
        (1, "failure", "unreachable"),
        (2, "success", None),
    ]


def test_events_by_type_task_and_time(history: History) -> None:
    assert {found.type for found in history.events(type="task.")} == {
        *("task.created", "task.attempt", "task.delivered", "task.retired"),
    }
    assert len(history.events(type="task.created")) == 4
    newest = history.events(ResultPage(limit=1))[0]
    assert newest.time == max(found.time for found in history.events())
    delivered = history.events(type="task.delivered", task=FIRST.derived("archive"))[0]
    assert delivered.details["images"] == 3
    assert delivered.details["statuses"] == {"0x0000": 3}


def test_audit_keeps_before_and_after(history: History) -> None:
    assert [(row.by, row.verb, row.before, row.after) for row in history.audit(by="anna")] == [
        ("anna", "queue.hold", {"held": False}, None)
    ]


def test_the_story_of_a_series_sums_up_its_images(history: History) -> None:
    told = [found.type for found in history.series_timeline(SECOND.uid)]
    assert told == [
        *("images.received", "series.completed", "series.decided", "task.created"),
        *("task.attempt", "task.attempt", "task.delivered", "task.retired"),
    ]
    arrival = history.series_timeline(SECOND.uid)[0]
    assert (arrival.details["images"], arrival.details["calling_aet"]) == (2, "CT1")


def test_the_story_of_a_task(history: History) -> None:
    told = [found.type for found in history.task_timeline(SECOND.derived("archive"))]
    assert told == ["task.created", "task.attempt", "task.attempt", "task.delivered", "task.retired"]


def test_counters_by_minute_and_by_longer_steps(history: History) -> None:
    until = START + timedelta(hours=2)
    by_minute = history.counters(["images.received"], START, until)
    assert [(point.label, point.value) for point in by_minute] == [
        ("CT1@10.0.0.7", 4.0),
        ("CT1@10.0.0.7", 2.0),
        ("CT1@10.0.0.7", 4.0),
    ]
    by_hour = history.counters(["images.received", "images.delivered"], START, until, step=60)
    assert [(point.name, point.label, point.value) for point in by_hour] == [
        ("images.delivered", "archive", 5.0),
        ("images.delivered", "research", 3.0),
        ("images.received", "CT1@10.0.0.7", 10.0),
    ]
    assert by_hour[0].minute == START


def test_task_states_for_the_cleaner(history: History) -> None:
    asked = [FIRST.derived("archive"), WAITING.derived("archive"), "unknown", FIRST.task]
    assert history.task_states(asked) == {
        FIRST.derived("archive"): "delivered",
        WAITING.derived("archive"): "waiting",
        FIRST.task: "decided",
    }
    assert history.task_states([]) == {}
    assert history.task_states(f"id-{number}" for number in range(2500)) == {}


def test_unrecorded_names_what_to_tell_again(history: History) -> None:
    asked = [
        (FIRST.derived("archive"), "success"),
        (WAITING.derived("archive"), "success"),
        (WAITING.derived("archive") + "x", "error"),
        ("unknown", "discard"),
    ]
    found = {item.task: item.missing for item in history.unrecorded(asked)}
    assert found == {
        WAITING.derived("archive"): ("task.delivered",),
        WAITING.derived("archive") + "x": ("task.created", "task.failed"),
        "unknown": ("task.created",),
    }


def test_lag_tells_how_far_each_node_has_come(history: History) -> None:
    lag = history.lag()
    assert [(node.node, node.newest_event) for node in lag] == [("node-a", START + timedelta(seconds=2070))]
    assert lag[0].recorded == ManualClock().now()


def test_a_reader_sees_what_was_committed_while_it_was_open(
    history: History, recorder: Recorder, outbox: Outbox
) -> None:
    assert history.find("doe99") == []
    outbox.put(Told(number=99).receiver() + Told(number=99).router(), number=9)
    record_all(recorder)
    assert len(history.find("doe99")) == 1


def test_no_history_is_told_in_words(tmp_path: Path) -> None:
    with History(f"sqlite://{tmp_path}/none.db") as history, pytest.raises(HistoryUnavailableError) as caught:
        history.series()
    assert "none.db is not made yet" in str(caught.value)
    assert "unable to open" not in str(caught.value)


def test_a_history_without_tables_yet_is_told_in_words(history_url: str) -> None:
    empty = open_history(history_url)
    run_sql(empty, "SELECT 1")
    disconnect(empty)
    with History(history_url) as history, pytest.raises(HistoryError, match="is not made yet"):
        history.check()


def test_a_server_that_is_away_is_told_in_words_without_the_password(free_port: object) -> None:
    port = free_port()  # type: ignore[operator]  # a fixture that gives a function
    url = f"postgresql://mercure:s3cret@127.0.0.1:{port}/history"
    with History(url) as history, pytest.raises(HistoryUnavailableError) as caught:
        history.lag()
    assert "s3cret" not in str(caught.value)
    assert str(port) in str(caught.value)
