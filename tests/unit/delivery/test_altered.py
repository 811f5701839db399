"""An image that is altered on our disk: the others go, it never does, and a person hears of it at once."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mercure.config import Retry, TargetSettings
from mercure.delivery.attempt import Deliverer
from mercure.spool import Claim, Stage, load_task, move, read_ledger, save_task
from mercure.spool.altered_images import AlteredBook
from mercure.targets import Trouble
from tests.support.faults import Crash, crash_at
from tests.support.targets import DOWN, ScriptedTarget, cannot_read, confirms, finds_altered, numbers

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.targets import DeliveryJob
    from tests.support.box import Box

BAD = "1.2.3.2.dcm"
SETTINGS = TargetSettings(kind="scripted", retry=Retry(first_seconds=10, max_refusals=10))


class Sender:
    def __init__(self, box: Box) -> None:
        self.target = ScriptedTarget().then(finds_altered(BAD))
        self.deliverer = Deliverer(
            spool=box.spool,
            events=box.context("dispatcher").events,
            clock=box.clock,
            name="archive",
            settings=SETTINGS,
            target=self.target,
            stopping=lambda: False,
        )

    def attempt(self, directory: Path) -> Trouble | None:
        claim = Claim.take(directory)
        assert claim is not None
        with claim:
            return self.deliverer.attempt(claim, load_task(directory))


@pytest.fixture
def sender(box: Box) -> Sender:
    return Sender(box)


def only(box: Box, stage: Stage) -> Path:
    (directory,) = box.tasks(stage)
    return directory


def test_the_others_go_and_the_task_ends_at_once(box: Box, sender: Sender) -> None:
    trouble = sender.attempt(box.waiting_task(3))
    assert trouble is not None
    assert trouble.kind == "altered"
    failed = only(box, Stage.ERROR)
    assert numbers(read_ledger(failed)) == [1, 3]
    task = load_task(failed)
    assert task.failure is not None
    assert BAD in task.failure.reason
    assert "its data set (bytes 500 to 1500)" in task.failure.reason
    assert "sent again from the scanner" in task.failure.advice
    assert (task.attempts_made, task.attempts[0].kind, task.attempts[0].confirmed) == (1, "altered", 2)


def test_it_is_told_once_and_is_in_the_book_until_somebody_decides(box: Box, sender: Sender) -> None:
    task = box.waiting_task(3)
    sender.attempt(task)
    (told,) = box.events("image.altered")
    assert (told.task, told.details["target"], told.details["found_by"]) == (task.name, "archive", "delivery")
    book = AlteredBook(box.spool)
    (known,) = book.images()
    assert (known.path, known.state) == (f"error/{task.name}/{BAD}", "altered")
    with Claim.take(only(box, Stage.ERROR)) as claim:  # type: ignore[union-attr]
        move(box.spool, claim, Stage.DISCARD)
    assert book.images() == []
    assert book.clear() == 1


def test_several_are_counted(box: Box, sender: Sender) -> None:
    sender.target.then(finds_altered("1.2.3.1.dcm", "1.2.3.2.dcm", "1.2.3.3.dcm"))
    sender.attempt(box.waiting_task(3))
    failure = load_task(only(box, Stage.ERROR)).failure
    assert failure is not None
    assert "1.2.3.1.dcm" in failure.reason
    assert "and 2 more" in failure.reason
    assert len(AlteredBook(box.spool).images()) == 3


def test_while_others_still_wait_for_the_target_they_are_not_given_up(box: Box, sender: Sender) -> None:
    """The target went away in the middle: what it can still get must not be stopped by one bad copy."""

    def half(job: DeliveryJob) -> Trouble | None:
        finds_altered(BAD)(_first(job, 2))
        return DOWN

    task = box.waiting_task(4)
    sender.target.then(half, finds_altered(BAD))
    trouble = sender.attempt(task)
    assert trouble is not None
    assert trouble.kind == "unreachable"
    assert BAD in trouble.text
    assert load_task(only(box, Stage.OUTGOING)).refusals == 0
    sender.attempt(task)
    assert numbers(read_ledger(only(box, Stage.ERROR))) == [1, 3, 4]
    assert len(box.events("image.altered")) == 1


def test_a_retry_reads_the_copy_once_more(box: Box, sender: Sender) -> None:
    """It may have been a cable, not the disk."""
    task = box.waiting_task(3)
    sender.attempt(task)
    failed = only(box, Stage.ERROR)
    save_task(failed, load_task(failed).for_retry())
    with Claim.take(failed) as claim:  # type: ignore[union-attr]
        move(box.spool, claim, Stage.OUTGOING)
    sender.target.then(confirms)
    assert sender.attempt(task) is None
    assert sender.target.asked[-1] == (task.name, [BAD])
    assert numbers(read_ledger(only(box, Stage.SUCCESS))) == [1, 2, 3]
    assert AlteredBook(box.spool).images() == []


def test_a_lost_sector_ends_it_in_the_same_way(box: Box, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def preadv(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", preadv)
    sender.target.then(cannot_read(BAD))
    trouble = sender.attempt(box.waiting_task(3))
    assert trouble is not None
    assert trouble.kind == "altered"
    assert "it cannot be read from byte 0 on" in trouble.text
    failed = only(box, Stage.ERROR)
    assert numbers(read_ledger(failed)) == [1, 3]
    (known,) = AlteredBook(box.spool).images()
    assert (known.state, known.path) == ("unreadable", f"error/{failed.name}/{BAD}")


def test_what_could_be_read_after_all_is_tried_again(box: Box, sender: Sender) -> None:
    """An error that passes: a cable, no memory for a moment."""
    sender.target.then(cannot_read(BAD), confirms)
    task = box.waiting_task(3)
    trouble = sender.attempt(task)
    assert trouble is not None
    assert trouble.kind == "local"
    assert AlteredBook(box.spool).images() == []
    assert sender.attempt(task) is None
    assert only(box, Stage.SUCCESS).name == task.name


def test_a_crash_anywhere_loses_neither_the_finding_nor_the_others(box: Box, sender: Sender) -> None:
    for number in itertools.count(1):
        task = box.waiting_task(3)
        with crash_at(number) as steps, suppress(Crash):
            sender.attempt(task)
        if box.spool.find(task.name) is Stage.OUTGOING:
            sender.attempt(task)
        assert numbers(read_ledger(box.spool.entry(Stage.ERROR, task.name))) == [1, 3]
        assert [known.task for known in AlteredBook(box.spool).images() if known.task == task.name] == [task.name]
        assert {event.id for event in box.events("image.altered") if event.task == task.name} != set()
        if len(steps) < number:
            break


def _first(job: DeliveryJob, count: int) -> DeliveryJob:
    return replace(job, files=list(job.files)[:count])
