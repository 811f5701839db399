"""What follows from a failed attempt: tables of past, settings and decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mercure.config import Retry
from mercure.delivery.policy import after_failure, in_turn, is_suspect
from mercure.event_details import FailureKind
from mercure.model import Priority
from mercure.scheduling.backoff import eligible_at
from mercure.spool import Attempt, Task
from mercure.targets import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RETRY = Retry(first_seconds=10, cap_seconds=900, max_refusals=3, give_up_seconds=86400)


def task(**fields: object) -> Task:
    return Task.model_validate({"id": "20260301T110000000000-00000000", "created": NOW, "target": "pacs", **fields})


@pytest.mark.parametrize(
    ("kind", "refusals", "first_minutes_ago", "action", "wait"),
    [
        ("unreachable", 0, 0, "wait", None),
        ("rejected", 2, 60, "wait", None),
        ("timeout", 3, 60, "wait", None),
        ("refused", 1, 0, "retry", 10),
        ("refused", 2, 30, "retry", 20),
        ("local", 1, 0, "retry", 10),
        ("refused", 3, 0, "fail", None),
        ("local", 3, 0, "fail", None),
        ("refused", 4, 0, "fail", None),
        ("altered", 1, 0, "fail", None),
        ("unreachable", 0, 24 * 60 + 1, "fail", None),
        ("refused", 1, 24 * 60 + 1, "fail", None),
        ("unreachable", 0, 24 * 60, "wait", None),
    ],
)
def test_what_follows(
    kind: FailureKind, refusals: int, first_minutes_ago: int, action: str, wait: float | None
) -> None:
    tried = task(refusals=refusals, first_attempt=NOW - timedelta(minutes=first_minutes_ago))
    following = after_failure(tried, Trouble(kind, "why"), RETRY, NOW, 60.0 * first_minutes_ago)
    assert following.action == action
    assert following.at == (None if wait is None else NOW + timedelta(seconds=wait))
    assert bool(following.advice) == (action == "fail")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, None), (-1, None), (0, None), (1, 1), (900, 900), (901, None), (86400 * 365, None)],
)
def test_when_a_task_may_be_tried(seconds: float | None, expected: float | None) -> None:
    """Farther off than the longest wait: a clock was set back, and nobody waits for the year that it came from."""
    waiting = task(next_attempt=None if seconds is None else NOW + timedelta(seconds=seconds))
    at = eligible_at(waiting, RETRY.cap_seconds, NOW)
    assert at == (None if expected is None else NOW + timedelta(seconds=expected))


@pytest.mark.parametrize(
    ("fruitless", "order"),
    [(0, "abcde"), (1, "eadbc"), (2, "aebdc"), (3, "eadbc")],
)
def test_while_no_image_gets_through_the_first_and_the_last_take_turns(fruitless: int, order: str) -> None:
    """One that came behind many bad ones must not wait for all of them; nor one before many."""
    heads: list[tuple[Task, Priority]] = [(task(target=name), "normal") for name in "abcde"]
    assert [item.target for item, _ in in_turn(heads, NOW, fruitless)] == list(order)


@pytest.mark.parametrize("fruitless", [0, 1, 2])
def test_those_that_were_tried_just_now_come_last(fruitless: int) -> None:
    tried = Attempt(number=1, started=NOW, seconds=1, outcome="failure", kind="aborted", sent=1)
    heads: list[tuple[Task, Priority]] = [(task(target=name), "normal") for name in "ab"]
    heads.insert(1, (task(target="bad", attempts=(tried,), first_attempt=NOW), "normal"))
    assert [item.target for item, _ in in_turn(heads, NOW, fruitless)][-1] == "bad"


@pytest.mark.parametrize(
    ("kind", "sent", "confirmed", "suspect"),
    [
        ("aborted", 1, 0, True),
        ("timeout", 5, 4, True),
        ("refused", 2, 1, True),
        ("timeout", 0, 0, False),
        ("unable", 1, 0, False),
        ("unreachable", 3, 2, False),
        (None, 3, 3, False),
    ],
)
def test_at_which_tasks_a_target_may_hang_again(
    kind: FailureKind | None, sent: int, confirmed: int, *, suspect: bool
) -> None:
    fields = {"number": 1, "started": NOW, "seconds": 1.0, "outcome": "failure", "kind": kind, "sent": sent}
    tried = Attempt.model_validate({**fields, "confirmed": confirmed})
    assert is_suspect(task(attempts=(tried,))) == suspect
    assert not is_suspect(task())


@pytest.mark.parametrize(
    ("kind", "outcome", "counted"),
    [
        ("refused", "failure", 1),
        ("local", "partial", 1),
        ("altered", "partial", 1),
        ("unreachable", "failure", 0),
        (None, "success", 0),
    ],
)
def test_only_what_says_something_of_the_task_counts(kind: FailureKind | None, outcome: str, counted: int) -> None:
    attempt = Attempt.model_validate(
        {"number": 1, "started": NOW, "seconds": 1.0, "outcome": outcome, "kind": kind, "sent": 1}
    )
    tried = task().with_attempt(attempt, NOW)
    assert (tried.attempts_made, tried.refusals, tried.first_attempt) == (1, counted, NOW)
    assert tried.next_attempt == NOW
