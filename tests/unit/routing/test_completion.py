"""When a series is complete: by quiet time, by release and grace, by count; whatever the clocks do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import Config
from mercure.routing.arrivals import expected
from mercure.routing.completion import CompletionTracker, Due, folder_signature
from mercure.spool import Stage
from tests.support.box import GRACE, QUIET
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box
    from tests.support.incoming import Association

SETTINGS: dict[str, Any] = {"quiet_seconds": QUIET, "after_release_seconds": GRACE}


class Watch:
    """A tracker over a box; images land at the time of the box's clock."""

    def __init__(self, box: Box, **settings: Any) -> None:
        self.box = box
        senders = settings.pop("known", {})
        self.config = Config.model_validate({"completion": {**SETTINGS, **settings}, "senders": senders})
        self.restart()

    def restart(self) -> None:
        self.tracker = CompletionTracker(self.box.spool, self.box.clock)

    @property
    def folder(self) -> Path:
        return self.box.spool.entry(Stage.INCOMING, "1.2.3")

    def land(self, association: Association, number: int = 1, **tags: Any) -> None:
        (image,) = make_images(1, first=number, **tags)
        association.store(image)
        self.stamp()

    def stamp(self) -> None:
        """Set the folder's time to that of the injected clock."""
        instant = int(self.box.clock.now().timestamp() * 1e9)
        os.utime(self.folder, ns=(instant, instant))

    def look(self) -> tuple[list[Due], float]:
        return self.tracker.due(self.config, self.box.spool.names(Stage.INCOMING))

    def seconds_until_due(self, limit: float = 300.0) -> tuple[float, str]:
        """Go on as a router would, that wakes only when it asked to; return when the series is complete, and why."""
        start = self.box.clock.monotonic()
        while self.box.clock.monotonic() - start < limit:
            due, wait = self.look()
            if due:
                return self.box.clock.monotonic() - start, due[0].reason
            assert wait > 0
            self.box.clock.advance(min(wait, limit))
        raise AssertionError("never complete")


@pytest.fixture
def watch(box: Box) -> Watch:
    return Watch(box)


