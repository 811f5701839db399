"""Fixtures of the tests of processing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """Give a root."""
    made = Box(tmp_path / "root")
    made.configure()
    yield made
    made.close()
