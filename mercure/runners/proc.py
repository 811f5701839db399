"""Processes of a run: their memory, read from ``/proc``, and their end, which is awaited by descriptor."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
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
    """Add up what a process and all below it hold in memory, in bytes: resident, and in files of their own tmpfs.

    Memory that they share counts for each.
    """
    processes = tree(process)
    total = 0
    for current in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{current}/statm").read_text("ascii").split()[1]) * _PAGE
    return total + _files_in_memory(processes)


def _files_in_memory(processes: Sequence[int]) -> int:
    """Add up the files in each tmpfs that the processes see, and we do not: those of their sandbox."""
    ours = set(_tmpfs(os.getpid()))
    found: dict[str, int] = {}
    for process in processes:
        for device, place in _tmpfs(process).items():
            if device in ours or device in found:
                continue
            with contextlib.suppress(OSError):
                state = os.statvfs(f"/proc/{process}/root{place}")
                found[device] = (state.f_blocks - state.f_bfree) * state.f_frsize
    return sum(found.values())


def _tmpfs(process: int) -> dict[str, str]:
    """Return where a process sees each tmpfs, by its device (proc_pid_mountinfo(5))."""
    try:
        lines = Path(f"/proc/{process}/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    mounts = (line.partition(" - ") for line in lines)
    return {where.split()[2]: where.split()[4] for where, _, what in mounts if what.startswith("tmpfs ")}


class Watched:
    """Processes that are not our children, held by descriptors: a reused number is not mistaken for them.

    Parameters
    ----------
    processes : sequence of int
        Their numbers; one that is not there has ended.
    """

    def __init__(self, processes: Sequence[int]) -> None:
        self._descriptors: list[int] = []
        self._gone = False
        for process in processes:
            try:
                self._descriptors.append(os.pidfd_open(process))
            except (ProcessLookupError, ValueError, OSError):
                self._gone = True

    def ended(self, seconds: float) -> bool:
        """Wait at most so long, and return whether one of them has ended."""
        if self._gone:
            return True
        poll = select.poll()
        for descriptor in self._descriptors:
            poll.register(descriptor, select.POLLIN)
        self._gone = bool(poll.poll(seconds * 1000))
        return self._gone

    def __enter__(self) -> Watched:
        """Return them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
