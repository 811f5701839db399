"""What /proc says about processes. Zombies count as gone: they only wait for a parent to look."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessEntry:
    """One line of the process table; ``started`` (clock ticks since boot) tells reuse of a number apart."""

    pid: int
    started: int
    parent: int
    group: int


def processes() -> dict[int, ProcessEntry]:
    """Return all living processes by number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            entry = _read(folder)
            if entry is not None:
                found[entry.pid] = entry
    return found


def _read(folder: Path) -> ProcessEntry | None:
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in brackets and may hold anything, brackets too.
    fields = text.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return ProcessEntry(pid=int(folder.name), started=int(fields[19]), parent=int(fields[1]), group=int(fields[2]))


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie does not."""
    return _read(Path(f"/proc/{pid}")) is not None


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has not taken a signal yet that was sent to it."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return bool((int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)) >> (number - 1) & 1)


def is_stopped(pid: int) -> bool:
    """Tell whether a process stands still by SIGSTOP."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] == "T"


def group_members(group: int) -> list[int]:
    """Return the living members of a process group."""
    return [entry.pid for entry in processes().values() if entry.group == group]


def descendants(pid: int, table: dict[int, ProcessEntry] | None = None) -> set[int]:
    """Return the numbers of all living children of a process, and theirs."""
    table = processes() if table is None else table
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {entry.pid for entry in table.values() if entry.parent in frontier} - found
        found |= frontier
    return found


def children_of(pid: int) -> list[int]:
    """Return the children of a process; cheaper than `descendants`, for what is asked again and again."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, path.read_text(encoding="ascii").split())
    return found


def command_line(pid: int) -> str:
    """Return the command line of a process, or a note that it has gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "(gone)"
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def environment(pid: int) -> bytes:
    """Return the environment a process was started with, empty where it may not be read."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def sleepers(mark: str) -> list[int]:
    """Return the processes that are ``sleep MARK``, in whatever sandbox."""
    found = []
    for pid in processes():
        words = command_line(pid).split()
        found += [pid] if words[-1:] == [mark] and words[0].rpartition("/")[2] == "sleep" else []
    return found
