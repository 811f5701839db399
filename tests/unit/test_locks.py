"""Locks on folders: one at a time, and who only looks does not wait."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from mercure.locks import locked, opened, try_lock
from tests.support.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_one_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        with opened(tmp_path) as descriptor:
            assert not try_lock(descriptor)
            assert not try_lock(descriptor, shared=True)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]
    eventually(lambda: free(tmp_path))


def free(folder: Path) -> bool:
    with opened(folder) as descriptor:
        return try_lock(descriptor)


def test_several_may_share_it(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:
        assert try_lock(one, shared=True)
        assert try_lock(other, shared=True)
        assert not free(tmp_path)


def test_a_link_is_refused_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert free(tmp_path / "link")
    with pytest.raises(OSError, match="link"), opened(tmp_path / "link", follow=False):
        pass
    assert os.listdir(tmp_path / "folder") == []
