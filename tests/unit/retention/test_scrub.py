"""The scrub: everything kept is read within its time, slowly, across restarts, and what is bad is told."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mercure.config.models import ScrubSettings as Settings
from mercure.dicom import integrity
from mercure.retention import scrub as scrub_module
from mercure.retention.scrub import SAVE_SECONDS, START_SECONDS, Scrub, ScrubRun, ScrubThread, read_scrub
from mercure.spool import Claim, Stage
from mercure.spool.altered_images import AlteredBook
from tests.support.box import turn
from tests.support.faults import failing_at
from tests.support.polling import eventually
from tests.support.receipts import flip, make_received, received_file, spoil
from tests.unit.retention.attic import DAY, Attic

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.dicom.integrity import Integrity
    from tests.support.box import Box


@dataclass
class Watch:
    """A scrub that waits by the clock of the test, and what it has read."""

    box: Box
    settings: Settings = field(default_factory=lambda: Settings(bytes_per_second=1_000_000))
    waited: float = 0.0
    stop_after: int | None = None
    read: list[Path] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        self.waited += seconds
        self.box.clock.advance(seconds)
        return self.stop_after is not None and len(self.read) >= self.stop_after

    def scrub(self) -> Scrub:
        events = self.box.context("cleaner").events
        return Scrub(self.box.spool, events, self.box.clock, lambda: self.settings, self.wait)


@pytest.fixture
def watch(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch(attic.box)
    real = integrity.examine

    def examine(path: Path, **options: object) -> Integrity:
        watch.read.append(path)
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scrub_module, "examine", examine)
    return watch


def kept(attic: Attic, stage: Stage = Stage.SUCCESS, age: float = 0.0) -> Path:
    task = attic.finished(stage, age=age)
    make_received(task)
    return task


def run(watch: Watch) -> ScrubRun:
    done = watch.scrub().run()
    assert done is not None
    return done


def test_all_is_read_and_told(attic: Attic, watch: Watch) -> None:
    for stage in (Stage.SUCCESS, Stage.DISCARD, Stage.ERROR):
        kept(attic, stage)
    attic.box.waiting_task(2)
    done = run(watch)
    assert (done.images, done.uncheckable, done.altered, done.unreadable) == (8, 2, 0, 0)
    (told,) = attic.box.events("scrub.finished")
    assert (told.details["images"], told.details["uncheckable"]) == (8, 2)
    assert read_scrub(attic.box.spool).last == done


@pytest.mark.parametrize("damage", ["pixel", "transfer syntax", "sector of zeros"])
def test_what_is_altered_is_told_once_and_is_in_the_book(attic: Attic, watch: Watch, damage: str) -> None:
    task = kept(attic)
    spoil(task / "1.2.3.1.dcm", damage)
    for _ in range(2):
        assert run(watch).altered == 1
    (told,) = attic.box.events("image.altered")
    assert (told.task, told.details["found_by"], told.details["sop"]) == (task.name, "scrub", "1.2.3.1")
    (known,) = AlteredBook(attic.box.spool).images()
    assert (known.path, known.series) == (f"success/{task.name}/1.2.3.1.dcm", "1.2.3")
    shutil.rmtree(task)
    run(watch)
    assert list((attic.box.spool.stage(Stage.STATE) / "altered").iterdir()) == []


def test_a_lost_sector_is_told_as_such(attic: Attic, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(attic)

    def preadv(descriptor: int, *_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", preadv)
    assert run(watch).unreadable == 2
    assert {known.state for known in AlteredBook(attic.box.spool).images()} == {"unreadable"}


def test_what_was_read_wrongly_once_is_read_again(attic: Attic, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable or a controller, not the disk."""
    task = kept(attic)
    flip(task / "1.2.3.1.dcm", -1)
    counting = integrity.examine
    calls: list[Path] = []

    def examine(path: Path, **options: object) -> Integrity:
        result = counting(path, **options)  # type: ignore[arg-type]
        if result.is_bad and not calls:
            calls.append(path)
            flip(path, -1)
        return result

    monkeypatch.setattr(scrub_module, "examine", examine)
    assert run(watch).altered == 0
    assert calls


def test_the_pace_is_kept(attic: Attic, watch: Watch) -> None:
    task = kept(attic)
    (task / "1.2.3.1.dcm").write_bytes(received_file(bytes(5_000_000)))
    (task / "tags.jsonl").unlink()
    run(watch)
    assert watch.waited == pytest.approx(5.0, abs=1.2)


def test_each_copy_is_read_once_however_many_hold_it(attic: Attic, watch: Watch) -> None:
    task = kept(attic)
    for last in {"1", "2", "3"} - {task.name[-1]}:
        shutil.copytree(task, task.with_name(f"{task.name[:-1]}{last}"), copy_function=os.link)
    assert run(watch).images == 2
    assert len(watch.read) == 2


