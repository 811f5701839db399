"""What is told to the history is a line of the log too: the cause first, with exam and target, without the patient."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.event_details import (
    DETAILS,
    Identity,
    ImageReceived,
    ImageRef,
    Origin,
    RuleOutcome,
    SeriesDecided,
    TargetDown,
    TargetUp,
    TaskAttempt,
    TaskChanged,
    TaskCreated,
    TaskDelivered,
    TaskFailed,
)
from mercure.event_log import FORMS
from mercure.events import EventWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mercure.model import Record

TASK = "20260101T000000000000-00000001"
AT = datetime(2026, 11, 21, 22, 40, tzinfo=UTC)
WHO = Identity(PatientID="P-1", PatientName="Doe^Jane", AccessionNumber="A-77", StudyInstanceUID="1.2.9",
               StudyDescription="Secret")  # fmt: skip


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[EventWriter]:
    made = EventWriter(tmp_path, "dispatcher", ManualClock())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("details", "type_", "said"),
    [
        (TaskAttempt(target="pacs", number=3, outcome="failure", error="connection refused", sent=20, next_attempt=AT),
         None, ("WARNING",
         "connection refused: attempt 3 at pacs, 0 of 20 taken; next try 2026-11-21T22:40:00Z")),
        (TaskAttempt(target="pacs", number=1, outcome="success", sent=20, confirmed=20, seconds=1.25), None, ("INFO",
         "attempt 1 at pacs ended well: 20 of 20 images in 1.2 s")),
        (TaskDelivered(target="pacs", images=(ImageRef(file="a"),), seconds=2), None, ("INFO",
         "delivered to pacs: 1 image in 2.0 s")),
        (TaskFailed(stage="outgoing", reason="0xC000 cannot understand", advice="look"), None, ("ERROR",
         "0xC000 cannot understand: task failed in outgoing; look")),
        (TargetDown(target="pacs", kind="unreachable", error="connection refused"), None, ("WARNING",
         "connection refused: pacs is down")),
        (TargetUp(target="pacs", since=AT), None, ("INFO", "pacs is up again, down since 2026-11-21T22:40:00Z")),
        (TaskChanged(by="anna", target="archive"), "task.rerouted", ("INFO", "rerouted by anna, to archive")),
        (SeriesDecided(rules=(RuleOutcome(rule="ct", fired=True), RuleOutcome(rule="mr", fired=False)),
                       derived=("a", "b")), None, ("INFO", "decided by ct, 2 tasks")),
        (TaskCreated(stage="outgoing", action="route", target="pacs", rules=("ct",), identity=WHO, origin=Origin(),
                     images=(ImageRef(file="a"),)), None, ("INFO", "task for pacs by ct: 1 image")),
    ],
)  # fmt: skip
def test_one_line_with_the_cause_first(
    writer: EventWriter, caplog: pytest.LogCaptureFixture, details: Record, type_: str | None, said: tuple[str, str]
) -> None:
    caplog.set_level(logging.INFO)
    writer.emit(details, type=type_, task=TASK, series="1.2.3")
    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == said
    told = vars(line)
    assert (told["task"], told["series"]) == (TASK, "1.2.3")
    assert told.get("target") == getattr(details, "target", None)
    for secret in ("Doe", "P-1", "A-77", "Secret"):
        assert secret not in str(told)


def test_the_study_is_named_by_its_uid(writer: EventWriter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    created = TaskCreated(stage="outgoing", action="route", target="pacs", identity=WHO, origin=Origin(), images=())
    writer.emit(created, task=TASK)
    assert vars(caplog.records[0])["study"] == "1.2.9"


def test_images_one_by_one_and_why_a_rule_cannot_be_evaluated_are_not_logged(
    writer: EventWriter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    writer.emit(ImageReceived(image="i", association="a", file="f", folder="g", patient="P-1"))
    assert caplog.records == []
    writer.emit(TaskFailed(stage="routing", reason="float() of 'Doe^Jane'", advice="correct the rule"), task=TASK)
    assert "Doe" not in caplog.text


def test_every_form_is_of_a_type_that_exists() -> None:
    assert set(FORMS) <= set(DETAILS)
    assert {"task.attempt", "task.delivered", "task.failed", "task.retried", "series.decided"} <= set(FORMS)
