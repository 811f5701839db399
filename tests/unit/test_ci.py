"""``.ci/run``: a part is run whatever became of the other, within its limit; one that fails fails the whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
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
    shutil.copy(ROOT / "tools/run_again.py", tmp_path / "tools")
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
        env={**_without_pytest(), **commands},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def _without_pytest() -> dict[str, str]:
    """The environment without what pytest and make tell their own children."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "MAKE", "MFLAGS"))}


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


PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(RUN_TESTS) {sys.executable} -m pytest -p xdist -n 2 project"
ONCE = """
import os, pathlib, pytest

def first_time(name):
    mark = pathlib.Path("seen-" + name)
    seen = mark.exists()
    mark.touch()
    return not seen
"""
"""Begins a made-up project: what a test does the first time only is what makes it flaky."""
CALL = """
def test_call():
    assert not first_time("call")
"""
SET_UP = """
@pytest.fixture
def unsteady():
    assert not first_time("set-up")

def test_set_up(unsteady):
    pass
"""
TEAR_DOWN = """
@pytest.fixture
def untidy():
    yield
    assert not first_time("tear-down")

def test_tear_down(untidy):
    pass
"""
CRASH = """
def test_crash():
    if first_time("crash"):
        os._exit(1)
"""
ALONE = """
def test_alone():
    assert "PYTEST_XDIST_WORKER" not in os.environ
"""
TWICE = """
def test_twice():
    assert "fails" == "twice"
"""
SKIPPED = """
def test_skipped():
    if not first_time("skipped"):
        pytest.skip("no more")
    assert False
"""
STEADY = """
def test_steady():
    assert first_time("steady"), "what passed runs no second time"
"""
MANY = """
@pytest.mark.parametrize("number", range(41))
def test_many(number):
    assert not first_time(f"many-{number}")
"""
UNREADABLE = """
assert not first_time("collection")
"""
FLAKY = "ci: flaky, it failed and then passed alone: "


def project(checkout: Path, *tests: str) -> str:
    """Write a made-up project beside the script; return the command that tests it."""
    (checkout / "pytest.ini").write_text("[pytest]\n")
    (checkout / "project").mkdir()
    (checkout / "project/test_it.py").write_text(ONCE + "".join(tests))
    return PYTEST


def flaky(lines: list[str]) -> set[str]:
    """Return the tests that are listed as flaky at the end."""
    return {line.rpartition("::")[2] for line in lines if line.startswith(FLAKY)}


def test_what_passes_the_second_time_is_flaky_and_no_failure(checkout: Path) -> None:
    code, lines = run(checkout, TEST=project(checkout, CALL, SET_UP, TEAR_DOWN, CRASH, ALONE, STEADY))
    assert code == 0, "\n".join(lines)
    assert flaky(lines) == {"test_call", "test_set_up", "test_tear_down", "test_crash", "test_alone"}
    end = lines[lines.index("ci: closing lines of check and test") :]
    assert [line for line in end if " passed" in line and " failed" in line], "the first closing line stands"
    assert "FLAKY project/test_it.py::test_call" in end
    assert ends(lines, "ci: check and test: passed, ", "ci: guests: passed, ")


@pytest.mark.parametrize("test", [TWICE, SKIPPED], ids=["fails", "is skipped"])
def test_what_does_not_pass_the_second_time_fails_the_run(checkout: Path, test: str) -> None:
    code, lines = run(checkout, TEST=project(checkout, CALL, test, STEADY))
    assert code == 1
    assert "test_call" in flaky(lines)
    assert "test_twice" not in flaky(lines)
    assert ends(lines, "ci: check and test: FAILED (2), ", "ci: guests: passed, ")


@pytest.mark.parametrize("tests", [MANY, UNREADABLE], ids=["many", "collection"])
def test_what_is_no_chance_is_not_run_again(checkout: Path, tests: str) -> None:
    code, lines = run(checkout, TEST=project(checkout, tests))
    assert code == 1
    assert not flaky(lines)
    assert not [line for line in lines if line.startswith("run again")]


def test_a_run_that_did_not_come_to_its_end_is_not_repeated(checkout: Path) -> None:
    hangs = "def test_hangs():\n    import time; time.sleep(1000)\n"
    code, lines = run(checkout, TEST=project(checkout, CALL, hangs), CI_LIMIT_TESTS="5s")
    assert code == 1
    assert not flaky(lines)
    assert not [line for line in lines if line.startswith("run again")]


def test_an_earlier_run_s_failures_are_not_run(checkout: Path) -> None:
    command = project(checkout, CALL, "def test_of_then():\n    assert first_time('then'), 'it passed just now'\n")
    kept = checkout / ".pytest_cache/v/cache/lastfailed"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"project/test_it.py::test_of_then": true}')
    code, lines = run(checkout, TEST=command)
    assert code == 0
    assert flaky(lines) == {"test_call"}


def test_programs_of_ctest_run_once_more_too(checkout: Path) -> None:
    build = checkout / "build"
    build.mkdir()
    once = f"test -e {build}/seen || {{ touch {build}/seen; exit 1; }}"
    (build / "CTestTestfile.cmake").write_text(f'add_test(steady true)\nadd_test(once sh -c "{once}")\n')
    command = "$(RUN_TESTS) ctest --test-dir build --no-tests=error --parallel 2"
    code, lines = run(checkout, TEST=command)
    assert code == 0, "\n".join(lines)
    assert f"{FLAKY}once" in lines
    (build / "CTestTestfile.cmake").write_text("add_test(steady true)\nadd_test(twice false)\n")
    code, lines = run(checkout, TEST=command)
    assert code == 1
    assert not [line for line in lines if line.startswith(FLAKY)]
    assert [line for line in lines if line.startswith("run again")]


def test_checks_that_fail_are_not_repeated(checkout: Path) -> None:
    code, lines = run(checkout, CHECK="echo looked; exit 1")
    assert code == 1
    assert lines.count("looked") == 1
