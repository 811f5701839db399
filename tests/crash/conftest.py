"""Fixtures of the crash tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.box import Box
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a folder in memory: nearly every step is a sync, and a disk would be all that is measured."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def box(memory: Path) -> Iterator[Box]:
    """Give a root with a default configuration: one rule sends every series to one folder."""
    made = Box(memory / "root")
    made.configure()
    yield made
    made.close()
