"""A spool on a disk that is really full: nothing is lost, nobody dies, and all goes on when there is room."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mercure.services.cleaner import Cleaner
from mercure.spool import Stage, load_task, save_task
from tests.support.box import Box, turn
from tests.support.disks import Filesystem, fill
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from tests.support.fixtures import MountSmallDisk

MIB = 1024 * 1024
FILESYSTEMS: list[Filesystem] = ["tmpfs", "ext4"]
TWO = {"a": {"kind": "folder", "path": "/a"}, "b": {"kind": "folder", "path": "/b"}}


@pytest.mark.parametrize("filesystem", FILESYSTEMS)
def test_routing_waits_for_room_and_loses_nothing(small_disk: MountSmallDisk, filesystem: Filesystem) -> None:
    disk = small_disk(16, filesystem)
    box = Box(disk / "root")
    box.configure(targets=TWO, rules={"all": {"rule": "True", "targets": ["a", "b"]}})
    images = [image for number in range(5) for image in make_images(3, series=f"1.{number}")]
    box.receive(images)
    router = box.router()
    turn(router)
    ballast = fill(disk)
    for _ in range(5):
        box.clock.advance(30)
        turn(router)
        assert all(image.data in box.places() for image in images)
    assert box.tasks(Stage.ERROR) == []
    ballast.unlink()
    for _ in range(3):
        box.clock.advance(30)
        turn(router)
    assert {image.name: dict(box.places()[image.data]) for image in images} == {
        image.name: {Stage.OUTGOING: 2} for image in images
    }
    assert len(box.events("series.completed")) == 5
    box.close()


@pytest.mark.parametrize("filesystem", FILESYSTEMS)
def test_the_cleaner_makes_room_on_a_disk_without_a_byte_left(
    small_disk: MountSmallDisk, filesystem: Filesystem
) -> None:
    """What is removed must be told of before, and that takes room too."""
    disk = small_disk(24, filesystem)
    box = Box(disk / "root")
    box.configure(retention={"pressure_free_bytes": 4 * MIB})
    known = {}
    for number in range(4):
        directory = box.waiting_task(1, series=f"1.{number}")
        (directory / f"1.{number}.1.dcm").write_bytes(bytes(2 * MIB))
        finished = box.clock.now() - timedelta(hours=4 - number)
        save_task(directory, load_task(directory).model_copy(update={"finished": finished}))
        directory.rename(box.spool.entry(Stage.SUCCESS, directory.name))
        known[directory.name] = "delivered"
    waiting = box.waiting_task(1, series="1.9")
    cleaner = Cleaner(box.context("cleaner"), states=lambda _tasks: known)
    turn(cleaner)
    assert len(box.tasks(Stage.SUCCESS)) == 4
    box.close()
    fill(disk)
    cleaner = Cleaner(box.context("cleaner"), states=lambda _tasks: known)  # begun anew, it has no file to write to yet
    for _ in range(3):
        turn(cleaner)
        box.clock.advance(60)
    left = [path.name for path in box.tasks(Stage.SUCCESS)]
    assert 1 <= len(left) <= 2
    assert left == sorted(known)[-len(left) :]
    assert waiting.exists()
    assert len(box.events("task.retired")) == 4 - len(left)
    assert len(box.events("disk.low", "disk.ok")) >= 1
    box.close()
