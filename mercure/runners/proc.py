"""Processes of a run: their memory, read from ``/proc``, and their end, which is awaited by descriptor."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

_BLOCK: Final = 512
"""Bytes of what stat(2) calls a block."""

_NAMELESS: Final = "/memfd:"
_WITHOUT_FILE: Final = ("/dev/zero (deleted)", "/SYSV")
_MAPPING: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+) *(.*)")


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
    """Add up what a process and all below it hold in memory, in bytes: resident, and in files that are memory.

    What they share by a fork or a library counts for each; shared memory counts once.
    """
    processes = tree(process)
    resident = {current: _resident(current) for current in processes}
    total = sum(memory.own for memory in resident.values())
    sharing = [current for current, memory in resident.items() if memory.shared]
    return total + _files_in_memory(processes) + _shared_memory(processes, sharing)


class _Resident(NamedTuple):
    """Resident memory of a process in bytes: its own with that of files on disk, and shared memory of any kind."""

    own: int = 0
    shared: int = 0


def _resident(process: int) -> _Resident:
    """Read the resident memory of a process (proc_pid_status(5))."""
    try:
        lines = Path(f"/proc/{process}/status").read_text("utf-8", "replace").splitlines()
        fields = (line.partition(":") for line in lines if line.startswith("Rss"))
        kibibytes = {name: int(text.split()[0]) for name, _, text in fields}
        return _Resident((kibibytes["RssAnon"] + kibibytes["RssFile"]) * 1024, kibibytes["RssShmem"] * 1024)
    except (OSError, ValueError, IndexError, KeyError):
        return _Resident()


def _shared_memory(processes: Sequence[int], sharing: Sequence[int]) -> int:
    """Add up shared memory that is in no tmpfs of theirs: files without a name, System V, and without a file."""
    open_files: dict[int, int] = {}
    for process in processes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path).startswith(_NAMELESS):
                        status = entry.stat()
                        open_files[status.st_ino] = status.st_blocks * _BLOCK
    return sum(open_files.values()) + sum(_mapped(process, open_files.keys()) for process in sharing)


def _mapped(process: int, besides: AbstractSet[int]) -> int:
    """Add up a process's part of the shared memory that it has mapped (proc_pid_smaps(5)), besides some files."""
    total, counts = 0, False
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/smaps").read_text("utf-8", "replace").splitlines():
            place = _MAPPING.match(line)
            if place is not None:
                counts = place[2].startswith((_NAMELESS, *_WITHOUT_FILE)) and int(place[1]) not in besides
            elif counts and line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


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
