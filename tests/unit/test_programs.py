"""Calling programs that answer and end: their output is text whatever it holds, and nobody waits for ever."""

from __future__ import annotations

import subprocess

import pytest

from mercure.programs import run_program


def test_what_is_no_text_is_told_all_the_same() -> None:
    done = run_program(["/bin/sh", "-c", r"printf 'a\377b'; printf 'c\376' >&2; exit 3"], seconds=30)
    assert (done.returncode, done.stdout, done.stderr) == (3, "a\ufffdb", "c\ufffd")


def test_it_is_given_no_input_and_the_environment_that_is_wanted() -> None:
    assert run_program(["/bin/cat"], seconds=30).stdout == ""
    assert run_program(["/usr/bin/env"], seconds=30, environment={"A": "1"}).stdout == "A=1\n"


def test_one_that_does_not_end_is_killed_and_one_that_is_not_there_is_told() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["/bin/sleep", "600"], seconds=0.1)
    with pytest.raises(FileNotFoundError):
        run_program(["/nonexistent"], seconds=1)
