"""What the tests of deliveries to real nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.delivery.nodes import Office

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Give a function that makes an office over the targets it is given."""
    made: list[Office] = []

    def make(**targets: dict[str, object]) -> Office:
        made.append(Office(tmp_path / "root", targets))
        return made[-1]

    yield make
    for item in made:
        item.dispatcher.end()
        item.box.close()
