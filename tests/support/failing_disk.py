"""A disk that becomes read-only under those who write on it, as ext4 does when it meets an error."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.disks import MIB
from tests.support.permission import command_or_skip

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTES = 96
INODES = 4096
"""Few, so that they are used up quickly; the receiver wants 1,024 to be left."""


@dataclass
class FailingDisk:
    """An ext4 file system in a file.

    Parameters
    ----------
    folder
        Holds the file and the mount point; its path is short enough for Unix sockets.
    """

    folder: Path

    @property
    def point(self) -> Path:
        """Where it is mounted."""
        return self.folder / "disk"

    def make(self) -> None:
        """Make it, empty, and mount it."""
        self.point.mkdir()
        with self._image.open("wb") as file:
            file.truncate(MEBIBYTES * MIB)
        self._run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(INODES), self._image)
        self.mount()

    def mount(self) -> None:
        """Mount it, with the option that Debian's installer writes."""
        options = "loop,errors=remount-ro"
        command_or_skip(["mount", "-o", options, self._image, self.point], purpose="mounting a disk")

    def settle(self) -> None:
        """Put all that was written so far onto it: what the test itself has laid there, which nobody else syncs."""
        self._run("sync", "--file-system", self.point)

    def fail(self) -> None:
        """Let it meet an error: from now on it is read-only, also for files that are open."""
        self._run("mount", "-o", "remount,abort", self.point)

    def turn(self, how: str) -> None:
        """Remount it ``ro`` or ``rw``; for ``ro`` nobody may have a file open to write."""
        self._run("mount", "-o", f"remount,{how}", self.point)

    def mend(self) -> None:
        """Do what the alert advises while the router is stopped: unmount, check, mount again."""
        self.unmount()
        # 1: errors were corrected.
        result = subprocess.run(
            ["e2fsck", "-f", "-y", self._image], capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode in (0, 1), result.stdout + result.stderr
        self.mount()

    def unmount(self) -> None:
        """Take it away; nobody may use it."""
        self._run("umount", self.point)

    @property
    def _image(self) -> Path:
        return self.folder / "disk.img"

    @staticmethod
    def _run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
