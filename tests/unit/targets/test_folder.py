"""The folder target: whole files under names nobody else chose, and errors that blame the right one."""

from __future__ import annotations

import errno
import json
import os
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mercure import durable
from mercure.dicom.receipt import read_receipt
from mercure.spool import load_task
from mercure.targets import DeliveryJob, FolderSettings, ImageResult, Trouble, open_target
from mercure.targets.folder import FolderTarget
from tests.support.faults import Crash, Steps, at_each_step, crash_at
from tests.support.receipts import flip, received_file, spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.box import Box


class Delivery:
    """Delivers tasks of a box to its folder."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.results: list[ImageResult] = []
        self.stopping: Callable[[], bool] = lambda: False

    def target(self, **settings: Any) -> FolderTarget:
        return FolderTarget(FolderSettings.model_validate({"kind": "folder", "path": self.box.delivered, **settings}))

    def deliver(self, task: Path, *, seconds: float = 60.0, **settings: Any) -> Trouble | None:
        files = sorted(path.name for path in task.glob("*.dcm"))
        job = DeliveryJob(task, files, load_task(task), seconds, self.results.append, self.stopping)
        return self.target(**settings).deliver(job)

    def delivered(self) -> dict[str, bytes]:
        folder = self.box.delivered
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def outcomes(self) -> list[str]:
        return [result.outcome for result in self.results]


@pytest.fixture
def delivery(box: Box) -> Delivery:
    return Delivery(box)


@pytest.mark.parametrize(("layout", "folder"), [("study/series", "1.2/1.2.3/"), ("series", "1.2.3/"), ("flat", "")])
def test_images_are_copied_bit_by_bit_into_the_layout(box: Box, delivery: Delivery, layout: str, folder: str) -> None:
    task = box.waiting_task(2)
    assert delivery.deliver(task, layout=layout) is None
    assert delivery.delivered() == {f"{folder}1.2.3.{n}.dcm": (task / f"1.2.3.{n}.dcm").read_bytes() for n in (1, 2)}
    assert [(result.sop, result.status) for result in delivery.results] == [
        ("1.2.3.1", "0x0000"),
        ("1.2.3.2", "0x0000"),
    ]
    assert all((task / f"1.2.3.{n}.dcm").stat().st_nlink == 1 for n in (1, 2))


@pytest.mark.parametrize("uid", ["../../../escape", "/etc", "..", "", ".", "a\0b", "x" * 300])
def test_no_uid_leads_out_of_the_folder(box: Box, delivery: Delivery, uid: str) -> None:
    """Lesson 31."""
    task = box.waiting_task(1)
    lines = (task / "tags.jsonl").read_text(encoding="utf-8").replace('"1.2"', json.dumps(uid))
    (task / "tags.jsonl").write_text(lines, encoding="utf-8")
    before = sorted(path for path in box.root.rglob("*") if not path.is_relative_to(box.delivered))
    assert delivery.deliver(task) is None
    assert sorted(path for path in box.root.rglob("*") if not path.is_relative_to(box.delivered)) == before
    (name,) = delivery.delivered()
    assert name.count("/") == 2
    assert name.split("/")[0].startswith("x" if uid else "no-StudyInstanceUID")


def test_without_tag_lines_the_images_arrive_all_the_same(box: Box, delivery: Delivery) -> None:
    task = box.waiting_task(1, tags=False)
    assert delivery.deliver(task) is None
    assert list(delivery.delivered()) == ["no-StudyInstanceUID/no-SeriesInstanceUID/1.2.3.1.dcm"]


def test_the_same_again_is_one_file_and_other_content_is_kept_beside_it(box: Box, delivery: Delivery) -> None:
    """Lesson 38."""
    task = box.waiting_task(1)
    for _ in range(2):
        assert delivery.deliver(task, layout="flat") is None
    (task / "1.2.3.1.dcm").write_bytes(b"other")
    for _ in range(2):
        assert delivery.deliver(task, layout="flat") is None
    (task / "1.2.3.1.dcm").write_bytes(b"third")
    assert delivery.deliver(task, layout="flat") is None
    assert set(delivery.delivered()) == {"1.2.3.1.dcm", "1.2.3.1~2.dcm", "1.2.3.1~3.dcm"}
    assert delivery.delivered()["1.2.3.1~2.dcm"] == b"other"


def test_replacing_is_by_choice_and_whole(box: Box, delivery: Delivery) -> None:
    task = box.waiting_task(1)
    delivery.deliver(task, layout="flat", existing="replace")
    (task / "1.2.3.1.dcm").write_bytes(b"other")
    assert delivery.deliver(task, layout="flat", existing="replace") is None
    assert delivery.delivered() == {"1.2.3.1.dcm": b"other"}


def test_of_several_versions_in_one_task_the_last_replaces_the_others(box: Box, delivery: Delivery) -> None:
    task = box.waiting_task(1)
    (task / "1.2.3.1~2.dcm").write_bytes(b"corrected")
    (task / "9.9~2.dcm").write_bytes(b"of another folder")
    delivery.deliver(task, layout="flat", existing="replace")
    assert delivery.delivered() == {"1.2.3.1.dcm": b"corrected", "9.9~2.dcm": b"of another folder"}


def test_versions_are_kept_beside_each_other_in_the_order_received(box: Box, delivery: Delivery) -> None:
    """Also beside one that was there before, under a name of the same row."""
    for name in ("1.2.3.1.dcm", "1.2.3.1~2.dcm"):
        task = box.waiting_task(1)
        (task / "1.2.3.1.dcm").rename(task / name)
        (task / name).write_bytes(name.encode())
        for _ in range(2):
            assert delivery.deliver(task, layout="flat") is None
    assert set(delivery.delivered()) == {"1.2.3.1.dcm", "1.2.3.1~2.dcm"}
    task = box.waiting_task(1)
    (task / "1.2.3.1.dcm").write_bytes(b"third")
    (task / "1.2.3.1~2.dcm").write_bytes(b"fourth")
    for _ in range(2):
        assert delivery.deliver(task, layout="flat") is None
    assert [delivery.delivered()[f"1.2.3.1~{number}.dcm"] for number in (3, 4)] == [b"third", b"fourth"]
    assert len(delivery.delivered()) == 4


def test_an_older_version_that_comes_again_is_the_last_one(box: Box, delivery: Delivery) -> None:
    """Also where its task holds the correction, too; and once only, however often the task is delivered."""
    task = box.waiting_task(1)
    for name, data in (("1.2.3.1.dcm", b"wrong"), ("1.2.3.1~2.dcm", b"right"), ("1.2.3.1~3.dcm", b"wrong")):
        (task / name).write_bytes(data)
    for _ in range(2):
        assert delivery.deliver(task, layout="flat") is None
    again = box.waiting_task(1)
    (again / "1.2.3.1.dcm").write_bytes(b"right")
    assert delivery.deliver(again, layout="flat") is None
    kept = [delivery.delivered()[name] for name in ("1.2.3.1.dcm", *(f"1.2.3.1~{number}.dcm" for number in (2, 3, 4)))]
    assert kept == [b"wrong", b"right", b"wrong", b"right"]
    assert len(delivery.delivered()) == 4


def test_two_deliveries_of_one_name_at_the_same_moment_lose_nothing(box: Box, delivery: Delivery) -> None:
    """Both look, see that the name is free, and copy; each confirms its own content."""
    first, second = box.waiting_task(1), box.waiting_task(1)
    (second / "1.2.3.1.dcm").write_bytes(b"other")
    other = Delivery(box)
    nested: list[str] = []

    def come_between(_number: int, operation: str, path: str) -> None:
        if operation == "rename" and path.endswith("1.2.3.1.dcm") and not nested:
            nested.append(path)
            assert other.deliver(second, layout="flat") is None

    with at_each_step(come_between):
        assert delivery.deliver(first, layout="flat") is None
    assert nested
    assert sorted(delivery.delivered().values()) == sorted([b"other", (first / "1.2.3.1.dcm").read_bytes()])


@pytest.mark.parametrize("state", ["missing", "a file", "not writable"])
def test_a_folder_that_cannot_be_used_is_unreachable_and_never_made(
    box: Box, delivery: Delivery, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty mount point must not fill the wrong disk."""
    task = box.waiting_task(1)
    if state == "not writable":
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    else:
        box.delivered.rmdir()
    if state == "a file":
        box.delivered.write_bytes(b"")
    trouble = delivery.deliver(task)
    assert trouble is not None
    assert trouble.kind == "unreachable"
    assert str(box.delivered) in trouble.text
    check = delivery.target().check()
    assert (check.ok, check.text) == (False, trouble.text)
    assert not (box.delivered / "1.2").exists()


def test_check_says_that_all_is_well(delivery: Delivery) -> None:
    assert delivery.target().check().ok


@pytest.mark.parametrize("error", ["ENOSPC", "EROFS", "EIO", "EDQUOT", "ESTALE"])
def test_what_concerns_the_whole_folder_ends_the_attempt(box: Box, delivery: Delivery, error: str) -> None:
    task = box.waiting_task(3)
    with failing_in(box.delivered, error, "1.2.3.2.dcm"):
        trouble = delivery.deliver(task)
    assert trouble is not None
    assert trouble.kind == ("unable" if error in ("ENOSPC", "EDQUOT") else "unreachable")
    assert delivery.outcomes() == ["confirmed"]
    assert [name for name in delivery.delivered() if not name.endswith("1.2.3.1.dcm")] == []


@pytest.mark.parametrize("error", ["EACCES", "ENAMETOOLONG", "EFBIG"])
def test_what_concerns_one_image_is_no_outage(box: Box, delivery: Delivery, error: str) -> None:
    task = box.waiting_task(3)
    with failing_in(box.delivered, error, "1.2.3.2.dcm"):
        trouble = delivery.deliver(task)
    assert trouble is not None
    assert trouble.kind == "refused"
    assert delivery.outcomes() == ["confirmed", "failed", "confirmed"]


