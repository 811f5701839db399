from __future__ import annotations

from typing import Any

import pytest

from appliance.presentation.events import FORMS, ImagesReceived, Sentence, sentence
from mercure.event_details import DETAILS
from mercure.task_verbs import TASK_VERBS


def test_each_sentence_is_made_of_the_details_of_its_type() -> None:
    known = {**DETAILS, "images.received": ImagesReceived}
    assert {type: form.model for type, form in FORMS.items()} == {type: known[type] for type in FORMS}


@pytest.mark.parametrize(
    ("type", "details", "said"),
    [
        ("images.received", {"images": 2, "calling_aet": "CT1", "address": "10.0.0.5"},
         Sentence("received", "good", "2 images from CT1 at 10.0.0.5")),
        ("task.delivered", {"target": "pacs", "images": 3}, Sentence("delivered", "good", "to pacs, 3 images")),
        ("task.delivered", {"target": "pacs", "images": [{"file": "a.dcm"}]},
         Sentence("delivered", "good", "to pacs, 1 image")),
        ("task.attempt", {"target": "pacs", "number": 2, "outcome": "failure", "sent": 5, "error": "timeout"},
         Sentence("attempt", "warn", "2 at pacs: failure, 0 of 5 timeout")),
        ("task.attempt", {"target": "pacs", "number": 1, "outcome": "success", "sent": 5, "confirmed": 5},
         Sentence("attempt", "", "1 at pacs: success, 5 of 5")),
        ("task.held", {"by": "anna", "reason": "wrong patient"}, Sentence("held", "warn", "by anna: wrong patient")),
        ("task.rerouted", {"by": "anna", "target": "b"}, Sentence("rerouted", "", "to b by anna")),
        ("series.decided", {"derived": [], "rules": [{"rule": "all", "fired": True}, {"rule": "x", "fired": False,
         "error": "no tag"}]}, Sentence("decided", "", "by all; x: no tag")),
        ("images.superseded", {"target": "pacs", "images": 2},
         Sentence("superseded", "warn", "2 images: newer ones are at pacs")),
        ("alert.raised", {"key": "disk", "kind": "disk", "severity": "critical", "object": "", "text": "full"},
         Sentence("raised", "bad", "critical: full")),
        ("scrub.finished", {"begun": "2026-11-21T12:00:00Z", "images": 7, "bytes": 9},
         Sentence("scrubbed", "", "7 images: 0 altered, 0 unreadable, 0 without a digest")),
    ],
)  # fmt: skip
def test_what_is_said(type: str, details: dict[str, Any], said: Sentence) -> None:
    assert sentence(type, details) == said


@pytest.mark.parametrize("type", ["task.attempt", "a.newer.one"])
def test_details_that_are_not_as_they_should_be_are_listed(type: str) -> None:
    said = sentence(type, {"number": "many", "target": "pacs", "more": {"a": 1}})
    assert said.text == "number many, target pacs"


def test_a_verb_on_tasks_is_said_by_its_event() -> None:
    for verb in TASK_VERBS.values():
        assert sentence(verb.event, {"by": "anna"}).word == verb.event.removeprefix("task.")
