"""A run of the playbook with another inventory, and what it did to the guest."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.guest import Guest
from tests.guests.places import CHECKOUT, Lab
from tests.guests.ssh import ask

if TYPE_CHECKING:
    from pathlib import Path

NAME = "router1"
SECONDS = 300
_STATE = (
    "sudo find /etc /home /opt /srv /usr /var/lib -xdev -not -path '*/.ansible*' -not -path '/var/lib/systemd/*' "
    "-not -path '/var/lib/apt/*' -not -path /var/lib/sudo/* -printf '%p %T@ %m %u %s\\n' | sort"
)


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    exit_code: int
    text: str

    def refuses(self, *words: str) -> None:
        """Assert that it failed, and said all of these words, whatever the line breaks."""
        text = " ".join(self.text.split())
        assert self.exit_code != 0, self.text
        for word in words:
            assert word in text, self.text


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest.named(Lab(os.environ["MOLECULE_SCENARIO_NAME"]), NAME)


@dataclass(frozen=True)
class Playbook:
    """The playbook, with settings on top of the inventory of the scenario."""

    guest: Guest
    folder: Path

    def run(self, **settings: Any) -> Run:
        more = self.folder / "settings.json"
        more.write_text(json.dumps(settings))
        inventory = os.environ["ANSIBLE_INVENTORY"]
        done = subprocess.run(
            ["ansible-playbook", "--inventory", inventory, f"--extra-vars=@{more}", "playbook.yml"],
            cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def state(self) -> set[str]:
        """Return a line for every file of the guest that the playbook could touch."""
        lines = ask(self.guest.lab, NAME, _STATE, seconds=120).splitlines()
        assert len(lines) > 1000, "the guest could not be asked"
        return set(lines)


@pytest.fixture
def playbook(guest: Guest, tmp_path: Path) -> Playbook:
    return Playbook(guest, tmp_path)
