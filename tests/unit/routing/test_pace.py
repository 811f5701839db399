"""A sender whose images come late again and again gets a longer release time; within bounds, and a person decides."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mercure.clock import ManualClock
from mercure.config import Config
from mercure.config.completion import CompletionTimes
from mercure.routing import pace
from mercure.routing.pace import Pause, SenderPace, after_late, after_series, pace_of
from mercure.spool import Stage
from mercure.spool.hints import remove_older
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.router_desk import RouterDesk

TIMES = CompletionTimes()
NOW = ManualClock().now()


def pauses(seconds: Iterable[float], longest: float = 60.0) -> SenderPace:
    found = SenderPace(sender="CT1")
    for number, pause in enumerate(seconds):
        found = after_late(found, pause, NOW + timedelta(minutes=number), TIMES, longest)
    return found


@pytest.mark.parametrize(
    ("seen", "learned"),
    [
        ([7], 0.0),  # once is no habit
        ([7, 7], 11.0),
        ([7, 7, 7], 11.0),
        ([7, 50], 11.0),  # one long pause alone decides nothing
        ([50, 7, 50], 60.0),  # never above 60 s
        ([2, 3], 0.0),  # the configured time is longer
        ([7, 7, 20, 20], 30.0),
    ],
)
def test_the_second_longest_pause_decides(seen: list[float], learned: float) -> None:
    assert pauses(seen).seconds == learned


def test_pauses_long_ago_are_no_habit() -> None:
    old = SenderPace(sender="CT1", pauses=(Pause(at=NOW - timedelta(days=15), seconds=7),))
    assert after_late(old, 7, NOW, TIMES, 60).seconds == 0


def test_what_is_remembered_is_bounded() -> None:
    assert len(pauses([7] * 100).pauses) == 20


def test_a_longer_time_is_given_up_when_nothing_has_needed_it_for_long() -> None:
    found = pauses([7, 7])
    for _ in range(pace.FORGOTTEN_AFTER - 1):
        found = after_series(found, 1.0, TIMES)
    assert found.seconds == 11
    assert after_series(found, 7.0, TIMES).whole == 0  # needed: counted anew
    assert after_series(found, 1.0, TIMES) == SenderPace(sender="CT1")


@pytest.mark.parametrize(
    ("general", "own", "longest"),
    [
        ({}, None, 60),
        ({"after_release_seconds": 5}, None, 60),
        ({"longest_release_seconds": 0}, None, 0),
        ({"longest_release_seconds": 0}, {"quiet_seconds": 10}, 0),
        ({}, {"after_release_seconds": 8}, 8),  # a person has decided
        ({}, {"after_release_seconds": 8, "longest_release_seconds": 20}, 20),
        ({}, {"longest_release_seconds": 300}, 300),
        ({}, {"expected_images": {"number": 3}}, 60),
    ],
)
def test_a_person_decides(general: dict[str, object], own: dict[str, object] | None, longest: float) -> None:
    completion = {**general, "senders": {"CT1": own} if own is not None else {}}
    assert Config.model_validate({"completion": completion}).longest_release("CT1", "ct") == longest
    entry = {"ae_titles": ["CT1"], **({"completion": own} if own is not None else {})}
    by_name = Config.model_validate({"completion": general, "senders": {"ct": entry}})
    assert by_name.longest_release("CT1", "ct") == longest


def test_the_entry_of_a_sender_goes_before_every_exception() -> None:
    config = Config.model_validate(
        {
            "completion": {"quiet_seconds": 9, "senders": {"CT1": {"quiet_seconds": 8}, "ct": {"quiet_seconds": 7}}},
            "senders": {"ct": {"ae_titles": ["CT1"], "completion": {"after_release_seconds": 6}}},
        }
    )
    times = config.completion_of("CT1", "ct")
    assert (times.quiet_seconds, times.after_release_seconds) == (60, 6), "the whole of it"
    assert config.longest_release("CT1", "ct") == 6
    assert config.completion_of("CT1", "other").quiet_seconds == 8
    assert config.completion_of("MR", "MR@10.0.0.1").quiet_seconds == 9


class Scanner:
    """Sends each image of a series over an association of its own."""

    def __init__(self, desk: RouterDesk, seconds: float = 7.0) -> None:
        self.desk = desk
        self.seconds = seconds
        self.sent = 0

    def series(self, images: int = 4, *, calling: str = "ONEBYONE", again: bool = False) -> int:
        """Send a series, and return of how many tasks it became."""
        before = len(self.desk.tasks(Stage.OUTGOING))
        self.sent += not again
        for image in make_images(images, series=f"1.2.{self.sent}", study="1.9"):
            self.desk.send([image], calling)
            self.wait(self.seconds)
        self.wait(70)
        return len(self.desk.tasks(Stage.OUTGOING)) - before

    def wait(self, seconds: float) -> None:
        """Let the router look each half second, as it would be woken."""
        for _ in range(int(seconds * 2)):
            self.desk.turn(0.5)


@pytest.fixture
def scanner(desk: RouterDesk) -> Scanner:
    desk.configure(rules(), completion={"quiet_seconds": 60, "after_release_seconds": 5})
    return Scanner(desk)


def rules() -> dict[str, object]:
    return {"all": {"rule": "True", "targets": ["pacs"]}}


def test_an_exam_is_one_task_from_the_second_series_on(desk: RouterDesk, scanner: Scanner) -> None:
    assert scanner.series() == 4
    assert [scanner.series() for _ in range(3)] == [1, 1, 1]
    (told,) = desk.events("release.learned")
    assert (told["seconds"], told["before"], round(told["pause"])) == (11, 0, 7)
    assert "ONEBYONE" in told["sender"]
    assert "after_release_seconds" in told["advice"]


def test_it_is_known_after_a_restart_and_by_other_routers(desk: RouterDesk, scanner: Scanner) -> None:
    scanner.series()
    desk.restart()
    assert scanner.series() == 1


def test_another_sender_has_its_own_pace(scanner: Scanner) -> None:
    scanner.series()
    assert scanner.series(calling="CT2") == 4


def test_pauses_beyond_the_bound_change_nothing(desk: RouterDesk) -> None:
    desk.configure(rules(), completion={"quiet_seconds": 300, "after_release_seconds": 5})
    scanner = Scanner(desk, seconds=70)
    assert scanner.series(3) == 3
    assert not desk.events("release.learned")
    assert not list(pace.folder(desk.spool).glob("*.json"))


def test_the_same_images_again_are_no_late_images(desk: RouterDesk, scanner: Scanner) -> None:
    """A scanner that repeats a whole series is not slow."""
    for _ in range(4):
        desk.send(make_images(3, series="1.2.1"), "ONEBYONE")
        scanner.wait(20)
    assert not desk.events("release.learned")


@pytest.mark.parametrize(
    "fixed", [{"senders": {"ONEBYONE": {"after_release_seconds": 5}}}, {"longest_release_seconds": 0}]
)
def test_where_a_person_has_decided_nothing_is_lengthened(
    desk: RouterDesk, scanner: Scanner, fixed: dict[str, object]
) -> None:
    scanner.series()  # learned before the person looked
    desk.configure(rules(), completion={"quiet_seconds": 60, "after_release_seconds": 5, **fixed})
    assert scanner.series() == 4


def test_the_quiet_time_bounds_it_too(desk: RouterDesk, scanner: Scanner) -> None:
    scanner.series()
    desk.configure(rules(), completion={"quiet_seconds": 6, "after_release_seconds": 5})
    assert scanner.series() == 4


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b'{"sender": "other"}', b'{"sender": "x", "seconds": "y"}'])
def test_a_hint_that_cannot_be_read_is_learned_again(desk: RouterDesk, scanner: Scanner, damage: bytes) -> None:
    scanner.series()
    (path,) = pace.folder(desk.spool).glob("*.json")
    path.write_bytes(damage)
    desk.restart()
    assert scanner.series() == 4
    assert scanner.series() == 1


def test_senders_are_forgotten_by_age_and_number(desk: RouterDesk, scanner: Scanner) -> None:
    scanner.series()
    sender = desk.events("release.learned")[0]["sender"]
    (path,) = pace.folder(desk.spool).glob("*.json")
    pace.forget(desk.spool, path.stat().st_mtime + pace.KEPT_SECONDS - 10)
    assert pace_of(desk.spool, sender).seconds == 11
    pace.forget(desk.spool, path.stat().st_mtime + pace.KEPT_SECONDS + 10)
    assert pace_of(desk.spool, sender).seconds == 0
    for number in range(5):
        (pace.folder(desk.spool) / f"{number}.json").write_text("{}")
    remove_older(pace.folder(desk.spool), pace.KEPT_SECONDS, path.parent.stat().st_mtime, most=3)
    assert len(list(pace.folder(desk.spool).iterdir())) == 3
