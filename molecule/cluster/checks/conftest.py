"""The guests of the cluster, by SSH."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import testinfra

from tests.guests.guest import Guest
from tests.guests.places import Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LAB = Lab(os.environ.get("MOLECULE_SCENARIO_NAME", "cluster"))


@pytest.fixture(scope="session")
def lab() -> Lab:
    return LAB


@pytest.fixture(scope="session")
def guest() -> Callable[[str], Guest]:
    return lambda name: Guest.named(LAB, name)


@pytest.fixture(scope="session")
def host() -> Callable[[str], Any]:
    """Return a guest by its name. Testinfra's own fixture knows nothing of the lab's way to log in."""
    return lambda name: testinfra.get_host(f"ssh://{name}", ssh_config=str(LAB.ssh_config), controlpersist=120)
