"""What killed backups leave behind: half files under hidden names, copies of the history; the next one removes it.

Whoever writes a backup holds a lock on its folder, and on that of its copy; the kernel releases both at any death.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mercure.locks import lock, opened, try_lock

_SCRATCH: Final = "backup-"
_HALF: Final = r"\.{name}-[0-9TZ]+\.tar\.[0-9a-f]{{8}}\.tmp"


@contextlib.contextmanager
def cleared(path: Path) -> Iterator[None]:
    """Remove the half backups of a router, unless one is being written; while the block runs one is.

    Parameters
    ----------
    path : Path
        The backup that is to be written; others may have files in its folder.
    """
    folder = path.parent
    with opened(folder) as descriptor:
        if _locked(descriptor):
            half = re.compile(_HALF.format(name=re.escape(path.name.rpartition("-")[0])))
            for name in os.listdir(folder):
                if half.fullmatch(name):
                    (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a share without locks: then nothing is ever taken for a leftover
            lock(descriptor, shared=True)
        yield


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a folder of its own for a copy, removed at the end; those that dead ones left go first."""
    for left in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError), opened(left, follow=False) as descriptor:
            if _locked(descriptor):
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    try:
        with opened(made, follow=False) as descriptor:
            _locked(descriptor)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _locked(descriptor: int) -> bool:
    """Lock a folder for this process alone, if nobody has it."""
    try:
        return try_lock(descriptor)
    except OSError:
        return False
