"""Small file systems, to fill them up."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tests.support.permission import command_or_skip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Filesystem = Literal["tmpfs", "ext4", "xfs"]

MIB = 1024 * 1024
BLOCK = 4096

MAKE: dict[Filesystem, tuple[str, ...]] = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-m", "0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}


@contextmanager
def small_disk(folder: Path, mebibytes: int, filesystem: Filesystem = "tmpfs") -> Iterator[Path]:
    """Mount an empty file system of a given size, and unmount it at the end.

    Parameters
    ----------
    folder
        Where it is made: the mount point is ``folder/disk``, the image of a real file system ``folder/disk.img``.
    mebibytes
        Its size; XFS needs 300 or more.
    filesystem
        ``tmpfs`` is at once there and syncs nothing; ``ext4`` and ``xfs`` sit on a loop device.

    Yields
    ------
    Path
        The mount point.
    """
    point = folder / "disk"
    point.mkdir()
    if filesystem == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "mercure-test", str(point)]
    else:
        image = folder / "disk.img"
        with image.open("wb") as file:
            os.truncate(file.fileno(), mebibytes * MIB)
        subprocess.run([*MAKE[filesystem], image], check=True, stdout=subprocess.DEVNULL, timeout=60)
        command = ["mount", "-o", "loop", str(image), str(point)]
    command_or_skip(command, purpose="mounting a small disk")
    try:
        yield point
    finally:
        _unmount(point)


def _unmount(point: Path) -> None:
    """Unmount; a disk still in use is detached all the same, and the test told so."""
    result = subprocess.run(["umount", point], capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        subprocess.run(["umount", "--lazy", point], check=True, timeout=60)
        message = f"{point} was still in use: {result.stderr.strip()}"
        raise AssertionError(message)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Take up the free space of a disk with one file, and return that file.

    Parameters
    ----------
    disk
        Any folder of the disk.
    leave
        Bytes to leave free; the file system rounds them.
    """
    ballast = disk / "ballast"
    with ballast.open("ab") as file:
        step = _room(disk) - leave
        while step >= BLOCK:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), step)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                # A file system needs some of its room for itself; half of the rest is tried next.
                step //= 2
            else:
                step = min(step, _room(disk) - leave)
    return ballast


def _room(disk: Path) -> int:
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize
