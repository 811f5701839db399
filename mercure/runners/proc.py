"""What the processes of a run use, read from ``/proc``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def tree(process: int) -> list[int]:
    """List a process and all below it, as far as they live."""
    found, waiting = [], [process]
    while waiting:
        current = waiting.pop()
        found.append(current)
        with contextlib.suppress(OSError):
            for thread in os.scandir(f"/proc/{current}/task"):
                with contextlib.suppress(OSError):
                    waiting += [int(text) for text in Path(thread.path, "children").read_text("ascii").split()]
    return found


def memory_of_tree(process: int) -> int:
    """Add up the resident memory of a process and all below it, in bytes; what they share counts for each."""
    total = 0
    for current in tree(process):
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{current}/statm").read_text("ascii").split()[1]) * _PAGE
    return total
