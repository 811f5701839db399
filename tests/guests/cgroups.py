"""Control groups, version 2: the one way to end all that a guest runs.

A signal to systemd-nspawn is not enough: killed, it leaves the guest's processes running. Here everything that is
started for a guest is in its group from the first instruction on, and `Group.kill` ends the group.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.guests.commands import GuestError
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENTER = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'


def _mount_point() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(fields.split()[4])
    raise GuestError("no cgroup2 file system is mounted: `mount -t cgroup2 cgroup2 FOLDER` on this machine first")


@dataclass(frozen=True)
class Group:
    """A control group by its name, such as ``lab/guest``; it need not exist."""

    name: str

    @property
    def path(self) -> Path:
        """Its folder."""
        return _mount_point() / self.name

    def spawn(self, command: Sequence[str | Path], log: Path) -> None:
        """Start a program in the group, away from this terminal; what it says is added to a log."""
        self.path.mkdir(parents=True, exist_ok=True)
        # Not subprocess, which warns of whoever is left running: this one is to outlive the process that starts it.
        words = ["/bin/sh", "-c", _ENTER, "sh", str(self.path), *(str(word) for word in command)]
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        started = os.posix_spawn(words[0], words, os.environ, file_actions=files, setsid=True)
        wait_until(
            lambda: self.is_populated() or os.waitpid(started, os.WNOHANG)[0] != 0,
            seconds=10,
            what=f"{command[0]} to enter {self.path}",
        )

    def is_populated(self) -> bool:
        """Tell whether any process is in it or below it."""
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text()
        except FileNotFoundError:
            return False

    def processes(self) -> list[int]:
        """Return every process in it and below it."""
        return [int(pid) for file in self.path.rglob("cgroup.procs") for pid in file.read_text().split()]

    def kill(self) -> None:
        """End every process at once, and remove the group; no harm where there is none."""
        if not self.path.exists():
            return

        def is_empty() -> bool:
            (self.path / "cgroup.kill").write_text("1")
            return not self.is_populated()

        wait_until(is_empty, seconds=30, what=f"the end of all processes in {self.path}")
        for folder in sorted((path for path in self.path.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        self.path.rmdir()
