"""What is known of a study's instances: when each came, in which tasks it is, and what became of these."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mercure.event_details import ImageRefused
from mercure.history import whereabouts
from mercure.history.whereabouts import Whereabouts
from tests.support.history import START, Told, event
from tests.support.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercure.history.recorder import Recorder
    from tests.support.history import Outbox

FIRST = Told(number=1, images=3, targets=("archive", "research"))
SECOND = Told(number=2, images=2, start=7200)
STUDY, LATER = FIRST.identity.StudyInstanceUID, SECOND.identity.StudyInstanceUID


@pytest.fixture
def history(history_url: str, recorder: Recorder, outbox: Outbox) -> Iterator[Whereabouts]:
    refused = ImageRefused(association="a", sop="9.9", status="0xA900", reason="why")
    events = [*FIRST.all(), FIRST.received(0, repetition=True), *SECOND.receiver(), *SECOND.router()]
    outbox.put([*events, event("image.refused", refused, 50, service="receiver")])
    record_all(recorder)
    with Whereabouts(history_url) as opened:
        opened.check()
        yield opened


def test_an_exam_is_found_by_its_whole_number_or_uid(history: Whereabouts) -> None:
    assert history.studies(" a000001 ") == [STUDY]
    assert history.studies(STUDY) == [STUDY]
    assert history.studies("A00000") == history.studies("1.2.826.0.2") == history.studies(" ") == []


def test_exams_of_a_time_in_the_order_in_which_they_came(history: Whereabouts) -> None:
    assert history.studies_since(START, 10) == [STUDY, LATER]
    assert history.studies_since(START, 1) == [STUDY]
    assert history.studies_since(START + timedelta(hours=1), 10) == [LATER]


def test_a_delivered_study(history: Whereabouts) -> None:
    study = history.study(STUDY)
    assert (study.accession, study.patient_id, study.nameless, study.cut) == ("A000001", "P000001", 0, False)
    assert study.received == {
        ref.sop: (FIRST.uid, START + timedelta(seconds=index * 0.01)) for index, ref in enumerate(FIRST.refs)
    }
    by_target = {held.task.target: held for held in study.tasks}
    assert set(by_target) == {None, "archive", "research"}
    assert by_target["archive"].files == {ref.file: ref.sop for ref in FIRST.refs}
    assert by_target["archive"].delivered == {ref.sop for ref in FIRST.refs}


def test_a_study_that_waits(history: Whereabouts) -> None:
    (held,) = [held for held in history.study(LATER).tasks if held.task.target == "archive"]
    assert (held.task.state, held.delivered, held.destinations) == ("waiting", frozenset(), ())
    assert len(held.files) == 2


def test_a_study_that_nobody_knows(history: Whereabouts) -> None:
    study = history.study("9.9")
    assert (study.received, study.tasks) == ({}, ())


def test_a_study_beyond_all_bounds_is_cut(history: Whereabouts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "MOST_IMAGES", 2)
    assert history.study(STUDY).cut


def test_what_was_refused_lately(history: Whereabouts) -> None:
    (refused,) = history.refusals(START)
    assert refused.details["sop"] == "9.9"
    assert history.refusals(START + timedelta(hours=1)) == []
