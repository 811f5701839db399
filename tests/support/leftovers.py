"""What a test leaves behind: processes and mounts. It is removed, and the test fails for it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.polling import eventually
from tests.support.procfs import command_line, descendants, environment, is_alive, processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Handed on to all that a test starts, so that a process whose parent has ended is still known as ours.
MARK = "MERCURE_TEST_RUN"
PATIENCE = 3.0
# The first two are kept by Python itself until it ends, the third comes and goes with a PostgreSQL of all tests.
EXPECTED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "postgres: autovacuum worker")


def mark_this_run() -> None:
    """Give this process, a pytest worker, a mark of its own."""
    os.environ[MARK] = f"{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Leftovers:
    """What is there at one moment: command lines by process number and start, and mount points."""

    processes: Mapping[tuple[int, int], str]
    mounts: tuple[str, ...]

    def beyond(self, before: Leftovers) -> Leftovers:
        """Return what is here and was not there before."""
        return Leftovers(
            {key: command for key, command in self.processes.items() if key not in before.processes},
            tuple(mount for mount in self.mounts if mount not in before.mounts),
        )

    def __bool__(self) -> bool:
        return bool(self.processes or self.mounts)

    def __str__(self) -> str:
        lines = [f"process {pid}: {command}" for (pid, _started), command in sorted(self.processes.items())]
        return "\n".join([*lines, *(f"mount {mount}" for mount in self.mounts)])


def present(roots: Sequence[Path]) -> Leftovers:
    """Return what is there now: processes of this worker, and mounts under its own folders.

    Parameters
    ----------
    roots
        The folders of this worker. Mounts elsewhere belong to other workers, or to the machine.
    """
    table = processes()
    mark = f"{MARK}={os.environ[MARK]}".encode()
    marked = {pid for pid in table if mark in environment(pid).split(b"\0")}
    ours = (descendants(os.getpid(), table) | marked) - {os.getpid()}
    commands = {(pid, table[pid].started): command_line(pid) for pid in ours if pid in table}
    # What has ended since the table was read was on its way.
    commands = {key: command for key, command in commands.items() if is_alive(key[0])}
    return Leftovers(
        {key: command for key, command in commands.items() if not any(name in command for name in EXPECTED)},
        tuple(point for point in _mount_points() if any(Path(point).is_relative_to(root) for root in roots)),
    )


def _mount_points() -> list[str]:
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return [line.split(" ")[1].replace("\\040", " ") for line in lines]


def clear(before: Leftovers, roots: Sequence[Path]) -> Leftovers:
    """Wait a little for what is about to end, remove what is not, and return what had to be removed."""
    try:
        eventually(lambda: not present(roots).beyond(before), seconds=PATIENCE)
    except AssertionError:
        left = present(roots).beyond(before)
    else:
        return Leftovers({}, ())
    for pid, _started in left.processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for mount in reversed(left.mounts):
        subprocess.run(["umount", "--lazy", mount], check=False, timeout=30)
    return left
