"""Kernel, firewall and sshd agree with the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.guests.guest import Guest

SSHD = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitrootlogin": "no",
    "permitemptypasswords": "no",
    "x11forwarding": "no",
}


def test_the_rules_drop_what_nobody_named(host: Any, settings: dict[str, Any]) -> None:
    with host.sudo():
        rules = host.check_output("nft list ruleset")
    assert "hook input priority filter; policy drop;" in rules
    for network in settings["firewall_dicom_networks"] + settings["firewall_ssh_networks"]:
        assert network in rules


def test_the_firewall_comes_back_at_boot(host: Any) -> None:
    assert host.service("nftables").is_enabled


def test_sshd_takes_keys_and_nothing_else(host: Any) -> None:
    with host.sudo():
        lines = host.check_output("/usr/sbin/sshd -T").splitlines()
    said = dict(line.split(maxsplit=1) for line in lines if " " in line)
    assert {key: said[key] for key in SSHD} == SSHD


def test_every_kernel_setting_that_was_written_is_what_the_kernel_says(host: Any, guest: Guest) -> None:
    # Under nspawn the others are the machine's, and read-only (tests/guests/root); and a namespace may choose
    # only what the machine allows it.
    nspawn = guest.spec.backend == "nspawn"
    judged, left_out = (("net.", "vm."), "net.ipv4.tcp_congestion_control") if nspawn else (("",), "")
    with host.sudo():
        lines = host.check_output("sh -c 'cat /etc/sysctl.d/*mercure*.conf'").splitlines()
        settings = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith(("#", ";")))
        wanted = {key.strip().lstrip("-"): value.split() for key, value in settings}
        wanted = {key: value for key, value in wanted.items() if key.startswith(judged) and key != left_out}
        # All in one question: each costs an emulated guest seconds.
        answers = host.run("/usr/sbin/sysctl --ignore " + " ".join(sorted(wanted))).stdout.splitlines()
        now = {key.strip(): value.split() for key, _, value in (line.partition("=") for line in answers)}
    assert now
    # A kernel may lack what begins with "-"; then there is nothing to say.
    assert {key: value for key, value in now.items() if value and value != wanted[key]} == {}
