"""MERCURE_STEP_LOG and MERCURE_FAULT: the two switches on which the crash tests rest."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mercure import durable
from tests.support.polling import eventually
from tests.support.procfs import is_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from mercure import durable
folder = Path(sys.argv[1])
durable.write_file(folder / "a", b"1")
durable.make_directory(folder / "d", sync=False)
durable.rename(folder / "a", folder / "d" / "a")
print("done")
"""
STEPS = ["write a", "fsync a", "rename a", "fsyncdir .", "mkdir d", "rename d/a", "fsyncdir d", "fsyncdir ."]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give the environment; what it says is read at the next step, and forgotten after the test."""
    durable.reload_faults()
    yield monkeypatch
    monkeypatch.undo()
    durable.reload_faults()


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_log_names_process_number_operation_and_path(tmp_path: Path) -> None:
    log = tmp_path / "steps"
    folder = tmp_path / "work"
    folder.mkdir()
    done = run(folder, MERCURE_STEP_LOG=str(log))
    assert done.stdout == "done\n"
    lines = [line.split(" ", 3) for line in log.read_text(encoding="utf-8").splitlines()]
    assert len({line[0] for line in lines}) == 1
    assert [int(line[1]) for line in lines] == list(range(1, len(STEPS) + 1))
    assert [f"{line[2]} {os.path.relpath(line[3], folder)}" for line in lines] == STEPS


@pytest.mark.parametrize(("action", "code"), [("exit", durable.EXIT_AT_FAULT), ("kill", -signal.SIGKILL)])
@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_the_process_ends_before_the_step(tmp_path: Path, action: str, code: int, number: int) -> None:
    log = tmp_path / "steps"
    folder = tmp_path / "work"
    folder.mkdir()
    done = run(folder, MERCURE_FAULT=f"{action}@{number}", MERCURE_STEP_LOG=str(log))
    assert (done.returncode, done.stdout) == (code, "")
    assert len(log.read_text(encoding="utf-8").splitlines()) == number
    moved, written = (folder / "d" / "a").exists(), (folder / "a").exists()
    assert written == (3 < number <= 6)
    assert moved == (number > 6)


def test_the_process_stands_still_before_the_step_until_it_is_let_go_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env={**os.environ, "MERCURE_FAULT": "stop@6"}
    ) as process:
        eventually(lambda: is_stopped(process.pid), seconds=30, what="it stands still")
        assert (tmp_path / "a").exists()
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
        assert (tmp_path / "d" / "a").exists()


@pytest.mark.parametrize(
    ("fault", "failing"),
    [("ENOSPC@2", {2}), ("EIO@2+", {2, 3, 4}), ("EROFS@1,ENOSPC@3", {1, 3}), (" EIO@4 ", {4}), ("", set())],
)
def test_errors_at_one_step_or_from_one_on(faults: pytest.MonkeyPatch, fault: str, failing: set[int]) -> None:
    faults.setenv("MERCURE_FAULT", fault)
    for number in range(1, 5):
        if number in failing:
            with pytest.raises(OSError, match="MERCURE_FAULT") as caught:
                durable.step("write", "x")
            assert caught.value.filename == "x"
            assert errno.errorcode[caught.value.errno or 0] in fault
        else:
            durable.step("write", "x")


@pytest.mark.parametrize("fault", ["ENOSPC", "ENOSPC@", "ENOSPC@x", "boom@1", "@1", "exit@-1", "exit@1++", "exit@1;"])
def test_a_fault_that_cannot_be_read_is_refused(faults: pytest.MonkeyPatch, fault: str) -> None:
    faults.setenv("MERCURE_FAULT", fault)
    with pytest.raises(ValueError, match="MERCURE_FAULT"):
        durable.step("write", "x")
