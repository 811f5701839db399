"""Mistakes in an inventory: each is refused in words that help, before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.commands import run
from tests.guests.lan import Lan
from tests.guests.ssh import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Playbook

    from tests.guests.guest import Guest

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA anna"

MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an unknown key": ({"router_prot": 11112}, ("router_prot is no key", "did you mean router_port?")),
    "a port that is none": ({"router_port": 70000}, ("router_port", "Nothing was changed")),
    "a disk that is missing": (
        {"storage_device": "/dev/disk/by-id/nvme-none"},
        ("/dev/disk/by-id/nvme-none is no disk of router1", "data-ssd0", "Nothing was changed"),
    ),
    "a disk that is too small": (
        {"storage_minimum_gb": 4000},
        ("data-ssd0 has 12.9 GB", "storage_minimum_gb is 4000", "Nothing was changed"),
    ),
    "a network range that is none": (
        {"firewall_dicom_networks": ["10.66.1.0/33"]},
        ("'10.66.1.0/33' does not appear to be an IPv4 or IPv6 network", "Nothing was changed"),
    ),
    "a range that is the address of a host": (
        {"firewall_https_networks": ["10.66.0.7/24"]},
        ("10.66.0.7/24 has host bits set", "Nothing was changed"),
    ),
    "rules that would cut off who plays": (
        {"firewall_ssh_networks": ["192.0.2.0/24"]},
        ("comes from 10.66.0.1, which is in none of firewall_ssh_networks", "Nothing was changed"),
    ),
    "nobody who could log in": (
        {"base_people": [{"name": "anna", "role": "admin", "ssh_keys": []}]},
        ("anna has no SSH key", "Nothing was changed"),
    ),
    "a key that is none": (
        {"base_people": [{"name": "anna", "role": "admin", "ssh_keys": ["ssh-ed25519 AAAA"]}]},
        ("is no public SSH key", "Nothing was changed"),
    ),
    "somebody who would take root from himself": (
        {
            "base_people": [
                {"name": "anna", "role": "admin", "ssh_keys": [KEY]},
                {"name": "rita", "role": "root", "ssh_keys": [KEY]},
            ]
        },
        ("anna plays, and is no root in base_people", "Nothing was changed"),
    ),
    "no admin": (
        {"base_people": [{"name": "vera", "role": "viewer", "ssh_keys": [KEY]}]},
        ("names no admin", "Nothing was changed"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_and_nothing_changed(playbook: Playbook, mistake: str) -> None:
    settings, words = MISTAKES[mistake]
    before = playbook.state()
    playbook.run(**settings).refuses(*words)
    assert playbook.state() ^ before == set()


def test_a_disk_with_data_is_refused_and_keeps_it(playbook: Playbook, guest: Guest) -> None:
    device = guest.disk.device()
    assert device is not None
    run("mkfs.ext4", "-q", "-F", "-L", "precious", device)
    before, content = playbook.state(), guest.disk.digest()
    try:
        words = ("There is something on /dev/disk/by-id/data-ssd0", "precious", "erase everything on")
        playbook.run().refuses(*words, "Nothing was changed")
        assert playbook.state() ^ before == set()
        assert guest.disk.digest() == content
    finally:
        run("wipefs", "--quiet", "--all", device)
        run("dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=16", "conv=fsync", "status=none")


@pytest.fixture
def another_distribution(guest: Guest) -> Iterator[None]:
    change = "sudo cp --archive --dereference /etc/os-release /run/os-release && "
    change += "printf 'ID=ubuntu\\nNAME=Ubuntu\\nVERSION_ID=\"24.04\"\\n' | sudo tee /run/other >/dev/null && "
    ask(guest.lab, guest.spec, change + "sudo mount --bind /run/other /etc/os-release", seconds=30)
    yield
    ask(guest.lab, guest.spec, "sudo umount /etc/os-release", seconds=30)


def test_a_host_of_another_distribution_is_refused(playbook: Playbook, another_distribution: None) -> None:
    before = playbook.state()
    playbook.run().refuses("The router runs on Debian 12 and 13", "Nothing was changed")
    assert playbook.state() ^ before == set()


@pytest.fixture
def no_registries(guest: Guest) -> Iterator[None]:
    Lan(guest.lab).close_registries()
    yield
    Lan(guest.lab).open_registries(guest.spec.release)


def test_without_registries_it_says_so_and_changes_nothing(playbook: Playbook, no_registries: None) -> None:
    before = playbook.state()
    playbook.run().refuses("package sources", "do not answer", "Nothing was changed")
    assert playbook.state() ^ before == set()
