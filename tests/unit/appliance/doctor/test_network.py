"""Interfaces, firewall, logins, and the certificate of a page that really answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.doctor.checks import certified, filtered, guarded, nics_set
from tests.support.doctor_host import NOW, Host


def test_an_interface_that_is_gone_is_a_failure(host: Host) -> None:
    host.write("/etc/systemd/system/multi-user.target.wants/mercure-network@eno1.service", "")
    host.write("/sys/class/net/eno2/mtu", "1500")
    ((outcome, text, mend),) = host.found(nics_set)
    assert (outcome, text) == ("failed", "there is no network interface eno1")
    assert "eno2" in mend


def test_what_would_help_an_interface_is_told(host: Host) -> None:
    host.write("/etc/systemd/system/multi-user.target.wants/mercure-network@eno1.service", "")
    for name, text in {"mtu": "1500", "carrier": "1", "speed": "100", "duplex": "full"}.items():
        host.write(f"/sys/class/net/eno1/{name}", text)
    found = host.found(nics_set)
    assert ("warning", "look at the cable and at the port of the switch") in [(item[0], item[2]) for item in found]
    host.write("/sys/class/net/eno1/carrier", "0")
    assert ("failed", "eno1 has no link") in [item[:2] for item in host.found(nics_set)]


def test_rules_that_are_gone_are_a_failure(host: Host) -> None:
    assert host.found(filtered) == []  # firewall_enabled: false
    host.write("/etc/nftables.conf", "flush ruleset\ntable inet mercure {\n}\n")
    host.said["nft list table inet mercure"] = "type filter hook input priority filter; policy drop;"
    assert host.found(filtered) == []
    host.said["nft list table inet mercure"] = None
    ((outcome, _, mend),) = host.found(filtered)
    assert (outcome, mend) == ("failed", "systemctl restart nftables")
    host.is_root = False
    ((outcome, _, _),) = host.found(filtered)
    assert outcome == "unknown"


def test_a_sshd_that_takes_passwords_again_is_a_failure(host: Host) -> None:
    assert host.found(guarded) == []  # hardening_waivers: ssh
    host.write("/etc/ssh/sshd_config.d/10-mercure.conf", "")
    said = "passwordauthentication no\npermitrootlogin no\nkbdinteractiveauthentication no\n"
    host.said["sshd -T"] = said
    assert host.found(guarded) == []
    host.said["sshd -T"] = said.replace("passwordauthentication no", "passwordauthentication yes")
    ((outcome, text, mend),) = host.found(guarded)
    assert (outcome, text) == ("failed", "sshd: passwordauthentication is yes, and no was set")
    assert "systemctl reload ssh" in mend


def certificate(folder: Path, ends: datetime) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "router")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=365)).not_valid_after(ends)
    text = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    text += key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "page.pem"
    file.write_bytes(text)
    return file


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Callable[[datetime], str]]:
    """Give a page with a certificate that ends at a moment; it answers one request."""
    threads: list[threading.Thread] = []

    def serve(ends: datetime) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(tmp_path, ends))
        listening = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"

        def answer() -> None:
            with listening, listening.accept()[0] as link, suppress(OSError), context.wrap_socket(link, True) as tls:
                tls.recv(1)

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return address

    yield serve
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("days", "outcome", "words"), [(31, None, ""), (29, "warning", "expires on 2026-12-28"), (-1, "failed", "expired")]
)
def test_the_page_is_asked_how_long_its_certificate_is_good(
    host: Host, page: Callable[[datetime], str], days: int, outcome: str | None, words: str
) -> None:
    host.expected["page"] = page(NOW + timedelta(days=days))
    found = host.found(certified)
    assert [item[0] for item in found] == ([outcome] if outcome else [])
    assert all(words in item[1] and "status_page_certificate" in item[2] for item in found)


def test_a_page_that_does_not_answer_is_a_failure_and_none_is_where_none_is_wanted(host: Host) -> None:
    assert host.found(certified) == []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host.expected["page"] = f"127.0.0.1:{port}"
    ((outcome, text, mend),) = host.found(certified)
    assert outcome == "failed"
    assert "does not answer over TLS" in text
    assert "nginx" in mend
