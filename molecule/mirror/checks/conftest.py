"""The guest, and its boots with the disks that are in it."""

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

    Boot = Callable[..., None]


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest.named(Lab(os.environ["MOLECULE_SCENARIO_NAME"]), "router1")


@pytest.fixture
def boot(guest: Guest) -> Boot:
    """Shut the guest down, take out the disks with some serial numbers, put back all others, and boot it."""

    def boot(*pulled: str) -> None:
        guest.switch_off()
        guest.pull(*pulled)
        guest.start()

    return boot


@pytest.fixture
def storage(tmp_path: Path) -> Callable[..., Run]:
    return partial(play, tmp_path, "--tags=storage")
