"""An independent judge: lynis from Debian. What it suggests and we do not do is in waivers.txt, with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

WAIVERS = Path(__file__).with_name("waivers.txt")
FOLDER = "/run/baseline"
LEAST_INDEX = 65
"""Lynis' hardening index, of 100; a bare Debian has about 55."""
# Unpacked, not installed: the guest must stay what the playbook made it.
PREPARE = (
    f"rm -rf {FOLDER} && mkdir -p {FOLDER} && cd {FOLDER} && apt-get -qq -o APT::Sandbox::User=root download lynis"
    " && dpkg-deb -x lynis_*.deb . && cp usr/sbin/lynis usr/share/lynis/ && cp etc/lynis/default.prf usr/share/lynis/"
)
AUDIT = (
    f"cd {FOLDER}/usr/share/lynis && rm -f /run/lynis.pid && ./lynis audit system --quick --quiet --no-colors "
    f"--plugin-dir {FOLDER}/etc/lynis/plugins --logfile {FOLDER}/log --report-file {FOLDER}/report"
)


def findings(report: str) -> dict[str, str]:
    """Return lynis' warnings and suggestions by their identifier."""
    found: dict[str, str] = {}
    for line in report.splitlines():
        key, _, value = line.partition("=")
        if key in ("warning[]", "suggestion[]"):
            identifier, text, *_ = value.split("|")
            found[identifier] = f"{found[identifier]}; {text}" if identifier in found else text
    return found


def test_lynis_finds_nothing_that_is_not_waived_with_a_reason(host: Any) -> None:
    with host.sudo():
        host.check_output(f"sh -c '{PREPARE}'")
        host.run(f"sh -c '{AUDIT}'")
        report = host.check_output(f"cat {FOLDER}/report")
    waivers: dict[str, str] = yaml.safe_load(WAIVERS.read_text())
    index = next(int(line.split("=")[1]) for line in report.splitlines() if line.startswith("hardening_index="))
    found = findings(report)
    assert {key: text for key, text in found.items() if key not in waivers} == {}
    assert index >= LEAST_INDEX


def test_security_updates_have_an_archive_among_the_sources(host: Any) -> None:
    """Asked of apt itself: lynis looks for names that a mirror does not have (waiver PKGS-7388)."""
    suites = host.check_output("apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages'").split()
    assert any(suite.endswith("-security") for suite in suites), suites
