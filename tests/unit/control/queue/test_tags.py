"""Tags of an image: of a series that arrives, of a task wherever it is, and after its images are removed."""

from __future__ import annotations

import shutil

import pytest

from appliance.control.api.queue import ReadTags
from appliance.control.errors import ControlError
from appliance.control.queue.tags import tags
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.spool import Stage
from mercure.spool.images import json_line
from tests.support.control_session import record
from tests.support.history import Told, lines
from tests.support.incoming import Association, make_images
from tests.support.tasks import NOW, PutTask

EXAM = Told(number=1, images=3)


def describe(session: Session, stage: Stage, task: str, images: int = 2) -> None:
    """Write the tag lines of a task, in another order than that of the names."""
    records = [
        {"FileName": f"1.2.3.{number}.dcm", "SOPInstanceUID": f"1.2.3.{number}", "SeriesInstanceUID": "1.2.3",
         "InstanceNumber": str(number), "ImageType": ["ORIGINAL", "PRIMARY"]}
        for number in reversed(range(images))
    ]  # fmt: skip
    (session.spool.entry(stage, task) / "tags.jsonl").write_bytes(b"".join(map(json_line, records)))


@pytest.mark.parametrize("stage", [Stage.OUTGOING, Stage.ERROR, Stage.SUCCESS, Stage.DISCARD])
def test_of_a_task_image_by_image_in_the_order_received(session: Session, put_task: PutTask, stage: Stage) -> None:
    task = put_task(stage)
    describe(session, stage, task.id)
    first, second, last = (tags(session, ReadTags(task=task.id[-8:], image=number)) for number in (0, 1, 99))
    assert (first.task, first.image, first.number, first.images) == (task.id, "1.2.3.1.dcm", 0, 2)
    assert first.tags["ImageType"] == ["ORIGINAL", "PRIMARY"]
    assert second.tags["InstanceNumber"] == "0"
    assert second == last


def test_of_a_series_that_still_arrives(session: Session) -> None:
    association = Association(session.spool, ManualClock(NOW))
    for image in make_images(3, PatientName="Weaver^Ann"):
        association.store(image)
    found = tags(session, ReadTags(series="1.2.3", image=2))
    assert (found.task, found.number, found.images) == ("1.2.3", 2, 3)
    assert (found.tags["PatientName"], found.tags["SenderAET"]) == ("Weaver^Ann", "SCANNER")
    association.close()


def test_of_a_delivered_series_and_of_one_whose_images_are_removed(session: Session, put_task: PutTask) -> None:
    outbox = session.spool.stage(Stage.OUTBOX)
    (outbox / "router-20261121T000000000000-00000001.jsonl").write_bytes(lines(EXAM.all()))
    record(session)
    task = put_task(Stage.SUCCESS, id=EXAM.derived("archive"), target="archive")
    describe(session, Stage.SUCCESS, task.id)
    assert tags(session, ReadTags(series=EXAM.uid)).task == task.id
    kept = session.spool.stage(Stage.STATE) / "records" / f"{EXAM.task}.jsonl"
    kept.parent.mkdir()
    shutil.move(session.spool.entry(Stage.SUCCESS, task.id) / "tags.jsonl", kept)
    shutil.rmtree(session.spool.entry(Stage.SUCCESS, task.id))
    assert tags(session, ReadTags(series=EXAM.uid)).task == EXAM.task
    kept.unlink()
    with pytest.raises(ControlError, match=r"the tags of series .* are not known here"):
        tags(session, ReadTags(series=EXAM.uid))


def test_of_one_series_of_a_task_that_holds_a_whole_study(session: Session, put_task: PutTask) -> None:
    outbox = session.spool.stage(Stage.OUTBOX)
    (outbox / "router-20261121T000000000000-00000001.jsonl").write_bytes(lines(EXAM.all()))
    record(session)
    task = put_task(Stage.SUCCESS, id=EXAM.derived("archive"), images=3)
    records = [
        {"FileName": f"1.2.3.{number}.dcm", "SeriesInstanceUID": series}
        for number, series in enumerate(("1.2.9", EXAM.uid, "1.2.9"))
    ]
    path = session.spool.entry(Stage.SUCCESS, task.id) / "tags.jsonl"
    path.write_bytes(b"".join(map(json_line, records)))
    found = tags(session, ReadTags(series=EXAM.uid))
    assert (found.image, found.images) == ("1.2.3.1.dcm", 1)


def test_what_is_not_there_is_said(session: Session, put_task: PutTask) -> None:
    task = put_task(Stage.OUTGOING)
    with pytest.raises(ControlError, match=r"the tags of task .* are not known here"):
        tags(session, ReadTags(task=task.id))
    with pytest.raises(ControlError, match="there is no task"):
        tags(session, ReadTags(task="20261121T120000000000-00000000"))
    for wanted in (ReadTags(), ReadTags(task=task.id, series="1.2.3")):
        with pytest.raises(ControlError, match="give either"):
            tags(session, wanted)


@pytest.mark.parametrize("series", ["../../etc", "..", "a/b", "\x00"])
def test_a_series_names_no_other_folder(session: Session, series: str) -> None:
    with pytest.raises(ControlError):
        tags(session, ReadTags(series=series))
