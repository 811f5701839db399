"""The guest, and a run of the playbook's part that sets addresses."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.guests.guest import Guest
from tests.guests.places import Lab
from tests.guests.play import play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.guests.play import Run


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest.named(Lab(os.environ["MOLECULE_SCENARIO_NAME"]), "router1")


@pytest.fixture
def addresses(tmp_path: Path) -> Callable[..., Run]:
    return partial(play, tmp_path, "--tags=addresses,names")
