"""Claims: who works on a task, held as a lock of the kernel and so released by any death."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Final

from mercure.locks import opened, try_lock

_FLOCK: Final = "hhqqi4x"
"""The kernel's ``struct flock``: kind, from where, first byte, count of bytes, process (fcntl(2))."""


class Claim:
    """An exclusive lock on a directory, kept until `release`; it moves along when the directory is renamed.

    Use `Claim.take`; a claim is also a context manager that releases at its end.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        """Where the directory is now; `mercure.spool.move` keeps it true."""
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, *, exclusive: bool = True) -> Claim | None:
        """Try to claim a directory, without waiting.

        Parameters
        ----------
        path : Path
            The directory.
        exclusive : bool
            False takes a shared lock, as the receiver does while it adds an image.

        Returns
        -------
        Claim or None
            None if another process holds it, or it is gone.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            # Between open and lock the directory may have been moved on by its last owner.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    @property
    def descriptor(self) -> int:
        """The open file behind the lock. A process that inherits it holds the claim too, until it ends.

        Raises
        ------
        ValueError
            The claim was released.
        """
        if self._descriptor is None:
            raise ValueError(f"the claim on {self.path.name} was released")
        return self._descriptor

    def set_sending(self, sending: bool) -> None:
        """Say whether the images of the directory are on their way to a target; `is_sending` tells it to others.

        It ends with the claim, and lasts as long as a process that inherited the claim. A file in the directory would
        outlive a death; this is a second lock of the kernel, on the same open file (fcntl(2), open file description
        locks).
        """
        kind = fcntl.F_RDLCK if sending else fcntl.F_UNLCK
        fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Claim:
        """Return the claim itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release."""
        self.release()


def is_locked(path: Path) -> bool:
    """Return whether some living process holds an exclusive lock on a directory; False when there is no such directory.

    The check itself takes a shared lock for an instant, so that two checks do not take each other for the owner.
    """
    try:
        with opened(path, follow=False) as descriptor:
            return not try_lock(descriptor, shared=True)
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_sending(path: Path) -> bool:
    """Return whether whoever holds the claim on a directory said that its images are on their way to a target."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with opened(path, follow=False) as descriptor:
            answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    except (FileNotFoundError, NotADirectoryError):
        return False
    kind: int = struct.unpack(_FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK
