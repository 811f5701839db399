"""Several associations at once, and a router that takes the folders away under them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from mercure.spool.versions import number_of
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import Peer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receiver import StartReceiver

SENDERS = 6
IMAGES_EACH = 40


def test_the_same_image_from_many_at_once_is_kept_once(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series = uid(), uid()
    data = ct_image(sop, series, pixels=bytes(200_000))
    start = threading.Barrier(SENDERS)

    def send(_: int) -> list[int]:
        with Peer(receiver.port) as peer:
            peer.associate()
            start.wait()
            statuses = [peer.store(data, sop).status for _ in range(10)]
            peer.release()
            return statuses

    with ThreadPoolExecutor(SENDERS) as pool:
        statuses = [status for result in pool.map(send, range(SENDERS)) for status in result]
    assert set(statuses) == {0}
    assert [image.name for image in receiver.images()] == [f"{sop}.dcm"]
    assert receiver.data_sets() == [data]
    receiver.event("association.closed", count=SENDERS)
    repetitions = [event["details"]["repetition"] for event in receiver.events("image.received")]
    assert (repetitions.count(False), len(repetitions)) == (1, SENDERS * 10)


def test_the_same_uid_with_other_bytes_from_many_at_once_keeps_each(start_receiver: StartReceiver) -> None:
    """Each is there, numbered without gaps, and none twice in a row: only the last version is known again."""
    receiver = start_receiver()
    sop, series = uid(), uid()
    images = [ct_image(sop, series, patient=f"P{number}") for number in range(SENDERS)]
    start = threading.Barrier(SENDERS)

    def send(number: int) -> list[int]:
        with Peer(receiver.port) as peer:
            peer.associate()
            start.wait()
            order = random.Random(number).sample(images, len(images))
            statuses = [peer.store(data, sop).status for data in order]
            peer.release()
            return statuses

    with ThreadPoolExecutor(SENDERS) as pool:
        statuses = [status for result in pool.map(send, range(SENDERS)) for status in result]
    assert set(statuses) == {0}
    kept = sorted(receiver.images(), key=lambda path: number_of(path.name))
    assert [number_of(path.name) for path in kept] == list(range(1, len(kept) + 1))
    data_sets = [data_set_of(path.read_bytes()) for path in kept]
    assert set(data_sets) == set(images)
    assert all(before != after for before, after in pairwise(data_sets))


class Router(threading.Thread):
    """Takes series folders by the rules of spool.md, in a loop, as fast as it can."""

    def __init__(self, spool: Path) -> None:
        super().__init__()
        self._spool = spool
        self._stop_event = threading.Event()
        self.taken: list[Path] = []
        (spool / "routing").mkdir()

    def run(self) -> None:
        """Take folders until told to stop."""
        while not self._stop_event.is_set():
            for name in os.listdir(self._spool / "incoming"):
                self._take(self._spool / "incoming" / name)

    def _take(self, folder: Path) -> None:
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                    task = self._spool / "routing" / str(len(self.taken))
                    os.rename(folder, task)
                    self.taken.append(task)
            except BlockingIOError:
                return
            finally:
                os.close(descriptor)

    def finish(self) -> None:
        """Stop and wait."""
        self._stop_event.set()
        self.join()


def test_no_image_slips_away_while_a_router_takes_the_folders(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    series = [uid(), uid()]
    router = Router(receiver.spool)
    router.start()

    def send(number: int) -> list[tuple[str, str]]:
        acknowledged = []
        with Peer(receiver.port) as peer:
            peer.associate()
            for place in range(IMAGES_EACH):
                sop = uid()
                data = ct_image(sop, series[(number + place // 5) % 2], patient=f"{number}-{place}")
                assert peer.store(data, sop).status == 0
                acknowledged.append((sop, hashlib.sha256(data).hexdigest()))
            peer.release()
        return acknowledged

    try:
        with ThreadPoolExecutor(SENDERS) as pool:
            acknowledged = [pair for result in pool.map(send, range(SENDERS)) for pair in result]
    finally:
        router.finish()
    found = [
        (path.stem, hashlib.sha256(data_set_of(path.read_bytes())).hexdigest())
        for stage in ("incoming", "routing")
        for path in (receiver.spool / stage).glob("*/*.dcm")
    ]
    assert sorted(found) == sorted(acknowledged)
    assert len(found) == SENDERS * IMAGES_EACH
    assert len(router.taken) > 10
    assert receiver.events("image.refused") == []
    # Every image has its tag line beside it, wherever its folder went.
    for folder in [*router.taken, *(receiver.spool / "incoming").iterdir()]:
        lines = b"".join(path.read_bytes() for path in folder.glob("*.jsonl"))
        assert all(path.name.encode() in lines for path in folder.glob("*.dcm"))
