"""The sources that a guest is to run: this checkout as it is now, or an earlier commit of it."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from tests.guests.commands import GuestError, run
from tests.guests.places import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.places import Lab

BEFORE = "MERCURE_BEFORE"
"""Environment variable: which commit is the version before this one."""


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


def before(lab: Lab) -> Path:
    """Unpack the version before this one, and return the folder: ``MERCURE_BEFORE``, else the parent of HEAD."""
    commit = run("git", "-C", CHECKOUT, "rev-parse", "--verify", f"{os.environ.get(BEFORE) or 'HEAD^'}^{{commit}}")
    archive, folder = lab.folder / "before.tar", lab.folder / "before"
    shutil.rmtree(folder, ignore_errors=True)
    lab.folder.mkdir(parents=True, exist_ok=True)
    run("git", "-C", CHECKOUT, "archive", "--format=tar", "--output", archive, commit)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
    if not (folder / "mercure").is_dir():
        raise GuestError(f"{commit} is no version of the router: set {BEFORE} to one")
    return folder
