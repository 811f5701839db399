"""A disk that ends in the middle: what a sync says then must be true, whatever the file system would like to say."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from mercure import durable
from tests.support.cuttable_disk import CuttableDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _write(point: Path) -> None:
    durable.write_file(point / "there" / "file", b"new")


def _move(point: Path) -> None:
    durable.rename(point / "file", point / "there" / "file")


@pytest.mark.parametrize("act", [_write, _move])
def test_a_rename_that_the_disk_forgot_is_an_error(
    cuttable_disk: CuttableDisk, act: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """XFS that has shut itself down says of a directory that it is synced."""
    durable.make_directory(cuttable_disk.point / "there")
    durable.write_file(cuttable_disk.point / "file", b"old")

    sync = os.fsync

    def cut_and_sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            cuttable_disk.cut()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", cut_and_sync)
    with pytest.raises(OSError, match="Input/output error"):
        act(cuttable_disk.point)
    monkeypatch.undo()
    cuttable_disk.unmount()
    cuttable_disk.mount()
    assert not (cuttable_disk.point / "there" / "file").exists()
