"""The proof of each night: when it is made, what is kept of it, and what is alerted to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.api.status import VerifyState
from mercure.retention.nightly import MISSED_SECONDS, SETTLE_SECONDS, NightlyVerify, read_proof
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import Cleaner
from mercure.spool import Stage
from tests.support.box import Box, turn
from tests.support.incoming import make_images
from tests.support.polling import eventually
from tests.support.statuses import empty_status

if TYPE_CHECKING:
    from mercure.services.common import Context

HOUR = 3600.0


@pytest.fixture
def context(box: Box) -> Context:
    return box.context("cleaner")


def make_history(box: Box) -> None:
    bookkeeper = Bookkeeper(box.context("bookkeeper"))
    bookkeeper.run_once()
    bookkeeper.end()


def nightly(context: Context) -> NightlyVerify:
    return NightlyVerify(context.root, context.spool, context.clock, lambda: context.config)


def hours_until_due(box: Box, proof: NightlyVerify) -> float:
    for number in range(100):
        if proof.is_due():
            return number / 2
        box.clock.advance(HOUR / 2)
    return float("inf")


def night(box: Box) -> int:
    return box.clock.now().astimezone().hour


def test_it_is_made_in_its_hour_of_each_night(box: Box, context: Context) -> None:
    make_history(box)
    proof = nightly(context)
    for _ in range(3):
        assert hours_until_due(box, proof) <= 24
        assert night(box) == 3
        assert proof.run().exit_code == 0
        box.clock.advance(HOUR)


def test_one_that_could_not_check_everything_is_made_again_soon(box: Box, context: Context) -> None:
    proof = nightly(context)
    assert proof.run().exit_code == 2
    assert hours_until_due(box, proof) == 1.5
    make_history(box)
    assert proof.run().exit_code == 0


def test_a_machine_that_is_off_at_night_makes_it_at_day(box: Box, context: Context) -> None:
    box.clock.advance((10 - night(box)) % 24 * HOUR)
    proof = nightly(context)
    make_history(box)
    assert proof.run().exit_code == 0
    for day in range(1, 20):
        box.clock.restart(off=16 * HOUR)
        proof = nightly(box.context("cleaner"))
        for _ in range(8):
            if proof.is_due():
                assert day * 8 * HOUR >= MISSED_SECONDS - 8 * HOUR
                return
            box.clock.advance(HOUR)
    pytest.fail("it was never made")


def test_it_can_be_switched_off_and_gives_way_at_a_start(box: Box, context: Context) -> None:
    box.clock.advance((3 - night(box)) % 24 * HOUR)
    proof = nightly(context)
    assert not proof.is_due()
    box.clock.advance(SETTLE_SECONDS)
    assert proof.is_due()
    box.configure(nightly_verify={"enabled": False})
    assert not nightly(box.context("cleaner")).is_due()


def test_a_step_of_the_clock_makes_no_more_of_them(box: Box, context: Context) -> None:
    box.clock.advance((9 - night(box)) % 24 * HOUR)
    proof = nightly(context)
    proof.run()
    box.clock.advance(SETTLE_SECONDS)
    box.clock.step_wall(365 * 24 * HOUR)
    assert not proof.is_due()


def test_the_cleaner_makes_it_and_its_result_is_kept(box: Box) -> None:
    box.receive(make_images(2))
    make_history(box)
    cleaner = Cleaner(box.context("cleaner"))
    box.clock.advance((3 - night(box)) % 24 * HOUR + SETTLE_SECONDS)
    turn(cleaner)
    proof = eventually(lambda: read_proof(box.spool))
    cleaner.end()
    assert proof is not None
    assert (proof.exit_code, proof.findings, proof.finished) == (0, 0, box.clock.now())


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_result_that_cannot_be_read_is_none(box: Box, content: bytes) -> None:
    (box.spool.stage(Stage.STATE) / "verify.json").write_bytes(content)
    assert read_proof(box.spool) is None


NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("verify", "severities"),
    [
        ({}, []),
        ({"finished": NOW, "age_seconds": 71 * HOUR}, []),
        ({"finished": NOW - timedelta(hours=73), "age_seconds": 73 * HOUR}, ["warning"]),
        ({"finished": NOW - timedelta(hours=73), "age_seconds": 73 * HOUR, "enabled": False}, []),
        ({"finished": NOW, "age_seconds": 1.0, "exit_code": 1, "findings": 3}, ["critical"]),
        ({"finished": NOW, "age_seconds": 1.0, "exit_code": 2, "unchecked": ("x: down",)}, ["warning"]),
    ],
)
def test_anything_but_well_is_an_alert(verify: dict[str, object], severities: list[str]) -> None:
    status = empty_status().model_copy(update={"verify": VerifyState.model_validate(verify)})
    assert [alert.severity for alert in alerts_of(status).alerts] == severities
