"""Fixtures of the tests of retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.box import Box
from tests.support.memory import memory_folder
from tests.unit.retention.attic import Attic

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def attic() -> Iterator[Attic]:
    with memory_folder() as folder:
        box = Box(folder / "root")
        box.configure()
        yield Attic(box)
        box.close()
