"""What every check has: the lab, its network, the guests by SSH, and the inventory."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml

from tests.guests.archive import Archive
from tests.guests.guest import Guest
from tests.guests.places import CHECKOUT, Lab
from tests.guests.station import Station


def pytest_configure() -> None:
    """Look at every host of the scenario, unless told otherwise."""
    os.environ.setdefault("MOLECULE_SCENARIO_NAME", "default")


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab(os.environ["MOLECULE_SCENARIO_NAME"])


@pytest.fixture(scope="session")
def administration(lab: Lab) -> Station:
    return Station(lab, "administration")


@pytest.fixture(scope="session")
def scanners(lab: Lab) -> Station:
    return Station(lab, "scanners")


@pytest.fixture(scope="session")
def strangers(lab: Lab) -> Station:
    return Station(lab, "strangers")


@pytest.fixture(scope="session")
def archive(lab: Lab) -> Archive:
    return Archive(lab)


@pytest.fixture
def settings(host: Any) -> dict[str, Any]:
    """Everything that the inventory says about the host, and the defaults of the roles for what it leaves unsaid."""
    said: dict[str, Any] = {}
    for defaults in sorted(CHECKOUT.glob("roles/*/defaults/main.yml")):
        said.update(yaml.safe_load(defaults.read_text()) or {})
    said.update(host.ansible.get_variables())
    return said


@pytest.fixture
def guest(lab: Lab, settings: dict[str, Any]) -> Guest:
    return Guest.named(lab, settings["inventory_hostname"])
