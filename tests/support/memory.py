"""Folders in memory, for tests in which thousands of syncs would be all that they measure."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import folders

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - it is the point: a file system in memory


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Make an empty folder in memory (on disk where there is none), and remove it with all it holds at the end."""
    where = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="mt-", dir=where))
    folders.made.append(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
