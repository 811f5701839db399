"""Network interfaces, the firewall, logins by SSH, the certificate of the status page."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.control.errors import ControlError
from appliance.doctor.host import Finding, Look, only_root
from appliance.nic_report import report

_UNIT: Final = "mercure-network@"
_SOON: Final = timedelta(days=30)
_SSHD: Final = {"passwordauthentication": "no", "permitrootlogin": "no", "kbdinteractiveauthentication": "no"}
_TABLE: Final = "table inet mercure"


def nics_set(look: Look) -> Iterator[Finding]:
    """Ask whether the network interfaces are set as the playbook sets them."""
    wants = look.path("/etc/systemd/system/multi-user.target.wants")
    for unit in sorted(wants.glob(f"{_UNIT}*.service")):
        name = unit.name.removeprefix(_UNIT).removesuffix(".service")
        try:
            found = report((name,), sys=look.path("/sys"), proc=look.path("/proc"))
        except ControlError as error:
            yield Finding("failed", error.text, f"{error.advice}; correct network_interfaces and play")
            continue
        (nic,) = found.nics
        if not nic.up:
            yield Finding("failed", f"{name} has no link", "look at the cable and at the port of the switch")
        for advice in nic.advice:
            yield Finding("warning", f"{name}: {advice.what}: {advice.why}", advice.how)


def filtered(look: Look) -> Iterator[Finding]:
    """Ask whether the firewall holds the rules of the playbook."""
    if _TABLE not in (look.text("/etc/nftables.conf") or ""):
        return  # not ours: firewall_enabled is false
    if not look.is_root:
        yield only_root("which rules the firewall has")
        return
    rules = look.ask("nft", "list", "table", "inet", "mercure") or ""
    if "policy drop" not in rules:
        yield Finding("failed", "the firewall has not the rules of the playbook", "systemctl restart nftables")


def guarded(look: Look) -> Iterator[Finding]:
    """Ask whether sshd still lets nobody in by password."""
    if not look.path("/etc/ssh/sshd_config.d/10-mercure.conf").exists():
        return  # hardening_waivers: ssh
    if not look.is_root:
        yield only_root("how sshd is set")
        return
    lines = (look.ask("sshd", "-T") or "").splitlines()
    said = dict(line.split(maxsplit=1) for line in lines if " " in line)
    for key, wanted in _SSHD.items():
        if said.get(key) != wanted:
            text = f"sshd: {key} is {said.get(key, 'not told')}, and {wanted} was set"
            mend = "another file in /etc/ssh/sshd_config.d comes before 10-mercure.conf; systemctl reload ssh"
            yield Finding("failed", text, mend)


def certified(look: Look) -> Iterator[Finding]:
    """Ask the status page for its certificate, as a browser does, and how long that is good."""
    if look.expected.page is None:
        return
    host, _, port = look.expected.page.rpartition(":")
    try:
        ends = _end_of_certificate(host, int(port))
    except OSError as error:
        mend = "systemctl restart nginx; journalctl --unit nginx"
        yield Finding("failed", f"the status page does not answer over TLS: {error}", mend)
        return
    mend = "the playbook with a new status_page_certificate"
    if ends <= look.now:
        yield Finding("failed", f"the certificate of the status page has expired on {ends:%Y-%m-%d}", mend)
    elif ends - look.now < _SOON:
        yield Finding("warning", f"the certificate of the status page expires on {ends:%Y-%m-%d}", mend)


def _end_of_certificate(host: str, port: int) -> datetime:
    from cryptography import x509  # noqa: PLC0415 - a tenth of a second, for who has a page

    context = ssl.create_default_context()
    # Whoever signed it: the question is when it ends.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=10) as link, context.wrap_socket(link) as page:
        certificate = page.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.astimezone(UTC)
