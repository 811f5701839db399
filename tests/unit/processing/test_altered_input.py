"""No module is given an image that is not what was received, or what its header tells of the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.spool import Claim, Stage, load_task, move, save_task
from mercure.spool.altered_images import AlteredBook
from tests.support.modules import COPY, configure, ended, process, process_all, put_task, script
from tests.support.receipts import ORIGIN, receive_again, spoil

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box


def received_task(box: Box, count: int = 2) -> Path:
    task = put_task(box, "copy", count=count)
    receive_again(task)
    return task


@pytest.mark.parametrize("damage", ["pixel", "transfer syntax", "cut off", "digest", "sector of zeros"])
def test_the_module_is_not_run_and_a_person_hears_of_it(box: Box, damage: str) -> None:
    ran = box.root / "ran"
    configure(box, {"copy": script(f'touch "{ran}"; {COPY}')})
    task = received_task(box)
    bad = sorted(task.glob("*.dcm"))[1]
    spoil(bad, damage)
    process(box, lambda: box.tasks(Stage.ERROR))
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert bad.name in model.failure.reason
    assert "sent again from the scanner" in model.failure.advice
    assert not ran.exists()
    assert not list(box.spool.entry(stage, task.name).glob("run-*"))
    (told,) = box.events("image.altered")
    assert told.details["found_by"] == "processing"
    (known,) = AlteredBook(box.spool).images()
    assert known.path == f"error/{task.name}/{bad.name}"


def test_a_retry_reads_the_copy_once_more(box: Box) -> None:
    configure(box, {"copy": script(COPY)})
    task = received_task(box)
    bad = sorted(task.glob("*.dcm"))[0]
    content = bad.read_bytes()
    spoil(bad, "pixel")
    process(box, lambda: box.tasks(Stage.ERROR))
    failed = box.spool.entry(Stage.ERROR, task.name)
    (failed / bad.name).write_bytes(content)
    save_task(failed, load_task(failed).for_retry())
    with Claim.take(failed) as claim:  # type: ignore[union-attr]
        move(box.spool, claim, Stage.PROCESSING)
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS


def test_what_is_private_does_not_reach_the_module_or_what_it_writes(box: Box) -> None:
    secrets = " ".join(f"-e {ORIGIN[key]}" for key in ("address", "image", "association"))
    look = f'if grep -q -r -a -F {secrets} "$MERCURE_IN_DIR"; then exit 9; fi; {COPY}'
    configure(box, {"copy": script(look)})
    task = received_task(box, 3)
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.failure) == (Stage.SUCCESS, None)
    (result,) = box.tasks(Stage.OUTGOING)
    assert all(ORIGIN["address"].encode() not in path.read_bytes() for path in result.glob("*.dcm"))
    assert ORIGIN["address"].encode() in next(box.spool.entry(stage, task.name).glob("*.dcm")).read_bytes()
