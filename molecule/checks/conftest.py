"""What every check has: the lab, its network, the guests by SSH, and the inventory."""

from __future__ import annotations

import os
from typing import Any

import pytest
import testinfra
import yaml
from testinfra.utils.ansible_runner import AnsibleRunner

from tests.guests.archive import Archive
from tests.guests.guest import Guest
from tests.guests.places import CHECKOUT, Lab
from tests.guests.station import Station

LAB = Lab(os.environ.get("MOLECULE_SCENARIO_NAME", "default"))
_INVENTORY = AnsibleRunner(os.environ["ANSIBLE_INVENTORY"])


@pytest.fixture(scope="session")
def lab() -> Lab:
    return LAB


@pytest.fixture(scope="session", params=sorted(file.parent.name for file in LAB.folder.glob("*/guest.json")))
def host(request: pytest.FixtureRequest) -> Any:
    """A guest. Testinfra's own fixture knows nothing of the lab's way to log in."""
    spec = Guest.named(LAB, request.param).spec
    return testinfra.get_host(
        f"ssh://{spec.name}",
        ssh_config=str(LAB.ssh_config),
        controlpersist=120 * spec.patience,
        timeout=20 * spec.patience,  # seconds until SSH answers
    )


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
    said.update(_INVENTORY.get_variables(host.backend.hostname))
    return said


@pytest.fixture
def guest(lab: Lab, settings: dict[str, Any]) -> Guest:
    return Guest.named(lab, settings["inventory_hostname"])
