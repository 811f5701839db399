"""The host as the doctor reads it: files below a root folder, programs that only report, and what the playbook set."""

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
"""``warning``: it works, and a person should look; ``unknown``: not known, mostly for want of root."""

_SECONDS: Final = 60.0


class ExpectedMount(Record):
    """A file system that must be there."""

    path: str
    filesystem: str
    options: tuple[str, ...] = ()


class OwnedFile(Record):
    """A file or folder, its owner and its mode."""

    path: str
    owner: str
    group: str
    mode: str


class Expected(Record):
    """What the playbook set and the host itself does not show."""

    root: str
    folder: str
    mounts: tuple[ExpectedMount, ...] = ()
    mirror: bool = False
    files: tuple[OwnedFile, ...] = ()
    units: tuple[str, ...] = ()
    page: str | None = None
    backups: str | None = None


class Answer(Model):
    """The answer to one question, and how to mend what is wrong."""

    question: str
    outcome: Outcome
    text: str
    mend: str = ""


@dataclass(frozen=True)
class CheckFinding:
    """Something that is not as it should be."""

    outcome: Outcome
    text: str
    mend: str


def ask(*command: str) -> str | None:
    """Run a program that only reports; None if it is missing, fails, or takes too long."""
    try:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        done = run_program(command, seconds=_SECONDS, environment={**os.environ, "PATH": path, "LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired):
        return None
    # What smartctl and systemctl have to say of something bad comes with another code than 0.
    return done.stdout or (None if done.returncode else "")


@dataclass(frozen=True)
class HostView:
    """Read-only view of the host.

    Parameters
    ----------
    expected : Expected
        What the playbook set.
    top : Path
        The root folder of the host.
    ask : callable
        Runs a program that only reports (`ask`).
    is_root : bool
        Whether everything can be read.
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
        """Return the path of a file of the host."""
        return self.top / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """Return the text of a file; None if it is missing or cannot be read."""
        try:
            return self.path(name).read_text(errors="replace")
        except OSError:
            return None


Check = Callable[[HostView], Iterator[CheckFinding]]


def only_root(what: str) -> CheckFinding:
    """Return the finding that a question needs root."""
    return CheckFinding("unknown", f"only root can tell {what}", "sudo mercure doctor")
