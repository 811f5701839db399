"""`mercure verify --deep`: every kept image is read once and judged, wherever it is and whoever holds it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mercure.config import Root
from mercure.history.verify import verify
from mercure.history.verify.deep import DeepCheck, known
from mercure.history.verify.report import Kind
from mercure.spool import LedgerLine, Stage, add_to_ledger
from mercure.spool.altered_images import AlteredBook, AlteredImage
from tests.support.receipts import DATA_SET, flip, make_received, plain_header, received_file, spoil

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

STAGES = [Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING, Stage.SUCCESS, Stage.DISCARD, Stage.ERROR]


def kept(box: Box, stage: Stage, count: int = 2) -> Path:
    task = box.waiting_task(count)
    make_received(task)
    task.rename(box.spool.entry(stage, task.name))
    return box.spool.entry(stage, task.name)


def deep(box: Box) -> DeepCheck:
    return DeepCheck(box.spool, box.clock)


def test_all_stages_are_read(box: Box) -> None:
    tasks = [kept(box, stage) for stage in STAGES]
    arriving = box.spool.entry(Stage.INCOMING, "1.2.3")
    study = box.spool.entry(Stage.STUDIES, "1.2+brain")
    for folder in (arriving, study):
        folder.mkdir()
    (arriving / "1.dcm").write_bytes(received_file())
    shutil.move(kept(box, Stage.OUTGOING), study)
    inside = tasks[0] / tasks[0].name
    inside.mkdir()
    (inside / "2.dcm").write_bytes(received_file())
    report, findings = deep(box).run()
    assert findings == []
    assert (report.images, report.intact) == (2 * len(STAGES) + 1 + 2 + 1, 2 * len(STAGES) + 4)
    assert report.bytes == sum(path.stat().st_size for path in box.spool.root.rglob("*.dcm"))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("damage", ["pixel", "header", "sector of zeros", "empty"])
def test_what_is_altered_is_named_wherever_it_is(box: Box, stage: Stage, damage: str) -> None:
    task = kept(box, stage)
    spoil(task / "1.2.3.1.dcm", damage)
    report, (finding,) = deep(box).run()
    assert (report.altered, report.intact) == (1, 1)
    assert (finding.kind, finding.task, finding.sop) == (Kind.ALTERED, task.name, "1.2.3.1")
    assert finding.is_violation
    assert f"{stage.value}/{task.name}/1.2.3.1.dcm" in finding.text


def test_each_copy_is_read_once_and_all_that_hold_it_are_named(box: Box) -> None:
    first = kept(box, Stage.OUTGOING, 1)
    second = box.spool.entry(Stage.SUCCESS, box.waiting_task(1).rename(first.with_name("x")).name)
    shutil.copytree(first, second, copy_function=os.link)
    shutil.rmtree(first.with_name("x"))
    line = {"file": "1.2.3.1.dcm", "status": "0x0000", "time": box.clock.now(), "target": "archive"}
    add_to_ledger(second, [LedgerLine.model_validate(line)])
    flip(first / "1.2.3.1.dcm", -1)
    report, (finding,) = deep(box).run()
    assert (report.images, report.altered) == (1, 1)
    assert "the same copy is in success/x/1.2.3.1.dcm" in finding.text
    assert "confirmed before: archive (2026-01-01" in finding.text


def test_what_has_no_digest_is_counted_and_never_wrong(box: Box) -> None:
    task = box.waiting_task(2)
    (task / "1.2.3.1.dcm").write_bytes(plain_header() + DATA_SET)
    report, findings = deep(box).run()
    assert (report.uncheckable, report.altered, findings) == (2, 0, [])


def test_what_moves_on_or_goes_meanwhile_is_no_finding_and_not_left_out(box: Box) -> None:
    """Also backwards: a person retries a failed task while the walk is between the two stages."""
    failed, going = kept(box, Stage.ERROR, 1), kept(box, Stage.SUCCESS, 1)
    waiting = kept(box, Stage.OUTGOING, 1)
    seen = []

    def told(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 1:
            failed.rename(box.spool.entry(Stage.OUTGOING, failed.name))
            shutil.rmtree(going)
            waiting.rename(box.spool.entry(Stage.SUCCESS, waiting.name))

    report, findings = DeepCheck(box.spool, box.clock, told).run()
    assert (report.images, report.intact, findings) == (2, 2, [])
    assert all(done <= total for done, total in seen)


def test_what_others_have_found_is_named_by_every_verification_until_it_is_settled(box: Box) -> None:
    task = kept(box, Stage.ERROR)
    book = AlteredBook(box.spool)
    details = {"path": f"error/{task.name}/1.2.3.1.dcm", "task": task.name, "text": "its data set", "target": "pacs"}
    found = AlteredImage.model_validate({**details, "found_by": "delivery", "found": box.clock.now()})
    assert book.note(found, None)
    assert not book.note(found, None)
    (finding,) = known(box.spool)
    assert (finding.kind, finding.task, finding.target, finding.stage) == (Kind.ALTERED, task.name, "pacs", "error")
    config = box.context("cleaner").config
    assert verify(Root(box.root), config, box.clock).exit_code == 1
    # What is read rightly now is not altered, whatever was found before.
    assert verify(Root(box.root), config, box.clock, deep=True).deep is not None
    assert Kind.ALTERED not in {item.kind for item in verify(Root(box.root), config, box.clock, deep=True).findings}
    task.rename(box.spool.entry(Stage.DISCARD, task.name))
    assert known(box.spool) == []