def test_released_and_grace(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        watch.land(association)
        assert watch.look()[0] == []
        box.clock.advance(30)
        assert watch.look()[0] == []
    assert watch.seconds_until_due() == (GRACE, "released")


def test_quiet_while_the_association_stays_open(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        watch.land(association)
        watch.look()
        assert watch.seconds_until_due() == (QUIET, "quiet")


def test_quiet_counts_from_the_last_image_and_not_from_when_somebody_looked(box: Box, watch: Watch) -> None:
    """Images in a series wake nobody: the look that finds the last one may come a whole quiet time after it."""
    with box.associate() as association:
        watch.land(association, 1)
        watch.look()
        box.clock.advance(10)
        watch.land(association, 2)
        box.clock.advance(QUIET - 10)
        due, wait = watch.look()
        assert due == []
        assert wait == pytest.approx(10)
        seconds, reason = watch.seconds_until_due()
        assert (round(seconds, 6), reason) == (10, "quiet")


def test_a_receiver_that_was_killed_counts_as_released(box: Box, watch: Watch) -> None:
    association = box.associate()
    watch.land(association)
    watch.look()
    association.die()
    assert watch.seconds_until_due() == (GRACE, "released")


def test_the_last_of_several_associations_counts(box: Box, watch: Watch) -> None:
    """Two senders bring one series at once."""
    with box.associate("B") as second:
        with box.associate("A") as first:
            watch.land(first, 1)
            watch.land(second, 2)
            watch.look()
        box.clock.advance(GRACE + 1)
        assert watch.look()[0] == []
    assert watch.seconds_until_due() == (GRACE, "released")


def test_series_of_one_association_are_complete_in_the_order_in_which_they_came(box: Box, watch: Watch) -> None:
    """They end together, and those behind them in their study, or with the same UIDs, go by this order."""
    came = [f"9.{number}" for number in (4, 1, 7, 2, 6, 3, 5, 8)]
    with box.associate() as association:
        for series in came:
            association.store(make_images(1, series=series)[0])
            box.clock.advance(0.1)
            instant = int(box.clock.now().timestamp() * 1e9)
            os.utime(box.spool.entry(Stage.INCOMING, series), ns=(instant, instant))
    watch.look()
    box.clock.advance(GRACE)
    assert [due.name for due in watch.look()[0]] == came


def test_an_association_of_other_series_holds_nothing_up(box: Box, watch: Watch) -> None:
    with box.associate("OTHER") as other:
        other.store(make_images(1, series="9.9")[0])
        with box.associate() as association:
            watch.land(association)
        watch.look()
        assert watch.seconds_until_due() == (GRACE, "released")


def test_a_late_image_within_the_grace_begins_it_anew(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        watch.land(association, 1)
    watch.look()
    box.clock.advance(GRACE - 1)
    with box.associate() as association:
        watch.land(association, 2)
    assert watch.seconds_until_due() == (GRACE, "released")


def test_an_association_per_image(box: Box, watch: Watch) -> None:
    """Lesson 41."""
    for number in range(1, 21):
        with box.associate() as association:
            watch.land(association, number)
        assert watch.look()[0] == []
        box.clock.advance(GRACE - 1)
    assert watch.seconds_until_due()[0] <= GRACE


@pytest.mark.parametrize("step", [-86400.0, -3600.0, 3600.0, 86400.0 * 365])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_step_of_the_wall_clock_completes_nothing_early_and_nothing_much_later(
    box: Box, watch: Watch, step: float, is_open: bool
) -> None:
    """Lesson 27."""
    association = box.associate()
    watch.land(association, 1)
    watch.look()
    box.clock.advance(QUIET - 1)
    watch.land(association, 2)
    if not is_open:
        association.close()
    box.clock.step_wall(step)
    box.clock.advance(0.5)
    seconds, _reason = watch.seconds_until_due()
    expected_seconds = QUIET if is_open else GRACE
    assert expected_seconds - 0.5 <= seconds <= expected_seconds
    association.close()


@pytest.mark.parametrize("step", [-86400.0, 86400.0])
def test_a_step_right_after_a_look_neither(box: Box, watch: Watch, step: float) -> None:
    with box.associate() as association:
        watch.land(association, 1)
        watch.look()
        box.clock.step_wall(step)
        watch.land(association, 2)
        assert watch.seconds_until_due() == (QUIET, "quiet")


def test_a_router_that_was_away_does_not_make_an_old_series_wait_once_more(box: Box, watch: Watch) -> None:
    box.live_through(60)
    with box.associate() as association:
        watch.land(association)
    box.clock.advance(3600)
    watch.restart()
    assert watch.look()[0][0].reason == "released"


@pytest.mark.parametrize("boots", [False, True])
def test_a_clock_that_was_set_while_the_router_was_away_makes_no_series_old(
    box: Box, watch: Watch, boots: bool
) -> None:
    box.live_through(60)
    with box.associate() as association:
        watch.land(association)
    if boots:
        box.clock.restart(off=365 * 86400.0)
    else:
        box.clock.step_wall(365 * 86400.0)
    watch.restart()
    assert watch.seconds_until_due() == (GRACE, "released")


def test_at_a_start_an_open_series_is_not_judged_by_a_clock_that_may_have_been_wrong(box: Box, watch: Watch) -> None:
    """A box whose clock was set forward at boot, while a scanner was sending already."""
    with box.associate() as association:
        watch.land(association)
        box.clock.step_wall(86400)
        watch.restart()
        assert watch.seconds_until_due() == (QUIET, "quiet")


def test_what_lies_in_the_future_is_new(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        watch.land(association)
    box.clock.step_wall(-3600)
    watch.restart()
    assert watch.seconds_until_due() == (GRACE, "released")


def test_one_who_came_in_the_moment_of_a_look_is_noticed_before_it_is_too_late(box: Box, watch: Watch) -> None:
    """Where times of files are coarse, the folder looks the same before and after an image of a new association."""
    with box.associate() as first:
        watch.land(first, 1)
    signature = os.stat(watch.folder)
    watch.look()
    with box.associate() as second:
        second.store(make_images(1, first=2)[0])
        os.utime(watch.folder, ns=(signature.st_atime_ns, signature.st_mtime_ns))
        box.clock.advance(GRACE)
        assert watch.look()[0] == []
        assert watch.seconds_until_due()[1] == "quiet"


@pytest.mark.parametrize(
    ("count", "images", "tags", "reason"),
    [
        ({"number": 3}, 3, {}, "count"),
        ({"number": 3}, 4, {}, "count"),
        ({"number": 3}, 2, {}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": "2"}, "count"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": " 2 "}, "count"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": ""}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": "0"}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": "-1"}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": "two"}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {"ImagesInAcquisition": "²"}, "quiet"),
        ({"tag": "ImagesInAcquisition"}, 2, {}, "quiet"),
    ],
)
def test_expected_counts(box: Box, count: dict[str, Any], images: int, tags: dict[str, Any], reason: str) -> None:
    watch = Watch(box, expected_images=count)
    with box.associate() as association:
        for number in range(1, images + 1):
            watch.land(association, number, **tags)
        assert watch.seconds_until_due() == (0.0 if reason == "count" else QUIET, reason)
    assert expected(None, {}) is None


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([{}, {"PatientID": "P2"}, {"PatientID": "P2"}], "count"),
        ([{}, {"PatientID": "P2"}], "quiet"),
        ([{"SOPInstanceUID": "1.2.3.1"}], "quiet"),
        ([{"SOPInstanceUID": "1.2.3.1"}, {}], "count"),
    ],
)
def test_expected_counts_are_of_each_unit_and_of_distinct_instances(
    box: Box, others: list[dict[str, Any]], reason: str
) -> None:
    watch = Watch(box, expected_images={"number": 2})
    with box.associate() as association:
        watch.land(association, 1)
        watch.look()
        for number, tags in enumerate(others, 2):
            watch.land(association, number, **tags)
        assert watch.seconds_until_due()[1] == reason


def test_all_studies_of_a_series_that_arrives_are_known(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        for number, study in enumerate(("1.7", "1.8", "1.7"), 1):
            watch.land(association, number, study=study)
            watch.look()
        assert watch.tracker.arriving_studies(watch.config) == {"1.7", "1.8"}


def test_a_sender_of_its_own_has_times_of_its_own(box: Box) -> None:
    watch = Watch(box, senders={"SLOW": {"quiet_seconds": 300, "after_release_seconds": 120}})
    with box.associate("SLOW") as association:
        watch.land(association)
    watch.look()
    assert watch.seconds_until_due() == (120, "released")


@pytest.mark.parametrize("key", ["ct", "SLOW", " SLOW"])
def test_the_times_of_a_sender_go_by_its_name_or_by_its_ae_title(box: Box, key: str) -> None:
    slow = {key: {"quiet_seconds": 300, "after_release_seconds": 120}}
    watch = Watch(box, senders=slow, known={"ct": {"ae_titles": ["SLOW", "OTHER"]}})
    with box.associate("SLOW ") as association:
        watch.land(association)
    watch.look()
    assert watch.seconds_until_due() == (120, "released")


@pytest.mark.parametrize("order", [("SCANNER", "SLOW"), ("SLOW", "SCANNER")])
def test_of_several_senders_the_slowest_decides(box: Box, order: tuple[str, str]) -> None:
    watch = Watch(box, senders={"SLOW": {"quiet_seconds": 300, "after_release_seconds": 120}})
    for number, calling in enumerate(order, 1):
        with box.associate(calling) as association:
            watch.land(association, number)
    watch.look()
    assert watch.seconds_until_due() == (120, "released")


def test_an_image_changes_the_signature_and_reading_does_not(box: Box, watch: Watch) -> None:
    with box.associate() as association:
        association.store(make_images(1)[0])
        before = folder_signature(watch.folder)
        list(watch.folder.iterdir())
        (watch.folder / "1.2.3.1.dcm").read_bytes()
        assert folder_signature(watch.folder) == before
        os.utime(watch.folder, ns=(1, 1))
        association.store(make_images(1, first=2)[0])
        assert folder_signature(watch.folder) != before


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_no_series(box: Box, watch: Watch, kind: str) -> None:
    stray = box.spool.entry(Stage.INCOMING, "stray")
    if kind == "file":
        stray.write_bytes(b"x")
    else:
        stray.symlink_to(box.root)
    assert watch.look() == ([], float("inf"))


def test_the_longest_complete_comes_first(box: Box, watch: Watch) -> None:
    for series in ("1.3", "1.1", "1.2"):
        with box.associate() as association:
            association.store(make_images(1, series=series)[0])
        watch.look()
        box.clock.advance(1)
    box.clock.advance(QUIET)
    assert [due.name for due in watch.look()[0]] == ["1.3", "1.1", "1.2"]


@pytest.mark.parametrize("line", [b"", b"{", b"[]\n", b'{"StudyInstanceUID": "9"', b"\xff\n", b"[" * 100_000])
def test_a_torn_first_line_leaves_the_study_unknown_and_completion_as_it_is(
    box: Box, watch: Watch, line: bytes
) -> None:
    with box.associate() as association:
        watch.land(association)
        (watch.folder / f"{association.id}.jsonl").write_bytes(line)
        watch.look()
        assert watch.tracker.arriving_studies(watch.config) == {None}
    assert watch.seconds_until_due() == (GRACE, "released")


def test_the_studies_that_are_arriving(box: Box, watch: Watch) -> None:
    box.receive(make_images(1, series="1.1", study="7"))
    box.receive(make_images(1, series="1.2", study="8"))
    watch.look()
    assert watch.tracker.arriving_studies(watch.config) == {"7", "8"}
