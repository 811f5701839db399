"""The data disk of a guest: a file behind a loop device, and how its power is cut."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.guests.commands import GuestError, run
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE: Final = 1 << 20
GOING_DOWN: Final = 0x8004587D
"""FS_IOC_GOINGDOWN of xfs and ext4: the file system ends at once."""
NO_LOG_FLUSH: Final = struct.pack("I", 2)
"""... and its journal is not written out first: what was not synced is gone, as when the power fails."""


@dataclass(frozen=True)
class DataDisk:
    """A data disk; the file is the truth, the loop device comes and goes."""

    file: Path

    def make(self, size: str) -> None:
        """Make an empty disk of a size as ``truncate`` takes it, such as ``8G``."""
        run("truncate", "--size", size, self.file)

    def device(self) -> Path | None:
        """Return the loop device that stands for the file now, if one does."""
        names = run("losetup", "--list", "--noheadings", "--output", "NAME", "--associated", self.file).split()
        return Path(names[0]) if names else None

    def attach(self) -> Path:
        """Give the file a loop device, and return it."""
        return self.device() or Path(run("losetup", "--find", "--show", self.file))

    def detach(self) -> None:
        """Take the loop device away, where there is one."""
        device = self.device()
        if device is not None:
            self.wait_until_free()
            run("losetup", "--detach", device)

    def wait_until_free(self) -> None:
        """Wait until no mount of an ended guest holds the disk: a mount made before would join that file system."""
        device = self.device()
        if device is not None:
            wait_until(lambda: _opens_alone(device), seconds=30, what=f"the last mount of {device} to end")

    def digest(self) -> str:
        """Return a digest of what is written on it, and where. Holes, which are most of a test disk, cost nothing."""
        device = self.device()
        if device is not None:
            with device.open("rb") as through:
                os.fsync(through.fileno())
        total = hashlib.sha256()
        with self.file.open("rb") as file:
            for begin, end in _written(file.fileno()):
                file.seek(begin)
                while file.tell() < end:
                    piece = file.read(min(PIECE, end - file.tell()))
                    total.update(f"{file.tell()}:".encode() + piece)
        return total.hexdigest()

    def cut(self, processes: list[int]) -> list[str]:
        """End every file system on the disk without writing anything out, and return where they were mounted.

        Parameters
        ----------
        processes : list of int
            The guest's; by one of them the mounts of the guest are found.
        """
        device = self.device()
        points = []
        for process in processes:
            points = [point for source, point in _mounts(process) if device is not None and source == str(device)]
            for point in points:
                _go_down(Path(f"/proc/{process}/root{point}"))
            if points:
                break
        return points


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    position = 0
    while True:
        try:
            begin = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        position = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, position


def _mounts(process: int) -> list[tuple[str, str]]:
    try:
        lines = Path(f"/proc/{process}/mounts").read_text().splitlines()
    except OSError:
        return []
    found: dict[str, str] = {}
    for line in lines:
        source, point = line.split()[:2]
        found.setdefault(source, point)
    return list(found.items())


def _go_down(point: Path) -> None:
    descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, GOING_DOWN, NO_LOG_FLUSH)
    except OSError as error:
        raise GuestError(f"the file system at {point} cannot be cut off: {error}") from error
    finally:
        os.close(descriptor)


def _opens_alone(device: Path) -> bool:
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return False
    return True
