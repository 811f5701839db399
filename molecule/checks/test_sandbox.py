"""Every service that runs is in a sandbox of systemd, or is named here with the reason why not."""

from __future__ import annotations

import re
from typing import Any

EXPOSED = {
    "mercure": 3.0,
    "mercure-page": 2.0,
    "postgresql@": 3.0,
    "nginx": 4.0,
    "haproxy": 4.0,
    "prometheus-node-exporter": 3.0,
    "smartmontools": 5.0,
    "chrony": 4.0,
    "systemd-journald": 5.0,
    "systemd-logind": 4.0,
    "systemd-networkd": 4.0,
    "systemd-resolved": 4.0,
    "systemd-timesyncd": 4.0,
    "systemd-udevd": 8.0,
}
"""The most that systemd-analyze security may say of each, where 0 is best, 10 worst, and below 4 called OK there."""

OPEN = {
    "ssh": "who logs in may do what the person may; keys, groups and the firewall are in front of it",
    "user@": "the processes of who logged in",
    "getty@": "a login at the keyboard",
    "serial-getty@": "a login at the serial line",
    "console-getty": "a login at the console of a container",
    "dbus": "starts programs of all kinds; reached by users of this host only",
    "unattended-upgrades": "installs packages: it may write everything, and listens to nobody",
    "auditd": "of the kernel's own making; reads no input of strangers",
    "cron": "Debian's; the playbook gives it nothing to do",
    "polkit": "Debian's, where a package brings it; asked by users of this host only",
    "packagekit": "as polkit",
    "rsyslog": "Debian's, where it is installed; takes lines of this host only",
    "user-runtime-dir@": "makes a folder",
    "mdmonitor": "reads the state of the mirror, and has no input",
}


def name_of(unit: str) -> str:
    """Return the name without its kind, and without what an instance is called."""
    return re.sub(r"@.*", "@", unit.removesuffix(".service"))


def running(host: Any) -> list[str]:
    lines = host.check_output("systemctl list-units --type=service --state=running --no-legend --plain").splitlines()
    return [line.split()[0] for line in lines]


def exposure(host: Any, unit: str) -> float:
    answer = host.check_output("systemd-analyze security --no-pager %s", unit)
    line = next(line for line in answer.splitlines() if "Overall exposure level" in line)
    return float(line.split(":")[1].split()[0])


def test_every_service_is_in_a_sandbox_or_has_a_reason(host: Any) -> None:
    units = running(host)
    assert units
    assert [unit for unit in units if name_of(unit) not in {*EXPOSED, *OPEN}] == []
    judged = {unit: exposure(host, unit) for unit in units if name_of(unit) in EXPOSED}
    assert {unit: found for unit, found in judged.items() if found > EXPOSED[name_of(unit)]} == {}
