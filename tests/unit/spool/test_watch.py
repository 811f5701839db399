"""Waking up: a hint that comes within milliseconds where the kernel grants it, and never more than a hint."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
from inotify_simple import INotify

from mercure.spool import Changes, Watcher, nudge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = 30.0


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "a", tmp_path / "b"
    for folder in made:
        folder.mkdir()
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "x").mkdir(),
        lambda folder: (folder / "x").write_bytes(b"1"),
        lambda folder: (folder.parent / "other").rename(folder / "x"),
        lambda folder: nudge(folder / "old"),
        lambda folder: (folder / "old").rename(folder.parent / "x"),
        lambda folder: (folder / "old").rmdir(),
    ],
    ids=["mkdir", "write", "moved in", "nudge", "moved out", "removed"],
)
def test_a_change_wakes_and_is_named(folders: tuple[Path, Path], change: Callable[[Path], object]) -> None:
    folder, other = folders
    (folder / "old").mkdir()
    (folder.parent / "other").mkdir()
    watcher = Watcher([folder, other])
    start = time.monotonic()
    change(folder)
    changes = watcher.wait(LONG)
    watcher.close()
    assert time.monotonic() - start < LONG
    assert changes.within(folder) <= {"x", "old"}
    assert changes.within(folder)
    assert changes.within(other) == set()
    assert not changes.lost


def test_time_passes_when_nothing_happens(folders: tuple[Path, Path]) -> None:
    watcher = Watcher(folders)
    assert watcher.wait(0) == Changes()
    assert watcher.wait(-5) == Changes()
    watcher.close()


def test_another_thread_can_end_the_wait_also_before_it_begins(folders: tuple[Path, Path]) -> None:
    watcher = Watcher(folders)
    watcher.wake()
    assert watcher.wait(LONG) == Changes()
    thread = threading.Thread(target=watcher.wake)
    thread.start()
    assert watcher.wait(LONG) == Changes()
    thread.join()
    for _ in range(100_000):
        watcher.wake()  # a full pipe holds wake-ups enough
    watcher.close()


def test_after_its_end_it_touches_no_descriptor_of_somebody_else(folders: tuple[Path, Path], tmp_path: Path) -> None:
    watcher = Watcher(folders)
    before = set(os.listdir("/proc/self/fd"))
    watcher.close()
    others = [os.open(tmp_path / f"f{number}", os.O_RDWR | os.O_CREAT) for number in range(4)]
    watcher.wake()
    watcher.close()
    assert [os.fstat(descriptor).st_size for descriptor in others] == [0, 0, 0, 0]
    for descriptor in others:
        os.close(descriptor)
    assert len(os.listdir("/proc/self/fd")) < len(before)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOSYS])
def test_without_inotify_it_only_waits(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(INotify, "add_watch", refuse)
    watcher = Watcher(folders)
    (folders[0] / "x").mkdir()
    assert watcher.wait(0.01) == Changes()
    watcher.wake()
    assert watcher.wait(LONG) == Changes()
    watcher.close()


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Watcher([tmp_path / "nothing"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_removed_means_look_at_everything(folders: tuple[Path, Path]) -> None:
    watcher = Watcher(folders)
    folders[0].rmdir()
    assert watcher.wait(LONG).lost
    watcher.close()


def test_a_nudge_of_what_is_gone_is_nothing(tmp_path: Path) -> None:
    nudge(tmp_path / "gone")


def test_everything_may_have_changed_at_the_start(tmp_path: Path) -> None:
    assert Changes.everything().lost
    assert Changes.everything().within(tmp_path) == set()
