"""Ten questions of a newcomer, each answered by a patch: it applies, it passes the checks, and it touches few files.

A patch that does not apply any more is made again by doing by hand what its name says, and ``git diff``. It changes
the product only: what a change needs besides, documentation and tests, is no measure of how many homes a fact has.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
MOST_FILES: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["house"]["questions"]
"""So many product files may each change touch."""
PARTS: Final = ("mercure", "appliance", "tui", "getdcmtags", "pyproject.toml", ".mypy_cache")
"""What the checks need; with mypy's cache of the tree, where there is one, only what changed is checked again."""


def patch_of(name: str) -> Path:
    return HERE / f"{name}.patch"


def changed(name: str) -> list[str]:
    return re.findall(r"^diff --git a/(\S+)", patch_of(name).read_text(encoding="utf-8"), re.MULTILINE)


def applied(tree: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "apply", *options, str(patch_of(name))]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_each_question_has_its_patch() -> None:
    assert {path.stem for path in HERE.glob("*.patch")} == MOST_FILES.keys()


@pytest.mark.parametrize("name", MOST_FILES)
def test_a_patch_applies_and_touches_few_files(name: str) -> None:
    done = applied(ROOT, name, "--check")
    assert done.returncode == 0, done.stderr
    assert 1 <= len(changed(name)) <= MOST_FILES[name]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_patches_pass_the_checks(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("build", "__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    for name in MOST_FILES:
        done = applied(tree, name)
        assert done.returncode == 0, done.stderr
    for check in (
        ["ruff", "check", "mercure", "appliance", "tui"],
        ["ruff", "format", "--check", "mercure", "appliance", "tui"],
        ["mypy", "mercure", "appliance", "tui"],
    ):
        command = [str(Path(sys.executable).with_name(check[0])), *check[1:]]
        found = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert found.returncode == 0, f"{' '.join(check)}: {found.stdout[-2000:]}"
