"""``.ci/run``: a part is run whatever became of the other, within its limit; one that fails fails the whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.polling import eventually

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


def test_what_failed_is_told_again_at_the_end(checkout: Path) -> None:
    """Of a long log, often only the end is kept."""
    told = [
        "E   assert 1 == 2",
        "FAILED tests/test_a.py::test_b - assert 1 == 2",
        "=== 1 failed, 3 passed in 2.00s ===",
    ]
    script = "; ".join([*(f"echo '{line}'" for line in told), "exit 1"])
    code, lines = run(
        checkout, TEST=script, MOLECULE="echo much; printf '  │ \\033[31m== 5 passed in 1.00s ==\\033[0m\\n'"
    )
    assert code == 1
    end = lines[lines.index("ci: closing lines of check and test") :]
    assert end[1:4] == told
    assert "== 5 passed in 1.00s ==" in end
    assert "much" not in end


def test_what_a_part_left_running_holds_nothing_up(checkout: Path) -> None:
    left = checkout / "left"
    try:
        code, _ = run(checkout, TEST=f"setsid sh -c 'echo $$$$ > {left}.new; mv {left}.new {left}; exec sleep 1000' &")
    finally:
        os.kill(int(eventually(lambda: left.exists() and left.read_text())), signal.SIGKILL)
    assert code == 0
