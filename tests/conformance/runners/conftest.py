"""Each kind of runner in turn, and runs of the probe by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.runners.backends import BACKENDS, Backend
from tests.support.probing import Probing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Give one kind of runner with what is behind it, for all tests of a worker."""
    with BACKENDS[request.param]() as made:
        yield made


@pytest.fixture
def probing(backend: Backend) -> Iterator[Probing]:
    """Give runs by this kind of runner, and see that nothing of them is left."""
    yield Probing(backend)
    assert backend.left() == []
