"""What the guest offers to each network: only what the inventory names."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.station import Station

if TYPE_CHECKING:
    from tests.guests.guest import Guest
    from tests.guests.places import Lab

OFFERED = {
    "administration": {22, 443},
    "scanners": {104, 11112},
    "archives": set(),
    "strangers": set(),
}
"""molecule/inventory/group_vars/all.yml: firewall_*."""


@pytest.mark.parametrize("network", sorted(OFFERED))
def test_a_network_is_offered_what_the_inventory_names_and_nothing_else(lab: Lab, guest: Guest, network: str) -> None:
    station = Station(lab, network)
    done = station.run(sys.executable, "-m", "tests.guests.scan", station.address, guest.spec.address, seconds=300)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == OFFERED[network]


def test_what_listens_beyond_loopback_is_what_is_offered(host: Any) -> None:
    with host.sudo():
        lines = host.check_output("ss --tcp --listening --numeric --no-header --processes").splitlines()
    # Local address and port are the fourth field; [::1], 127.x and interfaces of loopback are nobody else's.
    sockets = {line.split()[3] for line in lines}
    outside = {name.rpartition(":")[2] for name in sockets if not name.startswith(("127.", "[::1]"))}
    assert outside <= {"22", "443", "80", "11112"}, lines
