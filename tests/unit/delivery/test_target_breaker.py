"""The breaker: how an outage is known, counted, shared and ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mercure.config import Retry
from mercure.delivery.target_breaker import TargetBreaker, read_outage, target_folder
from mercure.targets import Trouble

if TYPE_CHECKING:
    from tests.support.box import Box

RETRY = Retry(first_seconds=10, cap_seconds=60)
DOWN = Trouble("unreachable", "refuses the connection")


@pytest.fixture
def breaker(box: Box) -> TargetBreaker:
    target_folder(box.spool, "pacs").mkdir(parents=True)
    return TargetBreaker(box.spool, "pacs")


def test_a_target_is_up_until_it_fails(breaker: TargetBreaker) -> None:
    assert breaker.outage() is None
    assert breaker.worked() is None


def test_the_first_failure_begins_an_outage_and_the_first_success_ends_it(box: Box, breaker: TargetBreaker) -> None:
    outage, new = breaker.failed(DOWN, RETRY, box.clock.now())
    assert new
    assert (outage.failures, outage.kind, outage.error) == (1, "unreachable", DOWN.text)
    assert (outage.until - outage.since).total_seconds() == 10
    assert TargetBreaker(box.spool, "pacs").outage() == outage
    assert breaker.worked() == outage
    assert breaker.outage() is None


def test_questions_are_asked_less_and_less_often(box: Box, breaker: TargetBreaker) -> None:
    waits = []
    for _ in range(5):
        outage, _new = breaker.failed(DOWN, RETRY, box.clock.now())
        waits.append((outage.until - box.clock.now()).total_seconds())
        box.clock.advance(waits[-1])
    assert waits == [10, 20, 30, 30, 30]


def test_deliveries_side_by_side_fail_together_as_one(box: Box, breaker: TargetBreaker) -> None:
    breaker.failed(DOWN, RETRY, box.clock.now())
    box.clock.advance(1)
    outage, new = breaker.failed(DOWN, RETRY, box.clock.now())
    assert (outage.failures, new) == (1, False)


def test_of_many_that_fail_in_the_same_moment_one_begins_the_outage(box: Box, breaker: TargetBreaker) -> None:
    now, crowd = box.clock.now(), 8
    together, news = threading.Barrier(crowd), []

    def fail() -> None:
        together.wait(30)
        news.append(TargetBreaker(box.spool, "pacs").failed(DOWN, RETRY, now)[1])

    for _ in range(20):
        threads = [threading.Thread(target=fail) for _ in range(crowd)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert breaker.worked() is not None
    assert news.count(True) == 20


def test_a_clock_set_back_does_not_keep_a_target_down_for_long(box: Box, breaker: TargetBreaker) -> None:
    """`until` lies then farther off than any wait can be: it is not believed, and the target is asked at once."""
    outage, _ = breaker.failed(DOWN, RETRY, box.clock.now())
    box.clock.step_wall(-86400)
    assert outage.seconds_left(RETRY, box.clock.now()) == 0
    again, new = breaker.failed(DOWN, RETRY, box.clock.now())
    assert (again.failures, new) == (2, False)
    assert again.seconds_left(RETRY, box.clock.now()) == 20


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"since": "yesterday"}', b"\xff\xfe"])
def test_an_unreadable_state_is_no_outage(box: Box, breaker: TargetBreaker, content: bytes) -> None:
    (target_folder(box.spool, "pacs") / "outage.json").write_bytes(content)
    assert breaker.outage() is None
    assert read_outage(box.spool, "pacs") is None
    _outage, new = breaker.failed(DOWN, RETRY, box.clock.now())
    assert new
