"""Senders for tests of the router: they file images in ``incoming/`` step by step as docs/reference/spool.md says.

The receiver itself is C++; here the same sequence is played in Python, so that a test can stop between any two steps.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from mercure.names import new_id, safe_name, utc_text
from mercure.spool import Spool, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from mercure.clock import Clock


@dataclass(frozen=True)
class Image:
    """One image: its bytes, and the tags that the receiver would read from them."""

    sop: str
    series: str
    data: bytes
    tags: dict[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its file name in the series folder."""
        return f"{safe_name(self.sop)}.dcm"


def date_back(spool: Spool, instant: datetime) -> None:
    """Give what arrives the times that it would have had at an instant; files have those of the day of the test."""
    incoming = spool.stage(Stage.INCOMING)
    for path in (*incoming.rglob("*"), incoming):
        os.utime(path, (instant.timestamp(), instant.timestamp()))


def make_images(
    count: int, *, series: str = "1.2.3", study: str = "1.2", first: int = 1, **tags: object
) -> list[Image]:
    """Make images with small contents of their own."""
    return [
        Image(
            sop=f"{series}.{number}",
            series=series,
            data=f"image {series} {number}\n".encode() * 3,
            tags={
                "SOPInstanceUID": f"{series}.{number}",
                "SeriesInstanceUID": series,
                "StudyInstanceUID": study,
                "PatientID": "P1",
                "Modality": "CT",
                **tags,
            },
        )
        for number in range(first, first + count)
    ]


class Association:
    """An open association of a sender; as a context manager it ends in order.

    Parameters
    ----------
    spool : Spool
        Where it files.
    clock : Clock
        For ids and times of receipt.
    calling, address, called : str
        AE title and address of the sender, and the title by which it calls.
    """

    def __init__(
        self,
        spool: Spool,
        clock: Clock,
        calling: str = "SCANNER",
        *,
        address: str = "127.0.0.1",
        called: str = "MERCURE",
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._origin = {"SenderAddress": address, "SenderAET": calling, "ReceiverAET": called}
        self.id = new_id(clock.now())
        self.folder = spool.entry(Stage.RECEIVING, self.id)
        self.folder.mkdir()
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._count = 0
        self.waiting = threading.Event()
        """Set when it had to wait for the lock of a series: the router is just taking it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release: the folder goes, and the lock with it."""
        if self._lock >= 0:
            for part in self.folder.iterdir():
                part.unlink()
            self.folder.rmdir()
            self.die()

    def die(self) -> None:
        """End as a killed process does: the kernel frees the lock, everything else stays."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def store(self, image: Image) -> None:
        """Receive an image completely."""
        for _ in self.steps(image):
            pass

    def steps(self, image: Image) -> Iterator[str]:
        """Receive an image, pausing after each step, whose name is yielded; the last is ``acknowledged``."""
        self._count += 1
        part = self.folder / f"{self._count:06d}.part"
        part.write_bytes(image.data)
        yield "part"
        folder, lock = self._lock_series(self._spool.entry(Stage.INCOMING, safe_name(image.series)))
        try:
            yield "locked"
            repetition = self._file(part, folder, image)
            yield "filed"
            self._write_tag_line(folder, repetition, image)
            yield "described"
        finally:
            os.close(lock)
        yield "acknowledged"

    def _lock_series(self, folder: Path) -> tuple[Path, int]:
        while True:
            folder.mkdir(exist_ok=True)
            try:
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                self.waiting.set()
                fcntl.flock(lock, fcntl.LOCK_SH)
            try:
                if os.path.samestat(os.fstat(lock), os.stat(folder)):
                    return folder, lock
            except FileNotFoundError:
                pass
            os.close(lock)

    def _file(self, part: Path, folder: Path, image: Image) -> str:
        """Give the part its name; return that name."""
        stem = safe_name(image.sop)
        names = [f"{stem}.dcm", *(f"{stem}~{number}.dcm" for number in range(2, 100))]
        for name in names:
            try:
                os.link(part, folder / name)
            except FileExistsError:
                if (folder / name).read_bytes() == image.data:
                    break
            else:
                break
        part.unlink()
        return name

    def _write_tag_line(self, folder: Path, name: str, image: Image) -> None:
        line = {
            **image.tags,
            "FileName": name,
            "FileSize": len(image.data),
            "ImageID": new_id(self._clock.now()),
            "ReceivedAt": utc_text(self._clock.now()),
            **self._origin,
            "AssociationID": self.id,
        }
        with open(folder / f"{self.id}.jsonl", "ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
