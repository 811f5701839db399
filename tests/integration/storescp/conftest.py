"""The receiver as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.receiver import receivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.receiver import StartReceiver


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[StartReceiver]:
    """Give a function that starts a receiver with settings; they end with the test."""
    with receivers(tmp_path / "receiver") as start:
        yield start
