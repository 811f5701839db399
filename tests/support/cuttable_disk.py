"""A disk that can lose its power."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.disks import MAKE, MIB
from tests.support.permission import command_or_skip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.disks import Filesystem

MEBIBYTES = 512
CHECKS: dict[Filesystem, tuple[str, ...]] = {"ext4": ("e2fsck", "-f", "-n"), "xfs": ("xfs_repair", "-n")}


@dataclass
class CuttableDisk:
    """A file system in a file.

    Parameters
    ----------
    folder
        Holds the file and the mount point; better in memory, where a sync costs nothing.
    filesystem
        ``ext4`` or ``xfs``.
    """

    folder: Path
    filesystem: Filesystem

    @property
    def point(self) -> Path:
        """Where it is mounted."""
        return self.folder / "disk"

    @property
    def _image(self) -> Path:
        return self.folder / "disk.img"

    def make(self) -> None:
        """Make it, empty, and mount it."""
        self.point.mkdir()
        with self._image.open("wb") as file:
            file.truncate(MEBIBYTES * MIB)
        subprocess.run([*MAKE[self.filesystem], self._image], check=True, stdout=subprocess.DEVNULL, timeout=60)
        self.mount()

    def mount(self) -> None:
        """Mount it; after a cut this replays the journal."""
        command_or_skip(["mount", "-o", "loop", self._image, self.point], purpose="mounting a disk")
        # Who copied our mounts into a namespace of its own keeps the file system of before alive, and a mount joins it.
        os.listdir(self.point)

    def cut(self) -> None:
        """Cut the power: from now on nothing is written any more, and every sync fails."""
        subprocess.run(["xfs_io", "-x", "-c", "shutdown", self.point], check=True, capture_output=True, timeout=60)

    def unmount(self) -> None:
        """Take it away; nobody may use it."""
        subprocess.run(["umount", self.point], check=True, capture_output=True, timeout=60)

    def check(self) -> None:
        """Assert that the file system, mounted once since the last cut and not now, is without fault."""
        command = [*CHECKS[self.filesystem], str(self._image)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
