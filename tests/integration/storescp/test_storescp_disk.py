"""A disk that is full, or nearly: refused truthfully, told once, and taken again when there is room."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.account import Account, images
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import Peer, Rejected
from tests.support.disks import MIB, fill
from tests.support.polling import eventually
from tests.support.received import judge_received
from tests.support.receiver import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.disks import Filesystem
    from tests.support.fixtures import MountSmallDisk
    from tests.support.receiver import StartReceiver

PIXELS = bytes(512 * 1024)


@pytest.mark.parametrize("filesystem", ["tmpfs", "ext4"])
@pytest.mark.parametrize("durability", ["image", "none"])
def test_a_full_disk_is_answered_truthfully(
    small_disk: MountSmallDisk, filesystem: Filesystem, durability: str
) -> None:
    disk = small_disk(24, filesystem)
    with receiver(disk / "receiver", durability=durability) as full:
        kept: dict[str, bytes] = {}
        refused = 0
        with Peer(full.port) as peer:
            peer.associate()
            while refused < 3:
                sop = uid()
                data = ct_image(sop, "1.2.3", pixels=PIXELS, patient=sop)
                response = peer.store(data, sop)
                if response.status == 0:
                    kept[sop] = data
                else:
                    assert response.status == 0xA700
                    assert "space" in response.comment
                    refused += 1
            assert len(kept) > 5
            # The association is still of use when there is room again.
            oldest = next(iter(kept))
            (full.spool / "incoming" / "1.2.3" / f"{oldest}.dcm").unlink()
            del kept[oldest]
            last = uid()
            data = ct_image(last, "1.2.3", pixels=PIXELS[: 200 * 1024])
            assert peer.store(data, last).status == 0
            kept[last] = data
            peer.release()
        full.until_idle()
        assert {image.stem: data_set_of(image.read_bytes()) for image in full.images()} == kept
        assert full.parts() == []


@pytest.mark.parametrize("filesystem", ["tmpfs", "ext4"])
def test_what_is_acknowledged_while_the_disk_fills_is_there_as_its_sender_s(
    small_disk: MountSmallDisk, filesystem: Filesystem
) -> None:
    disk = small_disk(48, filesystem)
    ballast = fill(disk, leave=12 * MIB)
    account = Account()
    ct, mr = account.as_sender("CT1", source="127.0.0.2"), account.as_sender("MR1", "RESEARCH", "127.0.0.3")
    with receiver(disk / "receiver") as full:
        left = [
            (sender, sender.send(full.port, images(series, count, repeated=40_000)))
            for sender, series, count in ((ct, "1.2.1", 8), (mr, "1.2.2", 20))
        ]
        assert {(each.calling, each.answer) for each in account.sent} > {("MR1", "acknowledged"), ("MR1", "refused")}
        full.until_idle()
        judge_received(full, account)
        ballast.unlink()
        for sender, refused in left:
            sender.send_all(full.port, refused)
        full.until_idle()
        judge_received(full, account)
        assert full.parts() == []


def test_below_the_floor_objects_are_refused_and_it_is_told_once(small_disk: MountSmallDisk) -> None:
    disk = small_disk(64)
    ballast = fill(disk, leave=24 * MIB)
    with receiver(disk / "receiver", min_free_bytes=20 * MIB) as low:
        sops = [uid() for _ in range(4)]
        with Peer(low.port) as peer:
            peer.associate()
            assert peer.store(ct_image(sops[0], "1.2"), sops[0]).status == 0
            low_ballast = disk / "more"
            low_ballast.write_bytes(bytes(8 * MIB))
            for sop in sops[1:3]:
                response = peer.store(ct_image(sop, "1.2"), sop)
                assert response.status == 0xA700
                assert response.comment == "Out of space: 15 MiB free, floor 20 MiB"
            event = low.event("disk.low")
            assert event["details"]["floor_bytes"] == 20 * MIB
            assert event["details"]["free_bytes"] < 20 * MIB
            ballast.unlink()
            assert peer.store(ct_image(sops[3], "1.2"), sops[3]).status == 0
            back = low.event("disk.ok")
            assert back["details"]["free_bytes"] > 20 * MIB
            peer.release()
        assert {image.stem for image in low.images()} == {sops[0], sops[3]}
        assert len(low.events("disk.low")) == 1
        closed = low.event("association.closed")
        assert (closed["details"]["images"], closed["details"]["refused"]) == (2, 2)


def test_a_disk_without_inodes_refuses_in_time(small_disk: MountSmallDisk) -> None:
    disk = small_disk(16, "ext4")
    with receiver(disk / "receiver", min_free_bytes=1) as low:
        hoard = disk / "hoard"
        hoard.mkdir()
        number = 0
        while os.statvfs(disk).f_favail >= 1024:
            number += 1
            (hoard / str(number)).touch()
        sop = uid()
        with Peer(low.port) as peer:
            peer.associate()
            response = peer.store(ct_image(sop, "1.2"), sop)
            peer.release()
        assert response.status == 0xA700
        assert "inodes" in response.comment
        assert low.images() == []


def test_an_idle_receiver_notices_the_disk_by_itself(small_disk: MountSmallDisk) -> None:
    disk = small_disk(64)
    with receiver(disk / "receiver", min_free_bytes=20 * MIB) as low:
        assert low.events("disk.low") == []
        ballast = fill(disk, leave=10 * MIB)
        low.event("disk.low")
        ballast.unlink()
        low.event("disk.ok")


def test_a_spool_that_cannot_be_written_rejects_associations_for_now(start_receiver: StartReceiver) -> None:
    running = start_receiver()
    receiving = running.spool / "receiving"
    receiving.rename(running.spool / "away")
    with Peer(running.port) as peer, pytest.raises(Rejected, match="result 2, source 3, reason 1"):
        peer.associate()
    assert "cannot be written" in running.event("association.refused")["details"]["reason"]
    (running.spool / "away").rename(receiving)
    with Peer(running.port) as peer:
        peer.associate()
        peer.release()


def test_stages_on_two_file_systems_are_refused_at_the_start(small_disk: MountSmallDisk, tmp_path: Path) -> None:
    disk = small_disk(16)
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "incoming").symlink_to(disk)
    with pytest.raises(AssertionError, match="another file system"), receiver(tmp_path):
        pass


def test_the_disk_may_fill_while_a_large_object_arrives(small_disk: MountSmallDisk) -> None:
    disk = small_disk(32)
    with receiver(disk / "receiver") as full:
        large, good = uid(), uid()
        with Peer(full.port, timeout=60) as peer:
            peer.associate()
            data = ct_image(large, "1.2", pixels=bytes(40 * MIB))
            assert peer.store(data, large, fragment=131_000).status == 0xA700
            eventually(lambda: os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > 25 * MIB, what="room again")
            assert peer.store(ct_image(good, "1.2"), good).status == 0
            peer.release()
        assert [image.stem for image in full.images()] == [good]
