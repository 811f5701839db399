"""A run of the playbook with another inventory, and what it did to the guest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.guest import Guest
from tests.guests.nspawn import BUILDS
from tests.guests.places import Lab
from tests.guests.play import Run, play
from tests.guests.ssh import ask

if TYPE_CHECKING:
    from pathlib import Path

NAME = "router1"
_LEFT_OUT = (
    "*/.ansible*",
    "/var/lib/systemd/*",
    "/var/lib/apt/*",
    "/var/lib/sudo/*",
    *(f"{path}/*" for path in BUILDS),
)
"""What any login or look at a host leaves behind; and folders of this machine, which other guests write to."""
_STATE = (
    f"sudo find /etc /home /opt /srv /usr /var/lib -xdev {' '.join(f'-not -path {path!r}' for path in _LEFT_OUT)} "
    "-printf '%p %T@ %m %u %s\\n' | sort"
)


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest.named(Lab(os.environ["MOLECULE_SCENARIO_NAME"]), NAME)


@dataclass(frozen=True)
class Playbook:
    """The playbook, with settings on top of the inventory of the scenario."""

    guest: Guest
    folder: Path

    def run(self, **settings: Any) -> Run:
        return play(self.folder, **settings)

    def state(self) -> set[str]:
        """Return a line for every file of the guest that the playbook could touch."""
        lines = ask(self.guest.lab, self.guest.spec, _STATE, seconds=120).splitlines()
        assert len(lines) > 1000, "the guest could not be asked"
        return set(lines)


@pytest.fixture
def playbook(guest: Guest, tmp_path: Path) -> Playbook:
    return Playbook(guest, tmp_path)
