"""``tools/setup`` says what is missing and what to do, where it may not do it itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.folders import short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def checkout() -> Iterator[Path]:
    """Give a folder with nothing but the set-up in it, readable for everybody."""
    with short_folder() as folder:
        (folder / "tools").mkdir()
        (folder / "bin").mkdir()
        for name in ("setup", "debian-packages.txt"):
            shutil.copy(TOOLS / name, folder / "tools")
        yield folder


def setup(checkout: Path, *arguments: str, user: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "tools" / "setup", *arguments],
        env={"PATH": f"{checkout / 'bin'}:{os.defpath}:/usr/sbin", **env},
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_user_without_rights_is_told_what_root_must_run(checkout: Path) -> None:
    dpkg = checkout / "bin" / "dpkg-query"
    dpkg.write_text("#!/bin/sh\necho 'cmake installed'\necho 'dcmtk config-files'\nexit 1\n")
    dpkg.chmod(0o755)
    result = setup(checkout, "run", user="nobody")
    assert result.returncode == 1
    command = result.stdout.splitlines()[-1].removeprefix("setup:").split()
    assert command[:4] == ["sudo", "apt-get", "install", "--no-install-recommends"]
    assert {"dcmtk", "g++", "libdcmtk-dev"} <= set(command)
    assert {"cmake", "orthanc"}.isdisjoint(command)


def test_a_python_that_is_too_old_is_named(checkout: Path) -> None:
    result = setup(checkout, "run", MERCURE_PACKAGES="no", PYTHON="/bin/false")
    assert result.returncode == 1
    assert "/bin/false" in result.stdout
    assert "make setup PYTHON=" in result.stdout
    assert not (checkout / ".venv").exists()


def test_an_unknown_set_is_refused(checkout: Path) -> None:
    result = setup(checkout, "everything")
    assert result.returncode == 1
    assert "usage" in result.stdout
