"""The disk ends between the rename of an image and the sync of its folder: that is no Success."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from tests.support.cuttable_disk import CuttableDisk
from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer, PeerError
from tests.support.polling import eventually
from tests.support.procfs import is_stopped
from tests.support.receiver import receiver

if TYPE_CHECKING:
    from pathlib import Path


def last_sync(folder: Path) -> int:
    """Return the number of the step that makes the name of the first image durable."""
    log = folder / "steps.log"
    with receiver(folder / "counted", env={"MERCURE_STEP_LOG": str(log)}) as counted, Peer(counted.port) as peer:
        peer.associate()
        sop = uid()
        assert peer.store(ct_image(sop, "1.2.3"), sop).status == 0
        peer.release()
    steps = [line.split(" ", 3) for line in log.read_text().splitlines()]
    return max(int(number) for _, number, operation, path in steps if operation == "fsyncdir" and "1.2.3" in path)


def test_what_is_missing_of_an_image_is_told_when_it_comes_again(tmp_path: Path) -> None:
    """It got its name, but no Success: nobody was told, and the second time it is a repetition."""
    sop = uid()
    short = ct_image(sop, "1.2.3")[:-2]
    fault = f"EIO@{last_sync(tmp_path)}"
    with receiver(tmp_path / "faulty", env={"MERCURE_FAULT": fault}) as faulty, Peer(faulty.port) as peer:
        peer.associate()
        assert [peer.store(short, sop).status for _ in range(2)] == [0x0110, 0]
        peer.release()
        assert faulty.event("image.received")["details"]["repetition"] is True
        details = faulty.event("image.truncated")["details"]
    assert details["sop"] == sop
    assert details["reason"].startswith("the data set breaks off within the pixel data")


def test_a_name_that_the_disk_forgot_is_not_acknowledged(cuttable_disk: CuttableDisk, tmp_path: Path) -> None:
    """XFS that has shut itself down says of a directory that it is synced."""
    fault = f"stop@{last_sync(tmp_path)}"
    statuses: list[int] = []

    def send(port: int) -> None:
        sop = uid()
        try:
            with Peer(port) as peer:
                peer.associate()
                statuses.append(peer.store(ct_image(sop, "1.2.3"), sop).status)
        except PeerError:
            pass

    with receiver(cuttable_disk.point, env={"MERCURE_FAULT": fault}) as dying:
        sending = threading.Thread(target=send, args=(dying.port,))
        sending.start()
        (pid,) = eventually(lambda: [pid for pid in dying.children() if is_stopped(pid)], seconds=30, what="a stop")
        assert dying.images() != []
        cuttable_disk.cut()
        os.kill(pid, signal.SIGCONT)
        sending.join(30)
        dying.program.kill()
    cuttable_disk.unmount()
    cuttable_disk.mount()
    assert list((cuttable_disk.point / "spool" / "incoming").rglob("*.dcm")) == []
    assert 0 not in statuses
