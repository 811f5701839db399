"""What pages and monitors ask: by sender, over time, in all, and one exam by its whole accession number."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mercure.event_details import AssociationRefused, ContextRefused, ImageRefused, TaskAttempt
from mercure.history.database import run_sql, transaction
from mercure.history.forget import forget
from mercure.history.migrations import m0002_totals
from mercure.history.traffic import OTHER, Traffic
from tests.support.history import START, Told, event
from tests.support.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from mercure.events import Event
    from mercure.history.recorder import Recorder
    from tests.support.history import Outbox

FIRST = Told(number=1, images=3, targets=("archive", "research"))
SECOND = Told(number=2, images=2, start=7200)
NODE = "node-a"
NOW = START + timedelta(hours=2, minutes=30)


@pytest.fixture
def traffic(history_url: str, recorder: Recorder, outbox: Outbox) -> Iterator[Traffic]:
    outbox.put([*FIRST.all(), *SECOND.all()])
    record_all(recorder)
    with Traffic(history_url) as opened:
        opened.check()
        yield opened


def totals(traffic: Traffic, limit: int = 10) -> dict[tuple[str, str], float]:
    return {(total.name, total.label): total.value for total in traffic.totals(NODE, limit)}


def refused(number: int) -> list[Event]:
    details = AssociationRefused(address="10.9.9.9", calling_aet=f"ROGUE{number}", called_aet="X", reason="no: really")
    return [event("association.refused", details, 10 + number * 60, service="receiver")]


def test_senders_with_their_last_image(traffic: Traffic) -> None:
    (sender,) = traffic.senders(NODE, NOW, hours=24, limit=10)
    assert (sender.calling_aet, sender.address) == ("CT1", "10.0.0.7")
    assert sender.last_image == START + timedelta(seconds=7200.02)
    assert (sender.images_hour, sender.images, sender.bytes) == (2, 5, 3003 + 2001)
    assert sender.hourly == (*(0,) * 21, 3, 0, 2)


def test_a_sender_that_is_silent_for_long_is_still_known(traffic: Traffic) -> None:
    (sender,) = traffic.senders(NODE, NOW + timedelta(days=400), hours=24, limit=10)
    assert sender.last_image == START + timedelta(hours=2)  # the minute is all that is left
    assert (sender.images_hour, sender.images, sender.bytes, sum(sender.hourly)) == (0, 0, 0, 0)


def test_another_node_has_its_own(traffic: Traffic) -> None:
    assert traffic.senders("node-b", NOW, hours=24, limit=10) == []
    assert traffic.totals("node-b", 10) == []


def test_sums_over_time(traffic: Traffic) -> None:
    points = traffic.sums(NODE, ["images.received", "images.delivered"], START, NOW, 60)
    assert [(point.name, point.begin - START, point.value) for point in points] == [
        ("images.delivered", timedelta(0), 6),
        ("images.received", timedelta(0), 3),
        ("images.delivered", timedelta(hours=2), 2),
        ("images.received", timedelta(hours=2), 2),
    ]


def test_totals_are_those_of_the_minutes(traffic: Traffic, database: Database) -> None:
    sums = "SELECT name, label, SUM(value) FROM metrics_minute WHERE gauge_order IS NULL GROUP BY name, label"
    minutes = {(name, label): value for name, label, value in run_sql(database, sums).fetchall()}
    assert totals(traffic) == minutes
    assert minutes["images.received", "CT1@10.0.0.7"] == 5


def test_totals_survive_forgetting(traffic: Traffic, database: Database) -> None:
    before = totals(traffic)
    forget(database, NODE, START + timedelta(days=1000))
    assert run_sql(database, "SELECT count(*) FROM metrics_minute").fetchone()[0] == 0
    assert totals(traffic) == before


def test_labels_beyond_the_bound_are_told_together_and_never_fall(
    traffic: Traffic, recorder: Recorder, outbox: Outbox
) -> None:
    seen: dict[tuple[str, str], float] = {}
    for number in range(6):
        outbox.put(refused(number))
        record_all(recorder)
        found = totals(traffic, limit=3)
        assert all(found[key] >= value for key, value in seen.items())
        seen = found
    rogues = {label: value for (name, label), value in seen.items() if name == "associations.refused"}
    assert rogues == {**{f"ROGUE{number}@10.9.9.9": 1 for number in range(3)}, OTHER: 3}
    assert seen["refusals.association", "no"] == 6


def test_a_refusal_that_was_told_by_the_minute_counts_as_often_as_it_was(
    traffic: Traffic, recorder: Recorder, outbox: Outbox
) -> None:
    garbage = AssociationRefused(address="10.9.9.9", reason="not a request: HTTP", times=90)
    context = ContextRefused(
        address="10.9.9.9", calling_aet="CT1", what="abstract syntax", abstract_syntax="1.2", reason="no", times=7
    )
    outbox.put(
        [
            event("association.refused", garbage, 5, service="receiver"),
            event("context.refused", context, 6, service="receiver"),
        ]
    )
    record_all(recorder)
    found = totals(traffic)
    assert (found["refusals.association", "not a request"], found["associations.refused", "@10.9.9.9"]) == (90, 90)
    assert found["contexts.refused", "CT1@10.9.9.9"] == 7


def test_refusals_by_status_and_runs_by_module(traffic: Traffic, recorder: Recorder, outbox: Outbox) -> None:
    image = ImageRefused(association=FIRST.association, status="0xA700", reason="the disk is full")
    run = TaskAttempt(module="segment", number=1, outcome="failure", seconds=12.5)
    outbox.put(
        [event("image.refused", image, 5, service="receiver"), event("task.attempt", run, 6, task=FIRST.derived("x"))]
    )
    record_all(recorder)
    found = totals(traffic)
    assert found["refusals.image", "0xA700"] == 1
    assert found["runs.failure", "segment"] == 1
    assert found["runs.seconds", "segment"] == 12.5
    assert not any(label == "segment" for name, label in found if name.startswith("attempts."))


def test_the_migration_fills_the_totals_from_the_minutes(traffic: Traffic, database: Database) -> None:
    before = totals(traffic)
    with transaction(database):
        run_sql(database, "DROP TABLE totals")
        m0002_totals.apply(database)
    assert totals(traffic) == before


@pytest.mark.parametrize("text", ["A000001", " a000001 ", "\uff21000001"])
def test_an_exam_by_its_whole_accession_number(traffic: Traffic, text: str) -> None:
    exam = traffic.exam(text)
    assert [series.series_uid for series in exam.series] == [FIRST.uid]
    assert {task.target: task.state for task in exam.tasks if task.target} == {
        "archive": "delivered",
        "research": "delivered",
    }


def test_images_of_an_exam_count_once_however_often_they_were_sent(
    traffic: Traffic, recorder: Recorder, outbox: Outbox
) -> None:
    before = traffic.exam("A000001")
    assert [(it.target, it.images, it.delivered) for it in before.targets] == [("archive", 3, 3), ("research", 3, 3)]
    assert list(before.distinct.values()) == [3]
    outbox.put(Told(number=1, images=3, targets=("archive",), start=9000).all())
    record_all(recorder)
    again = traffic.exam("A000001")
    assert {task.id for task in again.tasks} > {task.id for task in before.tasks}
    assert [(it.target, it.images, it.delivered) for it in again.targets] == [("archive", 3, 3), ("research", 3, 3)]
    assert list(again.distinct.values()) == [3]


def test_when_a_node_was_first_heard_of(traffic: Traffic) -> None:
    assert traffic.first(NODE) == START
    assert traffic.first("node-b") is None


@pytest.mark.parametrize("text", ["A00000", "A0000011", "A%", "", "   ", "P000001", "Doe1^Jane", "1.2.826.0.1.1", "_"])
def test_a_part_of_it_or_anything_else_finds_nothing(traffic: Traffic, text: str) -> None:
    exam = traffic.exam(text)
    assert (exam.series, exam.tasks, exam.cut) == ((), (), False)


def test_how_long_each_delivery_took(traffic: Traffic) -> None:
    found = traffic.deliveries(NODE, START, limit=10)
    assert sorted(it.target for it in found) == ["archive", "archive", "research"]
    assert [it.delivered for it in found] == sorted((it.delivered for it in found), reverse=True)
    for times in found:
        assert times.received is not None
        assert times.received < times.delivered
        assert times.sending == 0
    assert [it.target for it in traffic.deliveries(NODE, START + timedelta(seconds=7000), limit=10)] == ["archive"]
    assert len(traffic.deliveries(NODE, START, limit=2)) == 2
    assert traffic.deliveries("node-b", START, limit=10) == []


def test_what_is_finished_and_still_there(traffic: Traffic, database: Database) -> None:
    held = {it.state: it.bytes for it in traffic.kept(NODE)}
    assert set(held) <= {"delivered", "processed", "discarded"}
    run_sql(database, "UPDATE tasks SET retired = NULL, state = 'delivered', bytes = 1000")
    run_sql(database, "UPDATE tasks SET state = 'waiting' WHERE target = 'research'")
    (kept,) = traffic.kept(NODE)
    assert kept.state == "delivered"
    assert kept.bytes % 1000 == 0
    run_sql(database, "UPDATE tasks SET retired = 1 WHERE target = 'archive'")
    assert sum(it.bytes for it in traffic.kept(NODE)) == kept.bytes - 2000
    assert traffic.kept("node-b") == []