def test_something_in_the_way_of_a_series_is_no_outage(box: Box, delivery: Delivery) -> None:
    (box.delivered / "1.2").write_bytes(b"in the way")
    trouble = delivery.deliver(box.waiting_task(1))
    assert trouble is not None
    assert trouble.kind == "refused"


def test_an_image_that_our_own_disk_cannot_read_blames_the_task_and_not_the_target(
    box: Box, delivery: Delivery
) -> None:
    """One bad block in the spool must not take a target down for everybody."""
    task = box.waiting_task(2)
    (task / "1.2.3.1.dcm").unlink()
    (task / "1.2.3.1.dcm").mkdir()  # opens, and then fails to be read (EISDIR)
    trouble = delivery.deliver(task)
    assert trouble is not None
    assert trouble.kind == "local"
    assert "spool" in trouble.text
    assert delivery.outcomes() == ["failed", "confirmed"]


@pytest.mark.parametrize("existing", ["keep-both", "replace"])
@pytest.mark.parametrize("damage", ["pixel", "transfer syntax", "cut off", "digest", "sector of zeros", "empty"])
def test_an_image_that_is_altered_on_our_disk_is_never_delivered(
    box: Box, delivery: Delivery, damage: str, existing: str
) -> None:
    task = box.waiting_task(2)
    bad, good = task / "1.2.3.1.dcm", task / "1.2.3.2.dcm"
    for path in (bad, good):
        path.write_bytes(received_file())
    receipt = read_receipt(bad)
    assert receipt is not None
    lines = [
        {"FileName": path.name, "SOPInstanceUID": path.stem, "DataSetDigest": receipt.digest} for path in (bad, good)
    ]
    (task / "tags.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    spoil(bad, damage)
    assert delivery.deliver(task, layout="flat", existing=existing) is None
    first, second = delivery.results
    assert (first.file, first.outcome, first.is_altered, first.sop) == (bad.name, "failed", True, "1.2.3.1")
    assert first.comment
    assert (second.outcome, second.is_altered) == ("confirmed", False)
    assert list(delivery.delivered()) == [good.name]
    assert b"192.0.2.7" not in delivery.delivered()[good.name]


def test_what_an_older_release_delivered_altered_is_not_confirmed_for_being_there(box: Box, delivery: Delivery) -> None:
    task = box.waiting_task(1)
    (task / "1.2.3.1.dcm").write_bytes(received_file())
    flip(task / "1.2.3.1.dcm", -10)
    (box.delivered / "1.2.3.1.dcm").write_bytes((task / "1.2.3.1.dcm").read_bytes())
    delivery.deliver(task, layout="flat")
    assert delivery.results[0].is_altered


def failing_in(folder: Path, error: str, name: str) -> AbstractContextManager[Steps]:
    def act(_number: int, operation: str, path: str) -> None:
        if operation == "write" and path.startswith(str(folder)) and path.endswith(name):
            raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)), path)

    return at_each_step(act)


