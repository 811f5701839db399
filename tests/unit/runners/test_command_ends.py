"""The runner ``command``: when a run has ended, nothing of it is left, however much there was to end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mercure.config.processing import Processing
from mercure.runners import Run, RunRequest
from mercure.runners.command import CommandRunner
from tests.support.polling import eventually
from tests.support.procfs import sleepers

MANY = 300
"""Processes that the kernel has to end after the sandbox's first one: it takes some milliseconds."""


@pytest.fixture
def mark() -> str:
    """An argument that no other process of the machine has."""
    return f"{os.getpid()}.{time.monotonic_ns()}"


def started(tmp_path: Path, text: str, folders: tuple[str, ...] = ("in", "out")) -> Run:
    for name in folders:
        (tmp_path / name).mkdir()
    request = RunRequest(name="run", folder=tmp_path, image="/bin/sh", arguments=["-c", text], grace_seconds=0)
    return CommandRunner(Processing()).start(request)


def forks(mark: str) -> str:
    return f"for i in $(seq {MANY}); do setsid sleep {mark} & done"


def test_nothing_is_left_of_a_program_that_has_ended(tmp_path: Path, mark: str) -> None:
    run = started(tmp_path, forks(mark))
    status = run.wait(60)
    assert not sleepers(mark)
    assert status.outcome is not None
    assert status.outcome.how == "exited"


def test_nothing_is_left_of_a_program_that_was_stopped(tmp_path: Path, mark: str) -> None:
    run = started(tmp_path, f"{forks(mark)}; wait")
    eventually(lambda: len(sleepers(mark)) == MANY, seconds=60, what="all of them run")
    outcome = run.stop("stopped")
    assert not sleepers(mark)
    assert outcome.how == "stopped"


def test_of_a_sandbox_that_cannot_be_made_nothing_is_waited_for(tmp_path: Path) -> None:
    run = started(tmp_path, "true", folders=("in",))
    outcome = run.wait(60).outcome
    assert outcome is not None
    assert (outcome.how, outcome.code) == ("exited", 1)
    run.collect()
    assert "out" in (tmp_path / "log.txt").read_text()
