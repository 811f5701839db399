"""What is written is whole, durable and under its name, or not there at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mercure import durable
from tests.support.faults import Crash, counted, crash_at, failing_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def operations(taken: list[tuple[str, str]]) -> list[str]:
    return [operation for operation, _ in taken]


def test_a_replacement_is_written_synced_renamed_and_its_directory_synced(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with counted() as steps:
        durable.write_file(path, b"new", mode=0o600)
    assert operations(steps.taken) == ["write", "fsync", "rename", "fsyncdir"]
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["f"]


def test_a_hint_is_replaced_whole_without_syncs(tmp_path: Path) -> None:
    with counted() as steps:
        durable.write_file(tmp_path / "f", b"hint", sync=False)
    assert operations(steps.taken) == ["write", "rename"]


@pytest.mark.parametrize("number", range(1, 5))
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_replacement_that_fails_leaves_old_or_new_and_no_litter(tmp_path: Path, number: int, error: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with failing_at(number, error), pytest.raises(OSError, match=r"space|Input"):
        durable.write_file(path, b"new")
    assert path.read_bytes() == (b"new" if number == 4 else b"old")
    assert names(tmp_path) == ["f"]


def test_a_large_copy_is_whole_and_not_a_link(tmp_path: Path) -> None:
    source = tmp_path / "s"
    data = os.urandom(9 * 1024 * 1024)
    source.write_bytes(data)
    assert durable.copy_file(source, tmp_path / "d") == len(data)
    assert (tmp_path / "d").read_bytes() == data
    assert source.stat().st_nlink == 1


def test_a_copy_of_nothing_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"")
    assert durable.copy_file(tmp_path / "s", tmp_path / "d") == 0
    assert (tmp_path / "d").read_bytes() == b""


@pytest.mark.parametrize("number", range(1, 5))
def test_a_copy_that_fails_is_not_there_under_its_name(tmp_path: Path, number: int) -> None:
    (tmp_path / "s").write_bytes(b"data")
    with failing_at(number, "EIO"), pytest.raises(OSError, match="Input"):
        durable.copy_file(tmp_path / "s", tmp_path / "d")
    assert names(tmp_path) == (["d", "s"] if number == 4 else ["s"])


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_beside_what_is_there_refuses_instead_of_replacing(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two deliveries may bring the same name at the same moment; a file system may know no hard links."""
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "s").write_bytes(b"new")
    (tmp_path / "d").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        durable.copy_file(tmp_path / "s", tmp_path / "d", replace=False)
    assert (tmp_path / "d").read_bytes() == b"old"
    assert names(tmp_path) == ["d", "s"]
    assert durable.copy_file(tmp_path / "s", tmp_path / "e", replace=False) == 3
    assert (tmp_path / "e").read_bytes() == b"new"
    assert names(tmp_path) == ["d", "e", "s"]
    assert (tmp_path / "e").stat().st_nlink == 1


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_an_append_is_synced_and_a_new_file_gets_its_directory_synced(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with counted() as steps:
        durable.append_to(path, b"1\n")
    assert operations(steps.taken) == ["append", "fdatasync", "fsyncdir"]
    with counted() as steps:
        durable.append_to(path, b"2\n")
    assert operations(steps.taken) == ["append", "fdatasync"]
    assert path.read_bytes() == b"1\n2\n"


def test_a_directory_is_made_once(tmp_path: Path) -> None:
    with counted() as steps:
        assert durable.make_directory(tmp_path / "d")
        assert not durable.make_directory(tmp_path / "d")
    assert operations(steps.taken) == ["mkdir", "fsyncdir", "mkdir"]


def test_a_move_syncs_both_sides(tmp_path: Path) -> None:
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    with counted() as steps:
        durable.rename(tmp_path / "a" / "x", tmp_path / "b" / "x")
    assert [path for operation, path in steps.taken if operation == "fsyncdir"] == [
        str(tmp_path / "b"),
        str(tmp_path / "a"),
    ]
    with counted() as steps:
        durable.rename(tmp_path / "b" / "x", tmp_path / "b" / "y")
    assert operations(steps.taken) == ["rename", "fsyncdir"]


def test_a_name_that_is_gone_is_no_error(tmp_path: Path) -> None:
    durable.unlink(tmp_path / "nothing")
    durable.remove_tree(tmp_path / "nothing")


def fill(folder: Path) -> Path:
    outside = folder / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    tree = folder / "tree"
    (tree / "deep" / "deeper").mkdir(parents=True)
    (tree / "deep" / "deeper" / "f").write_bytes(b"1")
    (tree / "f").write_bytes(b"2")
    (tree / "away").symlink_to(outside)
    return tree


def test_a_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    durable.remove_tree(fill(tmp_path))
    assert names(tmp_path) == ["outside"]
    assert names(tmp_path / "outside") == ["precious"]


def test_a_tree_is_whole_under_its_name_or_not_there_at_any_crash(tmp_path: Path) -> None:
    for number in range(1, 100):
        folder = tmp_path / str(number)
        folder.mkdir()
        tree = fill(folder)
        with crash_at(number) as steps, suppress(Crash):
            durable.remove_tree(tree)
        if tree.exists():
            assert (tree / "deep" / "deeper" / "f").read_bytes() == b"1"
            assert (tree / "f").read_bytes() == b"2"
        for left in folder.iterdir():
            assert left.name.startswith(".tree.") or left.name in ("tree", "outside")
        if len(steps) < number:
            return
        for left in [path for path in folder.iterdir() if path.name.startswith(".")]:
            durable.remove_tree(left)
            assert not left.exists()
    pytest.fail("removing a small tree took 99 steps")


@pytest.mark.parametrize(
    "work",
    [
        lambda folder: durable.write_file(folder / "no" / "f", b""),
        lambda folder: durable.append_to(folder / "no" / "f", b"x"),
        lambda folder: durable.make_directory(folder / "no" / "d"),
        lambda folder: durable.rename(folder / "no", folder / "d"),
        lambda folder: durable.link(folder / "no", folder / "d"),
        lambda folder: durable.sync_directory(folder / "no"),
        lambda folder: durable.copy_file(folder / "no", folder / "d"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, work: Callable[[Path], object]) -> None:
    with pytest.raises(FileNotFoundError):
        work(tmp_path)
