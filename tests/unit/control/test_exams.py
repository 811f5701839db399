"""Exams: how far each place is, and what is shown of one exam."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.control.api.exams import ListExams, OneExam
from appliance.control.api.history import OneStory
from appliance.control.errors import ControlError
from appliance.control.history.exams import list_exams, places_of, show_exam
from appliance.control.history.search import timeline
from appliance.control.session import Session
from mercure.history.exams import ExamTask
from mercure.spool import Stage
from tests.support.control_session import record
from tests.support.history import Told, lines

EXAM = Told(number=1, images=3, targets=("archive", "research"))


def task(number: int, **fields: Any) -> ExamTask:
    values: dict[str, Any] = dict.fromkeys(ExamTask._fields)
    values |= {"id": f"{number:03}", "node": "n", "folder": "1.2.3", "images": 2}
    return ExamTask(**values | {"action": "route", "target": "pacs", "state": "delivered"} | fields)


@pytest.mark.parametrize(
    ("tasks", "places"),
    [
        ([task(1)], [("target", "pacs", "delivered", 2, 2, None)]),
        ([task(1), task(2, state="waiting")], [("target", "pacs", "waiting", 4, 2, None)]),
        ([task(1), task(2, state="failed", kind="refused")], [("target", "pacs", "failed", 4, 2, "refused")]),
        ([task(1, state="waiting", kind="unreachable")], [("target", "pacs", "retrying", 2, 0, "unreachable")]),
        ([task(1, state="held")], [("target", "pacs", "held", 2, 0, None)]),
        # Discarded, and then sent again: what was discarded does not count any more.
        ([task(1, state="discarded"), task(2)], [("target", "pacs", "delivered", 2, 2, None)]),
        ([task(1), task(2, state="discarded")], [("target", "pacs", "discarded", 4, 2, None)]),
        # Another series that was discarded counts.
        ([task(1, state="discarded", folder="1.2.4"), task(2)], [("target", "pacs", "discarded", 4, 2, None)]),
        # What failed counts until somebody takes care of it.
        ([task(1, state="failed", kind="timeout"), task(2)], [("target", "pacs", "failed", 4, 2, "timeout")]),
        (
            [task(1), task(2, target="cloud", state="failed", kind="unreachable"), task(3, target="b", state="held")],
            [
                ("target", "cloud", "failed", 2, 0, "unreachable"),
                ("target", "b", "held", 2, 0, None),
                ("target", "pacs", "delivered", 2, 2, None),
            ],
        ),
        (
            [task(1, target=None, module="ai", action="process", state="failed")],
            [("module", "ai", "failed", 2, 0, "module")],
        ),
        ([task(1, target=None, module="ai", state="processed")], [("module", "ai", "delivered", 2, 2, None)]),
        ([task(1, target=None, action="complete", state="failed")], [("router", "", "failed", 2, 0, "rules")]),
        ([task(1, target=None, action="complete", state="deciding")], [("router", "", "waiting", 2, 0, None)]),
        ([task(1, target=None, action="complete", state="decided", decided=1)], []),
        ([task(1, target=None, action="collect", state="waiting")], [("study", "", "waiting", 2, 0, None)]),
        ([task(1, target=None, action="collect", state="collected")], []),
        (
            [task(1, target=None, action="discard", state="discarded", discarded_by="no scouts")],
            [("discard", "no scouts", "discarded", 2, 0, None)],
        ),
    ],
)
def test_how_far_a_place_is(tasks: list[ExamTask], places: list[tuple[object, ...]]) -> None:
    found = [(it.to, it.name, it.state, it.images, it.done, it.cause) for it in places_of(tasks)]
    assert found == places


def tell(session: Session) -> None:
    """Let the history know of an exam one of whose tasks still waits."""
    events = [*EXAM.receiver(), *EXAM.router(), *EXAM.dispatcher("archive"), EXAM.dispatcher("research")[0]]
    outbox = session.spool.stage(Stage.OUTBOX)
    (outbox / "router-20261121T000000000000-00000001.jsonl").write_bytes(lines(events))
    record(session)


def test_an_exam_is_listed_and_shown_with_series_tasks_and_what_keeps_them(session: Session) -> None:
    tell(session)
    found = list_exams(session, ListExams())
    assert found.total == 1
    (exam,) = found.exams
    assert (exam.patient_id, exam.accession, exam.modalities, exam.images) == ("P000001", "A000001", ("CT",), 3)
    assert (exam.series, exam.descriptions, exam.calling_aet) == ((EXAM.uid,), ("Axial",), "CT1")
    assert [(place.name, place.state) for place in exam.places] == [("research", "retrying"), ("archive", "delivered")]
    full = show_exam(session, OneExam(node=exam.node, exam=exam.exam))
    assert full.exam == exam
    (series,) = full.series
    assert {(it.name, it.state, it.cause, it.error) for it in series.tasks} == {
        ("archive", "delivered", None, ""),
        ("research", "waiting", "unreachable", "no route to host"),
    }
    assert (full.together, full.cut) == ((), False)
    assert series.places == exam.places


@pytest.mark.parametrize(
    ("text", "found"),
    [("axial", 1), ("!axial", 0), ("waiting", 1), ("delivered", 1), ("failed", 0), ("!failed", 1), ("A0000", 1)],
)
def test_a_text_is_looked_for_in_what_is_shown(session: Session, text: str, found: int) -> None:
    tell(session)
    assert list_exams(session, ListExams(text=text)).total == found


def test_an_exam_that_nobody_knows(session: Session) -> None:
    tell(session)
    with pytest.raises(ControlError, match=r"knows no exam 1\.2\.3") as raised:
        show_exam(session, OneExam(node="mercure", exam="1.2.3"))
    assert raised.value.kind == "not-found"


def test_the_timeline_of_a_study_is_that_of_its_series(session: Session) -> None:
    tell(session)
    of_study = timeline(session, OneStory(study=EXAM.identity.StudyInstanceUID))
    assert of_study == timeline(session, OneStory(series=EXAM.uid))
    assert len(of_study.tasks) == 3
    assert timeline(session, OneStory(study="1.2.3")).events == ()
    for wanted in (OneStory(), OneStory(study="1.2", series="1.2.3")):
        with pytest.raises(ControlError, match="give one of"):
            timeline(session, wanted)
