"""Hints: small files in ``state/`` that may be lost; one process at a time changes those of a folder.

No service waits long for a hint: it must not stand still because another one is stopped, or hangs on its disk, while
it changes the hint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mercure import durable
from mercure.locks import opened, try_lock

PATIENCE_SECONDS: Final = 2.0
"""Whoever changes a hint is done long before this time."""

_PAUSE_SECONDS: Final = 0.01
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[Path]:
    """Let one at a time change what is in a folder, by a lock on it; it is made where it is missing.

    Who has waited for `PATIENCE_SECONDS` goes on without the lock: a change of the other one may then be lost.
    """
    with _opened(folder) as descriptor:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                _log.warning("somebody has been changing %s for %g s; not waited for", folder, PATIENCE_SECONDS)
                break
            time.sleep(_PAUSE_SECONDS)
        yield folder


@contextlib.contextmanager
def unless_busy(folder: Path) -> Iterator[bool]:
    """Take the lock of `exclusive` without waiting; False when another one has it."""
    with _opened(folder) as descriptor:
        yield try_lock(descriptor)


def make_folders(*folders: Path) -> None:
    """Make folders of hints that are missing, one after the other: each may be in the one before."""
    for folder in folders:
        if not folder.is_dir():
            durable.make_directory(folder, sync=False)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    if not folder.is_dir():
        make_folders(folder.parent, folder)
    with opened(folder) as descriptor:
        yield descriptor


def remove_older(folder: Path, seconds: float, now: float, most: int | None = None) -> None:
    """Remove the files of a folder that were written longer ago, and the oldest of more than `most`.

    A folder that is not there is no error.
    """
    try:
        with os.scandir(folder) as entries:
            ages = sorted((now - entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries)
    except FileNotFoundError:
        return
    for number, (age, path) in enumerate(ages):
        if age > seconds or (most is not None and number >= most):
            durable.unlink(Path(path))
