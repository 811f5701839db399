"""Every acknowledged image is accounted for: all the ways that one may go, and where a power cut took what was told."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage, image_files, save_task
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from tests.support.recording import VerifyFunction

SERIES = "1.2.3"


def test_an_empty_router_is_well(verified: VerifyFunction) -> None:
    report = verified()
    assert (report.findings, report.exit_code, report.acknowledged) == ((), 0, 0)


def test_every_way_that_an_image_may_go(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive("1.1")  # waits in incoming
    router.receive("1.2", 1)
    router.receive("1.2", 2)
    router.take("1.2")  # waits in routing
    for number in (1, 2, 3):
        router.receive("1.3", number)
    waiting, delivered, failed, retired = router.route(router.take("1.3"), "a", "b", "c", "d")
    router.deliver(delivered)
    router.fail(failed)
    router.deliver(retired)
    router.retire(retired, Stage.SUCCESS)
    router.receive("1.4")
    router.discard(router.take("1.4"), "phantoms")
    router.receive("1.5")
    gone = router.take("1.5")
    router.discard(gone, "old rule")
    router.retire(gone, Stage.DISCARD)
    router.receive("1.6")
    router.fail(router.take("1.6"), Stage.ROUTING)
    (router.spool.entry(Stage.QUARANTINE, gone.id)).mkdir()
    (router.spool.entry(Stage.QUARANTINE, gone.id) / "reason.json").write_text("{}")

    report = verified()

    assert report.findings == ()
    assert report.exit_code == 0
    assert report.acknowledged == 9
    assert report.before_routing == 3
    assert {name: count.model_dump() for name, count in report.targets.items()} == {
        "a": {"delivered": 0, "waiting": 3, "failed": 0},
        "b": {"delivered": 3, "waiting": 0, "failed": 0},
        "c": {"delivered": 0, "waiting": 0, "failed": 3},
        "d": {"delivered": 3, "waiting": 0, "failed": 0},
    }
    assert report.discarded == {"phantoms": 1, "old rule": 1}
    assert (report.failed, report.quarantined, report.unknown_tasks) == (1, 1, 0)
    assert waiting.target == "a"


def test_of_a_task_that_is_partly_delivered_each_image_is_counted_where_it_is(
    router: ScriptedRouter, verified: VerifyFunction
) -> None:
    for number in range(5):
        router.receive(SERIES, number)
    waiting, failed, untouched = router.route(router.take(SERIES), "a", "b", "c")
    router.confirm(waiting, 2)
    router.confirm(failed, 4)
    router.fail(failed)

    report = verified()

    assert report.findings == ()
    assert {name: count.model_dump() for name, count in report.targets.items()} == {
        "a": {"delivered": 2, "waiting": 3, "failed": 0},
        "b": {"delivered": 4, "waiting": 0, "failed": 1},
        "c": {"delivered": 0, "waiting": 5, "failed": 0},
    }
    assert untouched.target == "c"


def test_a_repetition_is_accounted_for_by_the_first(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    router.receive(SERIES)
    (task,) = router.route(router.take(SERIES), "a")
    router.receive(SERIES)  # after the series was taken: an image of its own, a late arrival
    report = verified()
    assert (report.findings, report.acknowledged, report.repetitions, report.before_routing) == ((), 3, 1, 1)

    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    assert verified().exit_code == 0


def test_an_image_whose_tag_line_a_power_cut_took(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1, tag_line=False)
    router.receive(SERIES, 2)
    (task,) = router.route(router.take(SERIES), "a")
    assert verified().exit_code == 0
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    report = verified()
    assert (report.findings, report.exit_code) == ((), 0)


def test_a_first_image_whose_event_and_line_a_power_cut_took(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1, tag_line=False, told=False)
    router.receive(SERIES, 1)  # sent again after the cut: a repetition, whose id the task then names
    (task,) = router.route(router.take(SERIES), "a")
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    assert verified().exit_code == 0


@pytest.mark.parametrize("tag_line", [True, False], ids=["with its tag line", "without one"])
def test_images_whose_events_a_power_cut_took_are_counted_apart(
    router: ScriptedRouter, verified: VerifyFunction, *, tag_line: bool
) -> None:
    """They were acknowledged, so verify must not say that there were fewer."""
    for number in (1, 2, 3):
        router.receive(SERIES, number, tag_line=number == 1 or tag_line, told=number == 1)
    router.receive(SERIES, 1)  # a repetition is told of, and is no further image
    report = verified()
    assert (report.acknowledged, report.repetitions, report.unreported, report.before_routing) == (2, 1, 2, 3)
    (task,) = router.route(router.take(SERIES), "a")
    report = verified()
    assert (report.acknowledged, report.repetitions, report.unreported) == (2, 1, 2)
    router.deliver(task)
    router.retire(task, Stage.SUCCESS)
    report = verified()
    assert (report.acknowledged, report.unreported, report.exit_code) == (2, 2, 0)
    assert report.targets["a"].delivered == 3


def test_a_series_of_which_no_event_tells_yet(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    router.receive(SERIES, 2, tag_line=False)
    router.take(SERIES, told=False)
    report = verified()
    assert (report.findings, report.exit_code, report.unknown_tasks) == ((), 0, 1)
    assert report.before_routing == 2


def test_a_discarded_series_of_which_only_the_cleaner_told(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES, told=False)
    router.discard(task)
    router.retire(task, Stage.DISCARD)
    assert verified().exit_code == 0


def test_a_series_that_was_put_aside_and_retried(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES)
    task = router.take(SERIES)
    router.fail(task, Stage.ROUTING)
    shutil.move(router.spool.entry(Stage.ERROR, task.id), router.spool.entry(Stage.ROUTING, task.id))
    (derived,) = router.route(task, "a")
    assert verified().exit_code == 0
    router.deliver(derived)
    router.retire(derived, Stage.SUCCESS)
    assert verified().exit_code == 0


def test_a_study_from_its_first_series_to_its_target(router: ScriptedRouter, verified: VerifyFunction) -> None:
    for series in ("1.2.1", "1.2.2"):
        router.receive(series, 1)
        router.receive(series, 2, tag_line=series == "1.2.1")
        router.collect(router.take(series))
    assert (verified().findings, verified().before_routing) == ((), 4)
    directory = router.take_study()
    assert verified().findings == (), "the series are folders within the study"
    study = router.assemble(directory)
    assert verified().findings == (), "the series are only a list in the study"
    router.tell_study(study)
    (archive,) = router.route(study, "archive")
    assert verified().findings == ()
    router.deliver(archive)
    router.retire(archive, Stage.SUCCESS)
    report = verified()
    assert (report.findings, report.exit_code) == ((), 0)
    assert report.targets["archive"].delivered == 4


def test_series_sent_whole_again_may_hold_more_than_was_told(router: ScriptedRouter, verified: VerifyFunction) -> None:
    router.receive(SERIES, 1)
    (first,) = router.route(router.take(SERIES), "archive")
    router.deliver(first)
    router.receive(SERIES, 2)
    (again,) = router.route(router.take(SERIES), "archive")
    place = router.spool.entry(Stage.OUTGOING, again.id)
    os.link(router.spool.entry(Stage.SUCCESS, first.id) / f"{SERIES}.1.dcm", place / f"{SERIES}.1.dcm")
    files = image_files(place)
    save_task(place, again.model_copy(update={"images": 2, "bytes": sum(file.bytes for file in files)}))
    assert verified().findings == ()
