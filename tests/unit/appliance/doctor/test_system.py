"""Kernel settings, clock, units, updates."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import pytest

from appliance.doctor.checks import jailed, on_time, restricted, running, set_up, shut_in, up_to_date
from tests.support.doctor_host import NOW, Host

TRACKING = """\
Reference ID    : C0000201 (192.0.2.1)
Stratum         : 3
System time     : 0.000012 seconds fast of NTP time
Leap status     : Normal
"""
UNITS = "systemctl show --property=Id,LoadState,ActiveState,Result,UnitFileState,ConditionResult"


@pytest.fixture
def kernel(host: Host) -> Host:
    host.write(
        "/etc/sysctl.d/70-mercure-network.conf", "# why\n-net.core.somaxconn = 4096\nnet.ipv4.tcp_rmem = 1 2 3\n"
    )
    host.write("/etc/sysctl.d/99-local.conf", "kernel.panic = 1\n")
    host.write("/proc/sys/net/core/somaxconn", "4096\n")
    host.write("/proc/sys/net/ipv4/tcp_rmem", "1\t2\t3\n")
    return host


def test_settings_that_are_as_written_are_well(kernel: Host) -> None:
    assert kernel.found(set_up) == []
    (kernel.top / "proc/sys/net/core/somaxconn").unlink()
    assert kernel.found(set_up) == []


def test_a_setting_that_drifted_is_named_with_its_file(kernel: Host) -> None:
    kernel.write("/proc/sys/net/ipv4/tcp_rmem", "1 2 9\n")
    ((outcome, text, mend),) = kernel.found(set_up)
    assert outcome == "warning"
    assert text == "net.ipv4.tcp_rmem is 1 2 9, and 1 2 3 was set in /etc/sysctl.d/70-mercure-network.conf"
    assert "sysctl --load=/etc/sysctl.d/70-mercure-network.conf" in mend


SANDBOXES = {
    "/usr/bin/bwrap": "",
    "/proc/sys/kernel/seccomp/actions_avail": "kill_process kill_thread trap errno user_notif trace log allow\n",
    "/proc/sys/user/max_user_namespaces": "15000\n",
    "/proc/sys/kernel/unprivileged_userns_clone": "1\n",
}


@pytest.fixture
def sandboxes(host: Host) -> Host:
    for path, text in SANDBOXES.items():
        host.write(path, text)
    return host


def test_a_kernel_that_can_shut_modules_in_is_well(sandboxes: Host) -> None:
    assert sandboxes.found(shut_in) == []
    (sandboxes.top / "proc/sys/kernel/unprivileged_userns_clone").unlink()
    assert sandboxes.found(shut_in) == [], "only Debian's has it"


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        ("/proc/sys/kernel/seccomp/actions_avail", None, "seccomp"),
        ("/proc/sys/user/max_user_namespaces", "0\n", "user namespaces"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0\n", "user namespaces of users"),
    ],
)
def test_what_a_kernel_lacks_for_sandboxes_is_named(sandboxes: Host, path: str, text: str | None, what: str) -> None:
    if text is None:
        (sandboxes.top / path.lstrip("/")).unlink()
    else:
        sandboxes.write(path, text)
    ((outcome, found, _),) = sandboxes.found(shut_in)
    assert outcome == "failed"
    assert what in found
    (sandboxes.top / "usr/bin/bwrap").unlink()
    assert sandboxes.found(shut_in) == [], "no module is shut in by it here"


def test_what_a_kernel_lacks_to_shut_the_receiver_in_is_told(host: Host) -> None:
    assert host.found(jailed) == [], "no release: another question tells"
    host.said["mercure-storescp --check-jail"] = ""
    assert host.found(jailed) == []
    host.said["mercure-storescp --check-jail"] = "Landlock, version 2 or newer\nfilters of system calls (seccomp)\n"
    found = host.found(jailed)
    assert [outcome for outcome, _, _ in found] == ["warning", "warning"]
    assert found[0][1].startswith("the kernel lacks Landlock, version 2 or newer: ")


def test_a_clock_that_is_kept_right_is_well(host: Host) -> None:
    host.said["chronyc -n tracking"] = TRACKING
    assert host.found(on_time) == []


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (None, "failed", "chrony does not answer"),
        (TRACKING.replace("Normal", "Not synchronised"), "warning", "no time server answers"),
        (TRACKING.replace("0.000012 seconds fast", "7.5 seconds slow"), "failed", "the clock is 7.5 s slow"),
    ],
)
def test_a_clock_that_is_not_is_told(host: Host, said: str | None, outcome: str, words: str) -> None:
    host.said["chronyc -n tracking"] = said
    ((found, text, mend),) = host.found(on_time)
    assert found == outcome
    assert words in text
    assert "chrony" in mend
    host.said["systemd-detect-virt --container"] = "lxc\n"
    assert host.found(on_time) == []


def unit(name: str, **changes: str) -> str:
    values = {"Id": name, "LoadState": "loaded", "ActiveState": "active", "Result": "success"}
    values |= {"UnitFileState": "enabled", "ConditionResult": "yes"} | changes
    return "".join(f"{key}={value}\n" for key, value in values.items())


def units(host: Host, **changes: str) -> Host:
    host.expected["units"] = ["nginx.service", "mercure.service"]
    said = "\n".join([unit("nginx.service"), unit("mercure.service", **changes)])
    host.said[f"{UNITS} nginx.service mercure.service"] = said
    host.said["systemctl list-units --failed --no-legend --plain"] = ""
    return host


def test_units_that_run_are_well(host: Host) -> None:
    assert units(host).found(running) == []
    assert units(host, ActiveState="inactive", ConditionResult="no").found(running) == []


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({"ActiveState": "failed", "Result": "exit-code"}, "failed", "mercure.service is failed (exit-code)"),
        ({"ActiveState": "inactive"}, "failed", "mercure.service is inactive"),
        ({"UnitFileState": "disabled"}, "warning", "mercure.service will not come back"),
        ({"LoadState": "not-found"}, "failed", "there is no mercure.service"),
    ],
)
def test_a_unit_that_does_not_is_told(host: Host, changes: dict[str, str], outcome: str, words: str) -> None:
    ((found, text, mend),) = units(host, **changes).found(running)
    assert found == outcome
    assert words in text
    assert mend


def test_any_other_unit_that_failed_is_told(host: Host) -> None:
    units(host).said["systemctl list-units --failed --no-legend --plain"] = "smartd.service loaded failed failed x\n"
    ((outcome, text, _),) = host.found(running)
    assert (outcome, text) == ("warning", "smartd.service has failed")


def test_nothing_that_waits_is_well(host: Host) -> None:
    host.write("/boot/vmlinuz-6.1.0-28-amd64", "")
    host.write("/boot/vmlinuz-6.1.0-9-amd64", "")
    host.said["apt-get --simulate --quiet=2 -o Debug::NoLocking=1 upgrade"] = "Inst less [1] (2 Debian:12.9/stable)\n"
    assert host.found(up_to_date) == []


def test_updates_that_wait_are_counted(host: Host) -> None:
    lines = "Inst openssl [1] (2 Debian-Security:12/stable-security [amd64])\n"
    host.said["apt-get --simulate --quiet=2 -o Debug::NoLocking=1 upgrade"] = lines
    ((outcome, text, mend),) = host.found(up_to_date)
    assert (outcome, text) == ("warning", "1 security updates wait: openssl")
    assert "unattended-upgrade" in mend


def test_a_boot_that_is_due_is_told_once(host: Host) -> None:
    host.write("/boot/vmlinuz-6.1.0-30-amd64", "")
    ((_, text, _),) = host.found(up_to_date)
    assert text == "the kernel 6.1.0-28-amd64 runs, and 6.1.0-30-amd64 is installed"
    host.write("/run/reboot-required", "")
    host.write("/run/reboot-required.pkgs", "linux-image-amd64\nlinux-image-amd64\n")
    ((_, text, mend),) = host.found(up_to_date)
    assert text == "updates wait for a boot (linux-image-amd64)"
    assert "reboot" in mend


@pytest.mark.parametrize(("days", "outcome"), [(0, "ok"), (7, "ok"), (8, "warning")])
def test_it_is_said_when_updates_were_last_applied(host: Host, days: int, outcome: str) -> None:
    last = NOW - timedelta(days=days)
    os.utime(host.write("/var/lib/apt/periodic/upgrade-stamp", ""), (last.timestamp(), last.timestamp()))
    ((found, text, _),) = host.found(up_to_date)
    assert (found, text) == (outcome, f"updates were last applied on {last:%Y-%m-%d}, {days} days ago")


EVERYWHERE = "0.0.0.0"  # noqa: S104 - told, not bound
CONFIGURATION = "/srv/mercure/router/config/mercure.json"


@pytest.mark.parametrize(
    ("receiver", "is_open"),
    [
        (None, True),
        ({"bind": EVERYWHERE, "access": "open"}, True),
        ({"bind": "::", "access": "learn"}, True),
        ({"bind": "10.0.3.1"}, True),
        ({"bind": "127.0.0.1", "access": "open"}, False),
        ({"bind": "::1"}, False),
        ({"bind": EVERYWHERE, "access": "listed"}, False),
    ],
)
def test_that_anybody_may_send_from_anywhere_is_told(host: Host, receiver: Any, is_open: bool) -> None:
    host.write(CONFIGURATION, json.dumps({"version": 1, **({} if receiver is None else {"receiver": receiver})}))
    found = host.found(restricted)
    assert [outcome for outcome, _, _ in found] == ["warning"] * is_open
    assert all("anybody may send from anywhere" in text and "access listed" in mend for _, text, mend in found)


@pytest.mark.parametrize("text", ["{", "[]", '{"receiver": 3}', '{"receiver": {"bind": 3}}', "[" * 10_000])
def test_a_configuration_that_cannot_be_used_does_not_tell_who_may_send(host: Host, text: str) -> None:
    host.write(CONFIGURATION, text)
    ((outcome, said, mend),) = host.found(restricted)
    assert (outcome, mend) == ("unknown", "mercure config validate tells why")
    assert CONFIGURATION in said


def test_who_may_send_only_root_can_read(host: Host) -> None:
    assert host.found(restricted)[0][:2] == ("unknown", f"there is no {CONFIGURATION}")
    host.is_root = False
    assert host.found(restricted)[0][:2] == ("unknown", "only root can tell who may send")
