"""``.ci/run``: a part is run whatever became of the other, within its limit; one that fails fails the whole."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ABLE = "#!/bin/sh\necho 'molecule: this machine cannot boot guests. It lacks:\n  root' >&2\nexit ${LACK:-0}\n"
"""Stands for tools/molecule, of which only the question whether it can is asked here."""
MAKEFILE = """
check:
	@$(CHECK)
test:
	@$(TEST)
molecule:
	@$(MOLECULE)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a folder with the script, and commands of the tests' own behind it."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/molecule").write_text(ABLE)
    (tmp_path / "tools/molecule").chmod(0o755)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/guests.py").write_text("import sys\nprint('removed:', *sys.argv[1:])\n")
    return tmp_path


def run(checkout: Path, **settings: str) -> tuple[int, list[str]]:
    """Run it; a part of which nothing is said passes."""
    commands = {"CHECK": "echo checked", "TEST": "echo tested", "MOLECULE": "echo booted", **settings}
    done = subprocess.run(
        [checkout / ".ci/run"],
        env={**os.environ, **commands},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def ends(lines: list[str], *beginnings: str) -> bool:
    """Tell whether the last lines begin so."""
    last = lines[-len(beginnings) :]
    return all(line.startswith(beginning) for line, beginning in zip(last, beginnings, strict=True))


def test_all_parts_pass(checkout: Path) -> None:
    code, lines = run(checkout)
    assert code == 0
    assert {"checked", "tested", "booted", "removed: all clean"} <= set(lines)
    assert ends(lines, "ci: check and test: passed, ", "ci: guests: passed, ")


@pytest.mark.parametrize("part", ["CHECK", "TEST"])
def test_a_part_that_fails_keeps_no_other_from_running_and_fails_the_whole(checkout: Path, part: str) -> None:
    code, lines = run(checkout, **{part: "exit 3"})
    assert code == 1
    assert {"checked", "tested", "booted"} - set(lines) == {"checked" if part == "CHECK" else "tested"}
    assert ends(lines, "ci: check and test: FAILED (2), ", "ci: guests: passed, ")


def test_guests_that_fail_fail_the_whole(checkout: Path) -> None:
    code, lines = run(checkout, MOLECULE="exit 3")
    assert code == 1
    assert ends(lines, "ci: check and test: passed, ", "ci: guests: FAILED (2), ")


def test_a_part_that_hangs_is_ended_and_its_guests_are_removed(checkout: Path) -> None:
    code, lines = run(checkout, MOLECULE="exec sleep 1000", CI_LIMIT_GUESTS="0.5s")
    assert code == 1
    assert "removed: all clean" in lines
    assert ends(lines, "ci: check and test: passed, ", "ci: guests: not done after 0.5s, ")


def test_a_machine_that_cannot_boot_guests_says_what_it_lacks(checkout: Path) -> None:
    code, lines = run(checkout, LACK="1")
    assert code == 0
    assert "  root" in lines
    assert "booted" not in lines
    assert ends(lines, "ci: check and test: passed, ", "ci: guests: NOT RUN, because ")
