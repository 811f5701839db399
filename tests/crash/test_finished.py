"""Results of the crash matrix that are kept for a run that goes on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.crash.matrix.finished import Finished, commit_here
from tests.crash.matrix.kills import Result

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = Result("receive", 7, acknowledged=20)


def test_a_run_goes_on_with_what_is_done(tmp_path: Path) -> None:
    file = tmp_path / "finished.jsonl"
    Finished(file, "c1", brief=True).add(CLEAN)
    assert Finished(file, "c1", brief=True).read() == {"receive": CLEAN}


@pytest.mark.parametrize(("commit", "brief"), [("c2", True), ("c1", False)])
def test_a_result_of_another_commit_or_length_does_not_count(tmp_path: Path, commit: str, brief: bool) -> None:
    file = tmp_path / "finished.jsonl"
    Finished(file, "c1", brief=True).add(CLEAN)
    assert Finished(file, commit, brief=brief).read() == {}


def test_a_failure_and_a_line_cut_off_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "finished.jsonl"
    finished = Finished(file, "c1", brief=True)
    finished.add(CLEAN)
    finished.add(Result("deliver", 3, verdicts=Counter(missing=1), troubles=["one is missing"]))
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"commit": "c1", "bri')
    assert finished.read() == {"receive": CLEAN}


def test_nothing_is_kept_without_a_file_or_with_changes_beside(tmp_path: Path) -> None:
    Finished(None, "c1", brief=True).add(CLEAN)
    assert Finished(None, "c1", brief=True).read() == {}
    file = tmp_path / "finished.jsonl"
    Finished(file, f"{commit_here().split()[0]} and changes", brief=True).add(CLEAN)
    assert not file.exists()