def test_it_goes_on_where_it_was_stopped(attic: Attic, watch: Watch) -> None:
    tasks = [kept(attic) for _ in range(4)]
    watch.stop_after = 5
    assert watch.scrub().run() is None
    watch.stop_after = None
    before = len(watch.read)
    done = run(watch)
    assert done.images == 8
    assert [path.parent for path in watch.read[before:]] == [tasks[2], tasks[2], tasks[3], tasks[3]]


def test_a_kill_costs_no_more_than_the_last_seconds(attic: Attic, watch: Watch) -> None:
    """What is on disk is a place that was really reached, at any moment."""
    for _ in range(3):
        kept(attic)
    watch.settings = Settings(bytes_per_second=100_000)
    places = []
    real = watch.wait

    def wait(seconds: float) -> bool:
        attic.box.clock.advance(SAVE_SECONDS)
        places.append(read_scrub(attic.box.spool).place)
        return real(seconds)

    watch.wait = wait  # type: ignore[method-assign]
    run(watch)
    assert [place for place in places if place] == sorted(place for place in places if place)
    assert len(set(places)) >= 3


def test_what_moves_on_or_goes_meanwhile_does_not_matter_and_no_claim_is_held(
    attic: Attic, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, going = attic.box.waiting_task(2), kept(attic)
    counting = integrity.examine

    def examine(path: Path, **options: object) -> Integrity:
        if path.parent == waiting and waiting.exists():
            claim = Claim.take(waiting)
            assert claim is not None, "somebody holds the task"
            claim.release()
            waiting.rename(attic.box.spool.entry(Stage.SUCCESS, waiting.name))
            shutil.rmtree(going)
        return counting(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scrub_module, "examine", examine)
    done = run(watch)
    assert (done.images, done.unreadable) == (2, 0)
    assert AlteredBook(attic.box.spool).images() == []


def test_when_it_is_due(attic: Attic, watch: Watch) -> None:
    scrub = watch.scrub()
    assert scrub.is_due(), "never done"
    scrub.run()
    assert not scrub.is_due()
    attic.box.clock.advance(7 * DAY + 1)
    assert scrub.is_due()
    scrub.run()
    attic.box.clock.step_wall(-30 * DAY)
    assert scrub.is_due(), "the clock was set back: the end lies in the future"
    watch.settings = Settings(every_days=0)
    assert not scrub.is_due()


def test_switched_off_in_the_middle_it_stops(attic: Attic, watch: Watch) -> None:
    kept(attic)
    watch.settings = Settings(every_days=0)
    assert watch.scrub().run() is None


def test_a_state_that_cannot_be_read_is_begun_anew(attic: Attic, watch: Watch) -> None:
    kept(attic)
    (attic.box.spool.stage(Stage.STATE) / "scrub.json").write_text('{"run": {"be')
    assert run(watch).images == 2


def test_a_full_disk_stops_it_and_nothing_else(attic: Attic, watch: Watch) -> None:
    kept(attic)
    with failing_at(1, "ENOSPC", onward=True), pytest.raises(OSError, match="No space"):
        watch.scrub().run()
    assert run(watch).images == 2


def test_the_cleaner_does_it_beside_its_work_in_a_thread_of_low_priority(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = kept(attic)
    flip(task / "1.2.3.1.dcm", -1)
    nice: list[int] = []
    real = integrity.examine

    def examine(path: Path, **options: object) -> Integrity:
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scrub_module, "examine", examine)
    attic.box.configure(scrub={"every_days": 7})
    attic.restart()
    turn(attic.cleaner)
    assert read_scrub(attic.box.spool).run is None, "after a start the disk is for what waits"
    attic.box.clock.advance(START_SECONDS)
    turn(attic.cleaner)
    eventually(lambda: attic.box.events("scrub.finished"), what="the end of the scrub")
    attic.cleaner.end()
    assert set(nice) == {19}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) != 19
    assert len(AlteredBook(attic.box.spool).images()) == 1


def test_told_to_end_it_ends_at_once(attic: Attic) -> None:
    task = kept(attic)
    (task / "1.2.3.1.dcm").write_bytes(bytes(20_000_000))
    context = attic.box.context("cleaner")
    slow = Settings(bytes_per_second=100_000)
    thread = ScrubThread(attic.box.spool, context.events, attic.box.clock, lambda: slow)
    attic.box.clock.advance(START_SECONDS)
    thread.turn()
    eventually(lambda: read_scrub(attic.box.spool).run, what="its beginning")
    thread.end()
    assert not any(other.name == "scrub" for other in threading.enumerate())
