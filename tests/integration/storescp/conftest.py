"""The receiver as a fixture, and certificates for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.receiver import receivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Authority, Certificate
    from tests.support.receiver import StartReceiver


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[StartReceiver]:
    """Give a function that starts a receiver with settings; they end with the test."""
    with receivers(tmp_path / "receiver") as start:
        yield start


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give an authority that signs certificates."""
    return make_authority(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="module")
def router(hospital: Authority) -> Certificate:
    """Give the receiver's certificate."""
    return hospital.sign("router", purpose="server")
