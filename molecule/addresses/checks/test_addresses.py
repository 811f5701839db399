"""A change of addresses is kept when the play comes back, and undone by the host itself when not."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tests.guests.commands import run, succeeds
from tests.guests.places import CHECKOUT
from tests.guests.ssh import ask
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.guests.guest import Guest
    from tests.guests.play import Run

    Addresses = Callable[..., Run]

STATE = "/var/lib/mercure-addresses"


def links(*addresses: str, gateway: str = "10.66.0.1") -> list[dict[str, Any]]:
    return [{"name": "host0", "addresses": list(addresses), "gateway": gateway}]


def on(guest: Guest, command: str) -> str:
    return ask(guest.lab, guest.spec, command, seconds=60)


def is_at(guest: Guest, address: str) -> bool:
    return succeeds(*guest.lan.inside("nc", "-z", "-w", "2", address, "22"))


def is_settled(guest: Guest) -> bool:
    return "settled" in on(guest, f"sudo test -e {STATE}/trying || echo settled")


def test_the_addresses_of_the_inventory_are_there_and_kept(guest: Guest) -> None:
    assert is_at(guest, "10.66.0.11")
    assert is_at(guest, "10.66.0.111")
    assert is_settled(guest)


def test_a_host_moves_to_another_address_and_back(guest: Guest, addresses: Addresses, tmp_path: Path) -> None:
    done = addresses(network_links=links("10.66.0.112/24"), network_return="10.66.0.112")
    assert done.exit_code == 0, done.text
    assert is_at(guest, "10.66.0.112")
    assert not is_at(guest, "10.66.0.11")
    # As an administrator would: in the inventory. On the command line it would stand above what the role finds.
    moved = tmp_path / "moved.yml"
    moved.write_text("all: {hosts: {router1: {ansible_host: 10.66.0.112}}}\n")
    back = links("10.66.0.11/24", "10.66.0.111/24")
    done = addresses(f"--inventory={moved}", network_links=back, network_return="10.66.0.11")
    assert done.exit_code == 0, done.text
    assert is_at(guest, "10.66.0.11")
    assert is_settled(guest)


def test_addresses_by_which_nobody_can_come_back_are_undone_by_the_host(guest: Guest, addresses: Addresses) -> None:
    before = on(guest, "cat /etc/network/interfaces; ip -brief address; ip route")
    wrong = links("10.67.0.11/24", gateway="10.67.0.1")
    addresses(network_links=wrong, network_return="10.67.0.11").refuses("could not come back", "by itself")
    assert on(guest, "cat /etc/network/interfaces; ip -brief address; ip route") == before
    assert is_settled(guest)


def test_what_does_not_come_up_is_undone_at_once(guest: Guest) -> None:
    # Not through the judge, which would refuse it: what ifup itself says no to.
    broken = json.dumps({"/etc/network/interfaces": "auto lo host0\niface lo inet loopback\niface host0 inet static\n"})
    begin = f"echo '{broken}' | sudo tee {STATE}/wanted.json && sudo mercure-addresses try 300 && echo begun"
    assert "begun" in on(guest, begin)
    wait_until(lambda: is_settled(guest), seconds=60, what="the host to go back")
    assert is_at(guest, "10.66.0.11")
    assert "did not come up" in on(guest, "sudo journalctl --unit mercure-addresses-change --no-pager")


def test_a_reset_in_the_middle_of_a_try_goes_back(guest: Guest) -> None:
    text = on(guest, "cat /etc/network/interfaces")
    wanted = json.dumps({"/etc/network/interfaces": text.replace("10.66.0.11/24", "10.66.0.12/24")})
    on(guest, f"echo '{wanted}' | sudo tee {STATE}/wanted.json && sudo mercure-addresses try 600")
    wait_until(lambda: is_at(guest, "10.66.0.12"), seconds=30, what="the new address")
    for command in ("kill", "start"):  # programs of their own: what they start outlives this one
        run(sys.executable, "-m", "tests.guests", guest.lab.scenario, command, guest.spec.name, cwd=CHECKOUT)
    assert on(guest, "cat /etc/network/interfaces") == text
    assert is_settled(guest)


def test_name_servers_that_do_not_answer_are_not_taken(guest: Guest, addresses: Addresses) -> None:
    before = on(guest, "cat /etc/resolv.conf")
    addresses(network_dns_servers=["10.66.0.1"]).refuses("none of these name servers answers: 10.66.0.1")
    assert on(guest, "cat /etc/resolv.conf") == before


def test_addresses_without_the_one_of_the_play_are_refused(addresses: Addresses) -> None:
    addresses(network_links=links("10.66.0.13/24")).refuses("The play comes by 10.66.0.11", "Nothing was changed")
    addresses(network_links=links("10.66.0.11")).refuses("needs the length of its network", "Nothing was changed")
