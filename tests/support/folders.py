"""Folders with short names. A Unix socket has room for 107 bytes of path; pytest's own folders use most of them."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Those made by this process, for the guard against leftovers.
made: list[Path] = []


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make an empty folder that other users may enter, and remove it with all it holds at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mt-"))
    made.append(folder)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
