"""The sources that a guest is to run: this checkout as it is now, or an earlier commit of it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING

from tests.guests.commands import GuestError, run
from tests.guests.places import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.guests.places import Lab

BEFORE = "MERCURE_BEFORE"
"""Environment variable: which tag or commit is the version before this one."""

RELEASED = ("appliance", "getdcmtags", "mercure", "pyproject.toml", "requirements.lock", "tui")
"""What releases are made of changes here or nowhere that counts (``tools/release_archive.py``)."""


def snapshot(lab: Lab) -> Path:
    """Copy what git tracks, with the changes of now, to the lab, and return the folder.

    A release is named by its content. Were it taken from the checkout each time, an edit while the scenario runs would
    make the second run of the playbook an upgrade.
    """
    folder = lab.folder / "source"
    shutil.rmtree(folder, ignore_errors=True)
    tracked = run("git", "-C", CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, tracked):
        if (CHECKOUT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target)
    return folder


def before(lab: Lab, checkout: Path = CHECKOUT) -> Path:
    """Unpack the version before this one, and return the folder.

    It is ``MERCURE_BEFORE`` (a tag or a commit), else the newest ancestor whose release is another one: a commit that
    changed only tests or pages makes no release of its own, and there would be nothing to go back to.

    Raises
    ------
    GuestError
        There is none.
    """
    named = os.environ.get(BEFORE)
    this = _release(lab, lab.folder / "source" if (lab.folder / "source").is_dir() else checkout)
    for commit in [named] if named else _earlier(checkout):
        folder = _unpack(lab, checkout, commit)
        if not (folder / "mercure").is_dir():
            raise GuestError(f"{commit} is no version of the router: set {BEFORE} to one")
        if _release(lab, folder) != this:
            return folder
    raise GuestError(f"{named or 'every ancestor'} is the same release as this checkout: set {BEFORE} to another one")


def _earlier(checkout: Path) -> Iterator[str]:
    """Yield HEAD, and then the parent of each commit that touched what releases are made of, the newest first."""
    git = ("git", "-C", checkout)
    yield run(*git, "rev-parse", "HEAD").strip()
    for line in run(*git, "log", "--format=%H %P", "HEAD", "--", *RELEASED).splitlines():
        yield from line.split()[1:2]


def _unpack(lab: Lab, checkout: Path, commit: str) -> Path:
    archive, folder = lab.folder / "before.tar", lab.folder / "before"
    shutil.rmtree(folder, ignore_errors=True)
    lab.folder.mkdir(parents=True, exist_ok=True)
    run("git", "-C", checkout, "archive", "--format=tar", "--output", archive, f"{commit}^{{commit}}")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
    return folder


def _release(lab: Lab, source: Path) -> str:
    """Return the name of the release that the playbook makes of some sources."""
    with tempfile.TemporaryDirectory(prefix=f"mercure-{lab.folder.name}-") as folder:
        packed = run(sys.executable, CHECKOUT / "tools/release_archive.py", folder, "--source", source)
    return str(json.loads(packed)["release"])
