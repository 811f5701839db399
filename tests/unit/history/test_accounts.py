"""`mercure verify` after boots under a wrong clock: times of receipt went back, the ids did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.reader import Reader
from mercure.history.verify import Verifier
from mercure.spool import Stage
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.scripted_router import Received

SERIES = "1.2.3"
DAY = 86_400.0


@pytest.fixture
def history_url(tmp_path: Path) -> Iterator[str]:
    url = f"sqlite://{tmp_path}/history.db"
    database = open_history(url)
    migrate(database, ManualClock())
    yield url
    disconnect(database)


@pytest.fixture
def router(tmp_path: Path) -> ScriptedRouter:
    return ScriptedRouter(tmp_path / "spool", ManualClock())


def missing(router: ScriptedRouter, history_url: str) -> list[str | None]:
    with Reader(history_url) as history:
        return [finding.image for finding in Verifier(router.spool, "node-a", history, router.clock).run().findings]


def lose(router: ScriptedRouter, number: int) -> Received:
    lost = router.receive(SERIES, number, tag_line=False)
    (router.spool.entry(Stage.INCOMING, lost.folder) / lost.file).unlink()
    return lost


@pytest.mark.parametrize("told", [True, False], ids=["told", "taking not told"])
def test_a_repetition_received_under_a_clock_in_the_future_is_where_its_first_is(
    router: ScriptedRouter, history_url: str, told: bool
) -> None:
    """The power cut took what told of the first receipt; the series is taken when the clock is right again."""
    router.clock.step_wall(400 * DAY)
    router.receive(SERIES, told=False)
    router.receive(SERIES)
    router.clock.step_wall(-400 * DAY)
    task = router.take(SERIES, told=told)
    if told:
        router.route(task, "a")
    assert missing(router, history_url) == []


def test_a_repetition_received_under_a_clock_in_the_past_is_where_its_first_is(
    router: ScriptedRouter, history_url: str
) -> None:
    """By the time of receipt, it would have to be in the series that was taken before; its id is before both."""
    router.receive(SERIES, 2)
    router.route(router.take(SERIES), "a")
    router.clock.step_wall(-DAY)
    router.receive(SERIES, 1, told=False)
    router.receive(SERIES, 1)
    router.route(router.take(SERIES), "a")
    assert missing(router, history_url) == []


def test_the_first_image_is_found_by_its_id_when_the_clock_was_set_back_before_the_repetition(
    router: ScriptedRouter, history_url: str
) -> None:
    router.receive(SERIES)
    router.clock.step_wall(-DAY)
    router.receive(SERIES)
    router.clock.step_wall(-DAY)
    router.route(router.take(SERIES), "a")
    assert missing(router, history_url) == []


@pytest.mark.parametrize("wrong", [0.0, -DAY, DAY])
def test_what_is_lost_is_named_under_any_clock(router: ScriptedRouter, history_url: str, wrong: float) -> None:
    router.receive(SERIES, 3)
    router.route(router.take(SERIES), "a")
    router.clock.step_wall(wrong)
    lost = lose(router, 1)
    router.receive(SERIES, 2)
    router.clock.step_wall(-wrong)
    router.route(router.take(SERIES), "a")
    router.receive(SERIES, 4)
    router.route(router.take(SERIES), "a")
    assert missing(router, history_url) == [lost.id]


def test_a_lost_image_is_not_taken_for_an_earlier_one_of_the_same_name(
    router: ScriptedRouter, history_url: str
) -> None:
    router.receive(SERIES, 1)
    router.route(router.take(SERIES), "a")
    lost = lose(router, 1)
    router.receive(SERIES, 2)
    router.route(router.take(SERIES), "a")
    assert missing(router, history_url) == [lost.id]


def test_images_of_a_task_of_which_no_event_is_left_are_counted(router: ScriptedRouter, history_url: str) -> None:
    """A power cut can take all that was told of a series; its task is in the spool."""
    for number in (1, 2):
        router.receive(SERIES, number, told=False)
    router.take(SERIES, told=False)
    with Reader(history_url) as history:
        report = Verifier(router.spool, "node-a", history, router.clock).run()
    assert (report.acknowledged, report.unreported, report.findings) == (0, 2, ())
