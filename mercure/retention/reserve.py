"""Room set aside for the cleaner itself: it must tell what it removes before it does, also on a disk that is full."""

from __future__ import annotations

import os
from typing import Final

from mercure import durable
from mercure.spool import Spool, Stage

RESERVE_BYTES: Final = 1024 * 1024


class Reserve:
    """A file that is given up when there is no room, and made again when there is.

    Parameters
    ----------
    spool : Spool
        On whose disk.
    """

    def __init__(self, spool: Spool) -> None:
        self._path = spool.stage(Stage.STATE) / "reserve"

    def keep(self) -> None:
        """Set the room aside, if it is not.

        Raises
        ------
        OSError
            There is no room.
        """
        if not self._path.exists():
            # Noise, because a file system that compresses would keep no room for zeros.
            durable.write_file(self._path, os.urandom(RESERVE_BYTES))

    def give_up(self) -> None:
        """Let it go."""
        if self._path.exists():
            durable.unlink(self._path)
            durable.sync_directory(self._path.parent)
