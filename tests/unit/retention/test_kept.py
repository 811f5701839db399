"""What a person wants kept is not removed, whatever the reason; its end, its ceiling, and what cannot be read."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mercure.event_details import Identity
from mercure.history.database import HistoryError
from mercure.names import new_id
from mercure.retention.finished import FinishedTasks
from mercure.retention.kept import KeptTasks, ceiling, covered, kept_tasks
from mercure.spool import Stage, load_task, save_task
from mercure.spool.keeps import Keep, changing_keeps, read_keeps, remove_keep, save_keep
from tests.unit.retention.attic import DAY, Attic

if TYPE_CHECKING:
    from pathlib import Path

FULL = 10**18


def keep(attic: Attic, days: float = 30, **what: Any) -> Keep:
    now = attic.box.clock.now()
    made = Keep(id=new_id(now), by="anna", at=now, until=now + timedelta(days=days), reason="why", **what)
    with changing_keeps(attic.box.spool):
        save_keep(attic.box.spool, made)
    return made


def finished(attic: Attic, stage: Stage = Stage.SUCCESS, *, age: float = 10 * DAY, **who: str) -> Path:
    directory = attic.finished(stage, age=age)
    task = load_task(directory)
    size = sum(path.stat().st_size for path in directory.glob("*.dcm"))
    save_task(directory, task.model_copy(update={"identity": Identity(**who), "bytes": size}))
    return directory


def files_of(attic: Attic) -> list[str]:
    return sorted(path.name for path in (attic.box.spool.stage(Stage.STATE) / "keeps").glob("*.json"))


@pytest.mark.parametrize("stage", [Stage.SUCCESS, Stage.DISCARD])
@pytest.mark.parametrize("reason", ["retention", "pressure"])
@pytest.mark.parametrize("history", ["there", "away"])
def test_it_stays_for_whatever_reason_others_go(attic: Attic, stage: Stage, reason: str, history: str) -> None:
    attic.configure(pressure_free_bytes=FULL if reason == "pressure" else 0)
    attic.restart()
    if history == "away":
        attic.error = HistoryError("away")
    age = 10 * DAY if reason == "retention" else 60.0
    by_study = finished(attic, stage, age=age, StudyInstanceUID="1.2")
    by_patient = finished(attic, stage, age=age, PatientID="P1 ")
    by_task = finished(attic, stage, age=age, PatientID="P2")
    other = finished(attic, stage, age=age, PatientID="P3", StudyInstanceUID="1.2.3")
    keep(attic, study="1.2")
    keep(attic, patient="P1")
    keep(attic, task=by_task.name)
    attic.turn(times=2)
    assert [path.exists() for path in (by_study, by_patient, by_task, other)] == [True, True, True, False]


def test_what_is_derived_from_a_kept_task_stays(attic: Attic) -> None:
    directory = finished(attic)
    save_task(directory, load_task(directory).model_copy(update={"parent": new_id(attic.box.clock.now())}))
    parent = load_task(directory).parent
    assert parent
    keep(attic, task=parent)
    attic.turn()
    assert directory.exists()


def test_it_goes_when_the_keep_has_ended_which_is_told_once(attic: Attic) -> None:
    directory = finished(attic, StudyInstanceUID="1.2")
    made = keep(attic, days=3, study="1.2")
    attic.box.clock.advance(2.9 * DAY)
    attic.turn()
    assert directory.exists()
    attic.box.clock.advance(0.2 * DAY)
    attic.turn(times=2)
    assert not directory.exists()
    assert files_of(attic) == []
    (told,) = attic.box.events("keep.ended")
    assert (told.details["keep"], told.details["study"], told.details["by"]) == (made.id, "1.2", "")


def test_it_goes_when_the_keep_was_removed(attic: Attic) -> None:
    directory = finished(attic, StudyInstanceUID="1.2")
    first, second = keep(attic, study="1.2"), keep(attic, days=9, study="1.2")
    remove_keep(attic.box.spool, first.id)
    attic.turn()
    assert directory.exists(), "the other one still holds"
    remove_keep(attic.box.spool, second.id)
    attic.turn()
    assert not directory.exists()


@pytest.mark.parametrize("step", [400 * DAY, -400 * DAY])
def test_no_step_of_the_clock_ends_it(attic: Attic, step: float) -> None:
    directory = finished(attic, StudyInstanceUID="1.2")
    keep(attic, days=3, study="1.2")
    attic.turn()
    attic.box.clock.step_wall(step)
    attic.turn()
    attic.box.clock.advance(2 * DAY)
    attic.turn(times=2)
    assert directory.exists()
    assert files_of(attic)
    attic.box.clock.advance(2 * DAY)
    attic.turn(times=2)
    assert bool(files_of(attic)) is (step < 0), "a clock that shows a time before this program was made stays doubted"


def test_a_step_under_pressure_ends_it_no_sooner(attic: Attic) -> None:
    attic.configure(pressure_free_bytes=FULL)
    attic.restart()
    directory = finished(attic, StudyInstanceUID="1.2")
    keep(attic, days=3, study="1.2")
    attic.box.clock.step_wall(400 * DAY)
    attic.turn(times=3)
    assert directory.exists()


def test_a_keep_that_comes_while_a_task_is_looked_at_is_honoured(attic: Attic) -> None:
    directory = finished(attic, StudyInstanceUID="1.2")
    guard = attic.cleaner._keeps
    look = guard.look

    def look_and_then(*args: Any) -> None:
        look(*args)
        keep(attic, study="1.2")

    guard.look = look_and_then  # type: ignore[assignment,method-assign]
    attic.turn()
    assert directory.exists()


def test_while_one_is_being_added_nothing_is_removed_and_the_cleaner_goes_on(attic: Attic) -> None:
    directory = finished(attic)
    with changing_keeps(attic.box.spool):
        attic.turn()
        assert directory.exists()
    attic.turn()
    assert not directory.exists()


def test_one_that_cannot_be_read_keeps_everything_but_from_a_full_disk(attic: Attic) -> None:
    directory = finished(attic)
    keep(attic, study="9.9")
    (name,) = files_of(attic)
    path = attic.box.spool.stage(Stage.STATE) / "keeps" / name
    path.write_bytes(b'{"id": torn')
    attic.turn()
    assert directory.exists()
    assert read_keeps(attic.box.spool).unreadable == (name.removesuffix(".json"),)
    attic.configure(pressure_free_bytes=FULL)
    attic.restart()
    attic.turn()
    assert not directory.exists()
    assert files_of(attic) == [name]


def test_a_keep_of_a_newer_release_is_read_and_other_files_are_passed_over(attic: Attic) -> None:
    directory = finished(attic, StudyInstanceUID="1.2")
    other = finished(attic, StudyInstanceUID="3.4")
    keep(attic, study="1.2")
    folder = attic.box.spool.stage(Stage.STATE) / "keeps"
    (name,) = files_of(attic)
    (folder / name).write_text((folder / name).read_text().replace("{", '{"newer": [1],', 1))
    (folder / ".hidden.tmp").write_text("x")
    (folder / "notes.txt").write_text("x")
    attic.turn()
    assert (directory.exists(), other.exists()) == (True, False)


def test_what_came_first_stays_under_the_ceiling_and_an_image_of_several_tasks_counts_once(attic: Attic) -> None:
    first, second, third = (finished(attic, StudyInstanceUID="1.2") for _ in range(3))
    spool = attic.box.spool
    image = next(first.glob("*.dcm"))
    os.link(image, second / "copy.dcm")
    keep(attic, study="1.2")
    found = covered(FinishedTasks(spool).scan(), read_keeps(spool).keeps)
    sizes = [sum(path.stat().st_size for path in each.glob("*.dcm")) for each in (first, second, third)]
    every = sum(sizes) - image.stat().st_size
    assert kept_tasks(spool, found, every).tasks == {first.name, second.name, third.name}
    less = kept_tasks(spool, found, every - 1)
    assert less == KeptTasks(frozenset({first.name, second.name}), frozenset({third.name}), every)
    assert not kept_tasks(spool, found, 0).tasks


def test_what_does_not_fit_goes_by_its_retention(attic: Attic) -> None:
    attic.box.configure(
        retention={"success_seconds": DAY, "keep_percent": 0},
        scrub={"every_days": 0},
        nightly_verify={"enabled": False},
    )
    attic.restart()
    assert ceiling(attic.box.spool, 0) == 0
    directory = finished(attic, StudyInstanceUID="1.2")
    keep(attic, study="1.2")
    attic.turn()
    assert not directory.exists()


def test_a_full_disk_without_room_for_the_folder_is_still_relieved(attic: Attic) -> None:
    attic.configure(pressure_free_bytes=FULL)
    attic.restart()
    directory = finished(attic)
    folder = attic.box.spool.stage(Stage.STATE) / "keeps"
    folder.write_bytes(b"")  # nothing can be made there
    attic.turn()
    assert not directory.exists()
