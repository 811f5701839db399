"""How the doctor looks: files below a root folder, programs that only tell, what the playbook left to compare with."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from mercure.model import Model, Record
from mercure.programs import run_program

EXPECTED: Final = "etc/mercure-doctor.json"
"""Written by the playbook (role router)."""

Outcome = Literal["ok", "warning", "failed", "unknown"]
"""``warning``: it works, and a person should look; ``unknown``: it cannot be told, mostly without being root."""

_SECONDS: Final = 60.0


class Mount(Record):
    """A file system that must be there."""

    path: str
    filesystem: str
    options: tuple[str, ...] = ()


class OwnedFile(Record):
    """A file or folder and whom it belongs to."""

    path: str
    owner: str
    group: str
    mode: str


class Expected(Record):
    """What the playbook set and this host does not say by itself."""

    root: str
    folder: str
    mounts: tuple[Mount, ...] = ()
    mirror: bool = False
    files: tuple[OwnedFile, ...] = ()
    units: tuple[str, ...] = ()
    page: str | None = None
    backups: str | None = None


class Answer(Model):
    """What a question was answered with, and how to mend it."""

    question: str
    outcome: Outcome
    text: str
    mend: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    outcome: Outcome
    text: str
    mend: str


def ask(*command: str) -> str | None:
    """Run a program that only tells; None where it is not there, fails, or takes too long."""
    try:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        done = run_program(command, seconds=_SECONDS, environment={**os.environ, "PATH": path, "LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired):
        return None
    # What smartctl and systemctl have to say of something bad comes with another code than 0.
    return done.stdout or (None if done.returncode else "")


@dataclass(frozen=True)
class Look:
    """The host that is looked at.

    Parameters
    ----------
    expected : Expected
        What the playbook set.
    top : Path
        The root folder of the host.
    ask : callable
        Runs a program that tells (`ask`).
    is_root : bool
        Whether everything may be looked at.
    now : datetime
        Aware, UTC.
    kernel : str
        The release of the kernel that runs.
    """

    expected: Expected
    top: Path = Path("/")
    ask: Callable[..., str | None] = ask
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    kernel: str = field(default_factory=platform.release)

    def path(self, name: str) -> Path:
        """Return where a file of the host is."""
        return self.top / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """Return what is in a file; None where it is not there or may not be read."""
        try:
            return self.path(name).read_text(errors="replace")
        except OSError:
            return None


Check = Callable[[Look], Iterator[Finding]]


def only_root(what: str) -> Finding:
    """Say that a question needs root."""
    return Finding("unknown", f"only root can tell {what}", "sudo mercure doctor")
