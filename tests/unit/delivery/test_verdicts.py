"""Whose trouble a failed attempt is: tables of what is known, and the verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mercure.delivery.acceptance import Acceptance
from mercure.delivery.verdicts import MOST_DOUBTS, AttemptEvidence, counts, verdict_on
from mercure.event_details import FailureKind
from mercure.spool import Attempt, Task
from mercure.targets import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHERS_WAIT = AttemptEvidence(alone=False, answered=1)
LATER = Acceptance(taken=NOW + timedelta(seconds=30))
BEFORE = Acceptance(taken=NOW - timedelta(seconds=30))
IN_DOUBT = Acceptance(doubts=1, doubted=NOW)


def task(tries: int = 0, **fields: object) -> Task:
    """Make a task that was tried so often, the last time at NOW for a second."""
    tried = Attempt(number=1, started=NOW, seconds=1, outcome="failure", kind="refused")
    fresh = {"id": "20260301T110000000000-00000000", "created": NOW, "target": "pacs"}
    return Task.model_validate({**fresh, "attempts": (tried,) * tries, **fields})


@pytest.mark.parametrize("kind", ["refused", "aborted"])
@pytest.mark.parametrize(
    ("tries", "standing", "evidence", "verdict"),
    [
        (0, Acceptance(), OTHERS_WAIT, "doubt"),
        (1, LATER, OTHERS_WAIT, "image"),
        (1, BEFORE, OTHERS_WAIT, "doubt"),
        (0, Acceptance(), AttemptEvidence(alone=False, answered=1, confirmed=3, contrast=True), "image"),
        (0, Acceptance(), AttemptEvidence(alone=False, answered=1, confirmed=3), "doubt"),
        (0, Acceptance(), AttemptEvidence(answered=1), "image"),
        (0, Acceptance(), AttemptEvidence(alone=False, answered=1, outage=True), "target"),
        (0, Acceptance(doubts=MOST_DOUBTS, doubted=NOW), OTHERS_WAIT, "target"),
        (1, LATER, AttemptEvidence(alone=False, answered=1, outage=True), "image"),
    ],
)
def test_an_image_is_blamed_only_by_comparison(
    kind: FailureKind, tries: int, standing: Acceptance, evidence: AttemptEvidence, verdict: str
) -> None:
    assert verdict_on(task(tries), Trouble(kind, "why"), standing, evidence) == verdict


def test_a_second_failure_with_nothing_taken_since_is_an_outage() -> None:
    """Whoever else waits had its turn between."""
    doubtful = task(1, doubtful=True)
    assert verdict_on(doubtful, Trouble("aborted", "why"), IN_DOUBT, OTHERS_WAIT) == "target"
    assert verdict_on(doubtful, Trouble("aborted", "why"), LATER, OTHERS_WAIT) == "image"


def test_images_of_one_task_are_compared_with_each_other() -> None:
    """Nothing else waits, and of many images none gets through: a status is the target's then; an abort the images'."""
    evidence = AttemptEvidence(answered=25, pending=25)
    assert verdict_on(task(), Trouble("refused", "status 0xC000"), Acceptance(), evidence) == "target"
    assert verdict_on(task(), Trouble("aborted", "why"), Acceptance(), evidence) == "image"


@pytest.mark.parametrize(
    ("fields", "standing", "evidence", "verdict"),
    [
        ({}, Acceptance(), AttemptEvidence(answered=1), "target"),
        ({}, Acceptance(), OTHERS_WAIT, "target"),
        ({}, Acceptance(), AttemptEvidence(answered=1, confirmed=2, contrast=True), "image"),
        ({}, Acceptance(), AttemptEvidence(answered=1, confirmed=2), "target"),
        ({"tries": 1}, LATER, OTHERS_WAIT, "image"),
        ({"tries": 1}, LATER, AttemptEvidence(alone=False, answered=1, confirmed=2), "target"),
        ({"tries": 1, "refusals": 1}, Acceptance(), AttemptEvidence(answered=1), "image"),
        ({"tries": 1, "refusals": 1}, Acceptance(), OTHERS_WAIT, "target"),
    ],
)
def test_a_status_that_speaks_of_the_target_is_believed(
    fields: dict[str, int], standing: Acceptance, evidence: AttemptEvidence, verdict: str
) -> None:
    """But for an image at which it was shown that it says so of the image."""
    made = task(fields.get("tries", 0), refusals=fields.get("refusals", 0))
    assert verdict_on(made, Trouble("unable", "status 0xA700"), standing, evidence) == verdict


@pytest.mark.parametrize("kind", ["unreachable", "rejected", "busy", "timeout"])
def test_what_says_nothing_of_an_image_blames_none(kind: FailureKind) -> None:
    assert verdict_on(task(1), Trouble(kind, "why"), LATER, AttemptEvidence(answered=1)) == "target"


@pytest.mark.parametrize(
    ("tries", "acceptance", "evidence", "verdict"),
    [
        (0, Acceptance(), OTHERS_WAIT, "doubt"),
        (1, LATER, OTHERS_WAIT, "image"),
        (1, LATER, AttemptEvidence(), "image"),
        (0, Acceptance(), AttemptEvidence(), "target"),
        (1, BEFORE, AttemptEvidence(answered=1), "target"),
        (0, Acceptance(doubts=MOST_DOUBTS, doubted=NOW), OTHERS_WAIT, "target"),
    ],
)
def test_a_node_that_hangs_at_an_image_and_answers_an_echo(
    tries: int, acceptance: Acceptance, evidence: AttemptEvidence, verdict: str
) -> None:
    """It may be the image; where nothing else waits it is the node, that is, nothing is counted."""
    trouble = Trouble("timeout", "nothing happened for 60 s", in_image=True)
    assert verdict_on(task(tries), trouble, acceptance, evidence) == verdict


@pytest.mark.parametrize("kind", ["local", "altered", "unsupported"])
def test_what_is_on_our_side_is_the_images(kind: FailureKind) -> None:
    assert verdict_on(task(), Trouble(kind, "why"), Acceptance(), OTHERS_WAIT) == "image"


def test_a_failure_in_doubt_is_counted_with_the_next() -> None:
    assert [counts(task(), verdict) for verdict in ("image", "doubt", "target")] == [1, 0, 0]
    assert counts(task(1, doubtful=True), "image") == 2


@pytest.mark.parametrize(("seconds", "room"), [(0, 1), (59, 1), (60, 4), (-86400, 4)])
def test_a_target_without_room_is_given_less_for_a_while(seconds: float, room: int) -> None:
    """And whatever a clock says that was set back."""
    standing = Acceptance(slots=1, narrow_until=NOW + timedelta(seconds=60))
    assert standing.room(4, NOW + timedelta(seconds=seconds)) == room
