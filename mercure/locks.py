"""Locks of the kernel (``flock``) on folders and open files: any death frees them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def opened(folder: Path, *, follow: bool = True) -> Iterator[int]:
    """Open a folder itself, to lock it; yields its descriptor. With `follow` False a symbolic link is refused."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one at a time do something with a folder: wait for its lock, and hold it for the length of the block."""
    with opened(folder) as descriptor:
        lock(descriptor)
        yield


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file or folder; wait while another one has it."""
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file or folder without waiting; False when another one has it."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
