"""Which tasks somebody works on, asked of the kernel without taking a lock.

To try the lock, as `mercure.spool.is_locked` does, could make a dispatcher think for a moment that a task is taken, and
look at it again only half a minute later: nothing for a command that looks at ten thousand.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TABLE: Final = Path("/proc/locks")


class Held:
    """The whole-file locks of this machine at one moment (proc(5), ``/proc/locks``).

    Where the file system does not show its device number there (btrfs, overlay), nothing counts as held: a hint only.
    """

    def __init__(self, table: str | None = None) -> None:
        self._held = set()
        for line in (_TABLE.read_text() if table is None else table).splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK":  # noqa: PLR2004 - the sixth field names the file
                self._held.add(fields[5])

    def inodes(self, device: int) -> frozenset[int]:
        """Return the numbers of what is locked on one file system."""
        place = f"{os.major(device):02x}:{os.minor(device):02x}:"
        return frozenset(int(name.removeprefix(place)) for name in self._held if name.startswith(place))

    def __contains__(self, directory: Path) -> bool:
        try:
            status = os.stat(directory)
        except OSError:
            return False
        return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}" in self._held
