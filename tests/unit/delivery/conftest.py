"""Fixtures of the tests of delivery."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.box import Box
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.unit.delivery.desk import Desk, opened
from tests.unit.delivery.groups import Group

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


@pytest.fixture
def box() -> Iterator[Box]:
    """Give a box with the default configuration; its spool is in memory, too."""
    with memory_folder() as folder:
        made = Box(folder)
        made.configure()
        yield made
        made.close()


@pytest.fixture
def group(box: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    """Give a group of targets in that box; at the end none of its threads may be left."""
    before = set(threading.enumerate())
    yield Group(box, monkeypatch)
    eventually(lambda: set(threading.enumerate()) <= before, what="all deliveries and questions have ended")
