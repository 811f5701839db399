"""A router in this process, with a clock that stands still until it is told to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.memory import memory_folder
from tests.support.router_desk import RouterDesk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RouterDesk]:
    made = RouterDesk(tmp_path / "root")
    yield made
    made.box.close()


@pytest.fixture
def desk_in_memory() -> Iterator[RouterDesk]:
    """Give a desk for a test of many syncs: a disk would be all that is measured."""
    with memory_folder() as folder:
        made = RouterDesk(folder / "root")
        yield made
        made.box.close()
