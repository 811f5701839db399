"""The index over a stage: it reads what is new or changed and nothing else, and what it says is what is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercure.scheduling.stage_index import StageIndex, folder_stamp, task_stamps

if TYPE_CHECKING:
    from pathlib import Path

NAME = "20261130T080000000000-{:08x}".format


class Shelf:
    """Entries with a version that somebody else changes; counts what is read."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        self.read: list[str] = []
        self.unstamped: set[str] = set()
        self.index: StageIndex[int, str] = StageIndex(self.stamp, self.look)

    def stamp(self, name: str) -> int | None:
        return None if name in self.unstamped else self.there.get(name)

    def look(self, name: str, stamp: int | None, before: str | None) -> str | None:
        self.read.append(name)
        return f"{name} {self.there[name]}" if name in self.there else None


def test_an_entry_is_read_once_until_it_changes() -> None:
    shelf = Shelf()
    shelf.there["a"] = 1
    assert [shelf.index.look("a") for _ in range(3)] == ["a 1"] * 3
    shelf.there["a"] = 2
    assert shelf.index.look("a") == "a 2"
    assert shelf.read == ["a", "a"]
    del shelf.there["a"]
    assert shelf.index.look("a") is None
    assert not shelf.index


def test_without_a_stamp_it_is_read_each_time() -> None:
    shelf = Shelf()
    shelf.there["a"], shelf.unstamped = 1, {"a"}
    assert shelf.index.look("a") == shelf.index.look("a") == "a 1"
    assert shelf.read == ["a", "a"]


def test_what_was_noted_without_a_stamp_counts_until_the_next_look() -> None:
    shelf = Shelf()
    shelf.there["a"] = 1
    shelf.index.put("a", None, "noted")
    assert shelf.index.get("a") == "noted"
    assert shelf.index.look("a") == "a 1"


def test_an_entry_that_cannot_be_read_stays_as_it_was() -> None:
    shelf = Shelf()
    shelf.there["a"] = 1
    shelf.index.look("a")

    def refuse(name: str, stamp: int | None, before: str | None) -> str | None:
        raise OSError("the disk is gone")

    shelf.index._read = refuse
    shelf.there["a"] = 2
    with pytest.raises(OSError, match="gone"):
        shelf.index.look("a")
    assert shelf.index.get("a") == "a 1"


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3)), max_size=8))
def test_a_comparison_finds_what_reading_all_anew_finds(states: list[dict[str, int]]) -> None:
    shelf = Shelf()
    for state in states:
        before, shelf.there = shelf.there, state
        shelf.read.clear()
        shelf.index.compare(state)
        assert {name: shelf.index.get(name) for name in shelf.index} == {k: f"{k} {v}" for k, v in state.items()}
        assert sorted(shelf.read) == sorted(name for name in state if before.get(name) != state[name])
        assert len(shelf.index) == len(state) == len(shelf.index.values())


def test_the_stamps_of_a_stage_are_those_of_its_tasks(tmp_path: Path) -> None:
    for name in (NAME(1), NAME(2), ".hidden", "no-task"):
        (tmp_path / name).mkdir()
    stamps = task_stamps(tmp_path)
    assert set(stamps) == {NAME(1), NAME(2)}
    assert all(folder_stamp(tmp_path / name) == stamp for name, stamp in stamps.items())
    os.utime(tmp_path / NAME(1), ns=(0, 0))
    assert task_stamps(tmp_path)[NAME(1)] != stamps[NAME(1)]
    assert task_stamps(tmp_path)[NAME(2)] == stamps[NAME(2)]
    assert folder_stamp(tmp_path / "gone") is None


def test_the_stamps_are_the_same_for_names_that_are_known(tmp_path: Path) -> None:
    for name in (NAME(1), NAME(2), NAME(3), "no-task"):
        (tmp_path / name).mkdir()
    assert task_stamps(tmp_path, {NAME(2): None, NAME(4): None}) == task_stamps(tmp_path)


def test_a_task_that_moves_on_during_the_look_has_no_stamp(tmp_path: Path) -> None:
    (tmp_path / NAME(1)).mkdir()
    (tmp_path / NAME(2)).mkdir()

    class Known:
        def __contains__(self, name: object) -> bool:
            if name == NAME(1):
                (tmp_path / NAME(1)).rmdir()
            return False

    assert set(task_stamps(tmp_path, Known())) == {NAME(2)}
    with pytest.raises(FileNotFoundError):
        task_stamps(tmp_path / "gone")
