"""The router as a whole, turned by hand: what it takes, what it makes good, and that one bad series stops no other."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mercure.routing.execute_plan import Executor
from mercure.spool import Claim, Stage, image_files, load_task, read_tags, save_task
from tests.support.incoming import Image, make_images
from tests.support.router_desk import dicom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.router_desk import RouterDesk

DAY = 86400.0


def test_a_series_becomes_a_task_that_tells_all_that_is_known(desk: RouterDesk) -> None:
    with desk.box.associate("CT1") as first, desk.box.associate("CT1") as second:
        for number, association in ((1, first), (2, second), (3, first)):
            association.store(make_images(1, first=number, PatientName="Doe^Jane", SeriesDescription="Axial")[0])
            desk.clock.advance(1)
    desk.turn()
    desk.turn(6)
    task = load_task(desk.only(Stage.OUTGOING))
    assert (task.target, task.images, task.priority, task.late) == ("pacs", 3, "normal", False)
    assert (task.identity.PatientName, task.identity.SeriesInstanceUID) == ("Doe^Jane", "1.2.3")
    assert (task.origin.calling_aet, task.origin.called_aet, task.origin.address) == ("CT1", "MERCURE", "127.0.0.1")
    assert set(task.origin.associations) == {first.id, second.id}
    assert task.origin.first_received is not None
    assert task.origin.last_received is not None
    assert (task.origin.last_received - task.origin.first_received).total_seconds() == 2
    assert task.rules[0].rule == "all"
    (completed,) = desk.box.events("series.completed")
    assert completed.details["reason"] == "released"
    assert [image["file"] for image in completed.details["images"]] == [f"1.2.3.{n}.dcm" for n in (1, 2, 3)]
    assert all(image["image"] for image in completed.details["images"])


@pytest.mark.parametrize("content", [[], ["20260101T000000000000-00000001.jsonl"], ["notes.txt"]])
def test_a_folder_without_images_goes_without_a_word(desk: RouterDesk, content: list[str]) -> None:
    """Lesson 26. A receiver died between making the folder and its first image."""
    folder = desk.spool.entry(Stage.INCOMING, "1.2.3")
    folder.mkdir()
    for name in content:
        (folder / name).write_bytes(b"{}\n")
    before = len(desk.box.events())
    for _ in range(10):
        desk.turn(60)
    assert not folder.exists()
    assert len(desk.box.events()) == before
    assert [path for path in desk.spool.stage(Stage.INCOMING).iterdir()] == []


@pytest.mark.parametrize(
    "name", ["1.2.3", "x" + "0" * 40, "none-20260101T000000000000-00000001", "incoming", "x;rm -rf"]
)
def test_any_name_of_a_series_folder_is_only_a_name(desk: RouterDesk, name: str) -> None:
    """Lessons 9 and 31."""
    folder = desk.spool.entry(Stage.INCOMING, name)
    folder.mkdir()
    (folder / "1.dcm").write_bytes(b"image")
    desk.turn()
    desk.turn(61)
    assert [image.name for image in image_files(desk.only(Stage.OUTGOING))] == ["1.dcm"]


@pytest.mark.parametrize("loss", ["all lines", "a torn line", "the file", "a foreign line"])
def test_tag_lines_that_a_crash_lost_are_made_again(desk: RouterDesk, loss: str) -> None:
    """Lesson 8."""
    images = dicom(3, PatientID="P9", SeriesInstanceUID="1.2.3")
    desk.box.receive(images)
    folder = desk.spool.entry(Stage.INCOMING, "1.2.3")
    (path,) = folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    if loss == "all lines":
        path.write_bytes(b"")
    elif loss == "a torn line":
        path.write_bytes(b"".join(lines[:2]) + lines[2][:40])
    elif loss == "the file":
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:2]) + lines[2].replace(images[2].name.encode(), b"other.dcm"))
    desk.turn()
    desk.turn(61)
    records = {record["FileName"]: record for path in desk.box.tasks(Stage.OUTGOING) for record in read_tags(path)}
    assert set(records) == {image.name for image in images}
    assert records[images[2].name]["PatientID"] == "P9"
    assert records[images[2].name]["SOPInstanceUID"] == images[2].sop
    assert records[images[2].name]["ReceivedAt"].endswith("Z")


def test_an_image_whose_header_cannot_be_read_any_more_is_routed_all_the_same(desk: RouterDesk) -> None:
    desk.box.receive(make_images(2))  # no DICOM at all
    for path in desk.spool.entry(Stage.INCOMING, "1.2.3").glob("*.jsonl"):
        path.unlink()
    desk.turn()
    desk.turn(61)
    directory = desk.only(Stage.OUTGOING)
    assert load_task(directory).images == 2
    assert all(record["DecodingProblems"] for record in read_tags(directory))


def test_other_content_under_the_same_uid_is_routed_too(desk: RouterDesk) -> None:
    """Lesson 38."""
    (image,) = make_images(1)
    other = Image(image.sop, image.series, b"other", image.tags)
    desk.box.receive([image, other, image])
    desk.turn()
    desk.turn(6)
    assert [item.name for item in image_files(desk.only(Stage.OUTGOING))] == ["1.2.3.1.dcm", "1.2.3.1~2.dcm"]


def test_a_late_image_is_marked_and_names_what_came_before(desk: RouterDesk) -> None:
    desk.send(make_images(2))
    desk.turn(6)
    desk.send(make_images(1, first=3))
    desk.turn(6)
    tasks = desk.tasks(Stage.OUTGOING)
    assert sorted((task.images, task.late) for task in tasks) == [(1, True), (2, False)]
    first, second = desk.box.events("series.completed")
    assert (first.details["late"], first.details["earlier"]) == (False, [])
    assert (second.details["late"], second.details["earlier"]) == (True, [first.task])


def test_a_month_later_the_same_series_is_new(desk: RouterDesk) -> None:
    desk.send(make_images(1))
    desk.turn(6)
    (hint,) = (desk.spool.stage(Stage.STATE) / "seen").iterdir()
    hint.write_bytes(b"{ torn")
    desk.send(make_images(1, first=2))
    desk.turn(6)
    assert [task.late for task in desk.tasks(Stage.OUTGOING)] == [False, False]


def test_new_rules_hold_for_the_next_series_without_a_restart(desk: RouterDesk) -> None:
    desk.send(make_images(1, series="1.1"))
    desk.turn(6)
    desk.configure({"all": {"rule": "True", "targets": ["research"], "priority": "urgent"}})
    desk.send(make_images(1, series="1.2"))
    desk.turn(6)
    assert [(task.target, task.priority) for task in desk.tasks(Stage.OUTGOING)] == [
        ("pacs", "normal"),
        ("research", "urgent"),
    ]


def test_what_was_decided_stands_after_a_crash_even_when_the_rules_have_changed(
    desk: RouterDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the tasks may exist already."""
    desk.send(make_images(1))
    with monkeypatch.context() as patch:
        patch.setattr(Executor, "carry_out", failing(OSError(errno.EIO, "crash")))
        desk.turn(6)
    desk.configure({"all": {"rule": "True", "targets": ["research"]}})
    desk.restart()
    desk.turn(10)
    assert [task.target for task in desk.tasks(Stage.OUTGOING)] == ["pacs"]


def failing(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> Any:
        raise error

    return raise_it


def test_what_another_router_has_in_hand_is_left_to_it(desk: RouterDesk) -> None:
    directory = desk.spool.entry(Stage.ROUTING, "20260101T000000000000-00000001")
    directory.mkdir()
    (directory / "1.dcm").write_bytes(b"x")
    with Claim.take(directory) or pytest.fail("not claimed"):
        desk.turn(60)
        desk.turn(60)
        assert desk.box.events("spool.recovered") == []
    desk.turn(60)
    assert len(desk.box.events("spool.recovered")) == 1
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1


def test_a_task_put_back_by_a_person_is_decided_anew(desk: RouterDesk) -> None:
    desk.configure({"bad": {"rule": "number(tags.PatientID) > 3", "targets": ["pacs"]}})
    desk.send(make_images(1))
    desk.turn(6)
    directory = desk.only(Stage.ERROR)
    desk.configure({"all": {"rule": "True", "targets": ["pacs"]}})
    save_task(directory, load_task(directory).for_retry())
    directory.rename(desk.spool.entry(Stage.ROUTING, directory.name))
    desk.turn(1)
    task = load_task(desk.only(Stage.OUTGOING))
    assert (task.failure, task.target, task.images) == (None, "pacs", 1)


@pytest.mark.parametrize(
    ("held", "age", "stays"), [(False, 301.0, False), (False, 290.0, True), (True, 86400.0, True), (False, -DAY, True)]
)
def test_what_a_dead_receiver_left_is_cleared_and_what_a_living_one_has_is_not(
    desk: RouterDesk, held: bool, age: float, stays: bool
) -> None:
    desk.box.live_through(DAY)
    association = desk.box.associate()
    (association.folder / "000001.part").write_bytes(b"half")
    if not held:
        association.die()
    moment = desk.clock.now().timestamp() - age
    os.utime(association.folder, (moment, moment))
    desk.turn()
    assert association.folder.exists() == stays
    association.die()


def test_a_stop_is_heeded_between_two_series(desk: RouterDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for series in range(5):
        desk.send(make_images(1, series=f"1.{series}"))
    real = Executor.carry_out

    def stop_after(self: Any, *arguments: Any) -> None:
        real(self, *arguments)
        desk.context.stop.set()

    monkeypatch.setattr(Executor, "carry_out", stop_after)
    desk.turn(61)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1
    assert len(desk.box.tasks(Stage.INCOMING)) == 4
    desk.router.end()


def test_the_wait_is_never_longer_than_a_scan_and_never_negative(desk: RouterDesk) -> None:
    assert 0 < desk.turn() <= 30
    with desk.box.associate() as association:
        association.store(make_images(1)[0])
        assert 0 < desk.turn() <= 30
    assert 0 < desk.turn() <= 5


def test_it_watches_where_something_may_come(desk: RouterDesk) -> None:
    assert {path.name for path in desk.router.watched()} >= {"incoming", "receiving", "routing"}


def test_tags_that_the_history_is_to_keep_are_told_once(desk: RouterDesk) -> None:
    wanted = ["Manufacturer", "SliceThickness", "ContrastBolusAgent"]
    desk.configure({"all": {"rule": "True", "targets": ["pacs"]}}, history={"tags": wanted})
    desk.box.receive(make_images(2, Manufacturer="ACME", SliceThickness=["1", "2"], ContrastBolusAgent=""))
    for _ in range(3):
        desk.turn(60)
    (told,) = desk.box.events("series.tags")
    assert told.details["tags"] == {"Manufacturer": ["ACME"], "SliceThickness": ["1", "2"]}
    assert (told.series, told.task) == ("1.2.3", desk.box.events("series.completed")[0].task)


def test_without_such_tags_nothing_is_told_of_them(desk: RouterDesk) -> None:
    desk.box.receive(make_images(1, Manufacturer="ACME"))
    for _ in range(3):
        desk.turn(60)
    assert desk.box.events("series.completed")
    assert desk.box.events("series.tags") == []
