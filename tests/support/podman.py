"""A podman of the test's own: rootless, with its own storage, and gone with all its containers at the end.

Tests that run as root become ``nobody`` for it. That user has no subordinate ids, so root inside is the only user
there, which is also what a module sees.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.folders import short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Podman:
    """How podman is called, and as whom."""

    command: tuple[str, ...]
    folder: Path
    user: str

    def call(self, *arguments: str, check: bool = True) -> str:
        """Return what a call prints."""
        done = subprocess.run(
            (*self.command, *arguments), capture_output=True, text=True, check=False, timeout=120, cwd="/"
        )
        assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def own(self, *paths: Path) -> None:
        """Give files or folders to the user that podman runs as."""
        for path in paths:
            shutil.chown(path, user=self.user)

    def containers(self) -> list[str]:
        """Name every container, running or not."""
        return self.call("ps", "--all", "--format", "{{.Names}}").split()


def podman_or_skip() -> None:
    """Skip the test, loudly, where the machine has no podman or lets nobody make user namespaces."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed: run `make setup-test`")


@contextmanager
def rootless_podman() -> Iterator[Podman]:
    """Give a podman with an empty storage; everything of it ends with the block."""
    podman_or_skip()
    with short_folder() as folder:
        user = UNPRIVILEGED if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        podman = Podman(_command(folder, user), folder, user)
        for name in ("home", "run"):
            (folder / name).mkdir(mode=0o700)
            podman.own(folder / name)
        podman.own(folder)
        try:
            podman.call("info")
        except AssertionError as error:
            pytest.skip(f"rootless podman does not work here: {error}")
        try:
            yield podman
        finally:
            podman.call("rm", "--all", "--force", "--time", "0", check=False)
            podman.call("rmi", "--all", "--force", check=False)
            if os.geteuid() != 0:
                podman.call("unshare", "rm", "-rf", str(folder / "home" / "storage"), check=False)
            podman.call("system", "migrate", check=False)  # ends the process that holds its namespaces


def _command(folder: Path, user: str) -> tuple[str, ...]:
    become = ("setpriv", f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups", "--")
    return (
        "env",
        f"HOME={folder / 'home'}",
        f"XDG_RUNTIME_DIR={folder / 'run'}",
        *(become if os.geteuid() == 0 else ()),
        "podman",
        *("--root", str(folder / "home" / "storage")),
        *("--runroot", str(folder / "run" / "storage")),
        *("--storage-driver", "overlay"),
    )


def _group(user: str) -> str:
    return str(pwd.getpwnam(user).pw_gid)
