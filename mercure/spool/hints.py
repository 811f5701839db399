"""Hints: small files in ``state/`` that may be lost; one process at a time changes those of a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mercure import durable


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[Path]:
    """Let one at a time change what is in a folder, by a lock on it; it is made where it is missing.

    Raises
    ------
    OSError
        As the disk says.
    """
    if not folder.is_dir():
        durable.make_directory(folder, sync=False)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)


def remove_older(folder: Path, seconds: float, now: float) -> None:
    """Remove the files of a folder that were written longer ago; a folder that is not there is no error.

    Raises
    ------
    OSError
        As the disk says.
    """
    try:
        with os.scandir(folder) as entries:
            old = [entry.path for entry in entries if now - entry.stat(follow_symlinks=False).st_mtime > seconds]
    except FileNotFoundError:
        return
    for path in old:
        durable.unlink(Path(path))