def test_a_time_limit_ends_the_attempt_between_two_images(box: Box, delivery: Delivery) -> None:
    trouble = delivery.deliver(box.waiting_task(2), seconds=-1)
    assert trouble is not None
    assert trouble.kind == "timeout"


def test_a_stop_leaves_the_rest(box: Box, delivery: Delivery) -> None:
    delivery.stopping = lambda: bool(delivery.results)
    assert delivery.deliver(box.waiting_task(3)) is None
    assert delivery.outcomes() == ["confirmed"]


def test_at_any_crash_what_is_there_is_whole_and_a_second_try_leaves_no_litter(box: Box, delivery: Delivery) -> None:
    for number in range(1, 100):
        task = box.waiting_task(2)
        data = {path.name: path.read_bytes() for path in task.glob("*.dcm")}
        target = box.delivered / str(number)
        target.mkdir()
        with crash_like_a_kill(number) as ended:
            delivery.deliver(task, path=target)
            ended.append(True)
        for path in target.rglob("*.dcm"):
            assert path.name.startswith(".") or path.read_bytes() == data[path.name]
        assert delivery.deliver(task, path=target) is None
        assert {path.name: path.read_bytes() for path in target.rglob("*") if path.is_file()} == data
        if ended:
            return
    pytest.fail("two images took 99 steps")


@contextmanager
def crash_like_a_kill(number: int) -> Iterator[list[bool]]:
    """Crash at a step and leave the temporary file behind, which a handler would have removed."""
    real = os.unlink
    ended: list[bool] = []
    with pytest.MonkeyPatch.context() as patch, suppress(Crash), crash_at(number) as steps:
        patch.setattr(os, "unlink", lambda path: None if len(steps) >= number else real(path))
        yield ended


@pytest.mark.parametrize("path", ["relative", "", "."])
def test_a_path_is_absolute(path: str) -> None:
    with pytest.raises(ValidationError, match="absolute"):
        FolderSettings.model_validate({"kind": "folder", "path": path})


def test_the_registry_opens_it(box: Box) -> None:
    settings = FolderSettings.model_validate({"kind": "folder", "path": box.delivered})
    assert isinstance(open_target(settings), FolderTarget)


def test_a_copy_by_its_owner_clears_what_its_last_try_left(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"data")
    (tmp_path / ".d.me.tmp").write_bytes(b"torn")
    (tmp_path / ".d.other.tmp").write_bytes(b"somebody else is at it")
    durable.copy_file(tmp_path / "s", tmp_path / "d", owner="me")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".d.other.tmp", "d", "s"]
