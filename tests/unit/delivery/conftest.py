"""Fixtures of the tests of delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.box import Box
from tests.support.memory import memory_folder
from tests.unit.delivery.desk import Desk, opened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk with two targets; its spool is in memory, because a disk that syncs would hide races."""
    with memory_folder() as folder:
        box = Box(folder / "root")
        made = opened(box, monkeypatch)
        made.configure("archive pacs")
        yield made
        box.close()
