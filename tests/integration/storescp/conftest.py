"""The receiver as a fixture."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.receiver import Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class StartReceiver(Protocol):
    """The type of the ``start_receiver`` fixture."""

    def __call__(
        self, *, env: Mapping[str, str] | None = None, folder: Path | None = None, **settings: Any
    ) -> Receiver: ...


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[StartReceiver]:
    """Give a function that starts a receiver with settings; they end with the test."""
    with ExitStack() as stack:

        def start(*, env: Mapping[str, str] | None = None, folder: Path | None = None, **settings: Any) -> Receiver:
            return stack.enter_context(receiver(folder or tmp_path / "receiver", env=env, **settings))

        yield start
