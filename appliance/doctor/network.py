"""Checks of network interfaces, firewall, SSH logins and the certificate of the status page."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.control.errors import ControlError
from appliance.doctor.host import CheckFinding, HostView, only_root
from appliance.nic_report import report

_UNIT: Final = "mercure-network@"
_SOON: Final = timedelta(days=30)
_SSHD: Final = {"passwordauthentication": "no", "permitrootlogin": "no", "kbdinteractiveauthentication": "no"}
_TABLE: Final = "table inet mercure"


def nics_set(host: HostView) -> Iterator[CheckFinding]:
    """Check that the network interfaces are set as the playbook sets them."""
    wants = host.path("/etc/systemd/system/multi-user.target.wants")
    for unit in sorted(wants.glob(f"{_UNIT}*.service")):
        name = unit.name.removeprefix(_UNIT).removesuffix(".service")
        try:
            found = report((name,), sys=host.path("/sys"), proc=host.path("/proc"))
        except ControlError as error:
            yield CheckFinding("failed", error.text, f"{error.advice}; correct network_interfaces and play")
            continue
        (nic,) = found.nics
        if not nic.up:
            yield CheckFinding("failed", f"{name} has no link", "look at the cable and at the port of the switch")
        for advice in nic.advice:
            yield CheckFinding("warning", f"{name}: {advice.what}: {advice.why}", advice.how)


def filtered(host: HostView) -> Iterator[CheckFinding]:
    """Check that the firewall holds the rules of the playbook."""
    if _TABLE not in (host.text("/etc/nftables.conf") or ""):
        return  # not ours: firewall_enabled is false
    if not host.is_root:
        yield only_root("which rules the firewall has")
        return
    rules = host.ask("nft", "list", "table", "inet", "mercure") or ""
    if "policy drop" not in rules:
        yield CheckFinding("failed", "the firewall has not the rules of the playbook", "systemctl restart nftables")


def guarded(host: HostView) -> Iterator[CheckFinding]:
    """Check that sshd still refuses passwords."""
    if not host.path("/etc/ssh/sshd_config.d/10-mercure.conf").exists():
        return  # hardening_waivers: ssh
    if not host.is_root:
        yield only_root("how sshd is set")
        return
    lines = (host.ask("sshd", "-T") or "").splitlines()
    said = dict(line.split(maxsplit=1) for line in lines if " " in line)
    for key, wanted in _SSHD.items():
        if said.get(key) != wanted:
            text = f"sshd: {key} is {said.get(key, 'not told')}, and {wanted} was set"
            mend = "another file in /etc/ssh/sshd_config.d comes before 10-mercure.conf; systemctl reload ssh"
            yield CheckFinding("failed", text, mend)


def certified(host: HostView) -> Iterator[CheckFinding]:
    """Check how long the certificate of the status page is valid, as a browser sees it."""
    if host.expected.page is None:
        return
    name, _, port = host.expected.page.rpartition(":")
    try:
        ends = _end_of_certificate(name, int(port))
    except OSError as error:
        mend = "systemctl restart nginx; journalctl --unit nginx"
        yield CheckFinding("failed", f"the status page does not answer over TLS: {error}", mend)
        return
    mend = "the playbook with a new status_page_certificate"
    if ends <= host.now:
        yield CheckFinding("failed", f"the certificate of the status page has expired on {ends:%Y-%m-%d}", mend)
    elif ends - host.now < _SOON:
        yield CheckFinding("warning", f"the certificate of the status page expires on {ends:%Y-%m-%d}", mend)


def _end_of_certificate(host: str, port: int) -> datetime:
    from cryptography import x509  # noqa: PLC0415 - a tenth of a second, for who has a page

    context = ssl.create_default_context()
    # The issuer does not matter here: only the end of its validity does.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=10) as link, context.wrap_socket(link) as page:
        certificate = page.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.astimezone(UTC)
