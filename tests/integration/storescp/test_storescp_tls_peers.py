"""Programs of others over TLS; old ClientHellos; half handshakes; a certificate that ends in mid-transfer."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from tests.support.certificates import Authority, Certificate
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import Peer, PeerError, associate_rq
from tests.support.orthanc import orthanc
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import running
from tests.support.series import synthetic_series
from tests.support.storescu import send
from tests.support.tls_receiver import client_context, is_told, store_one, tls_port, tls_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receiver import StartReceiver


@pytest.fixture(scope="module")
def scanner(hospital: Authority) -> Certificate:
    return hospital.sign("ct1", hosts=("ct1.hospital.example", "127.0.0.1", "localhost"))


OLD_CIPHERS = bytes.fromhex("c014c00a00390038c00fc0050035c013c00900330032c00ec004002f00050004000a00ff")
RECORD, ALERT, FATAL, HANDSHAKE = 5, 21, 2, 22
ALERTS = (b"\x28", b"\x46")
"""handshake_failure, all that SSLv3 knows, and protocol_version (RFC 8446 section 6)."""


def client_hello(version: int) -> bytes:
    """Build the ClientHello of an old client: no OpenSSL of today makes one (RFC 6101, 2246, 4346)."""
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + len(OLD_CIPHERS).to_bytes(2, "big") + OLD_CIPHERS + b"\1\0"
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return bytes([HANDSHAKE]) + min(version, 0x0301).to_bytes(2, "big") + len(message).to_bytes(2, "big") + message


SSL_2 = bytes.fromhex("802b0100020012000000100100800200800300800600400700c0") + bytes(21)


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302], ids=["SSLv3", "TLS 1.0", "TLS 1.1"])
def test_old_versions_are_refused_by_an_alert(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, version: int
) -> None:
    receiver = start_receiver(**tls_settings(router))
    port = tls_port(receiver)
    with socket.create_connection(("127.0.0.1", port), 20) as old:
        old.sendall(client_hello(version))
        answer = old.recv(100)
    assert (answer[0], answer[RECORD]) == (ALERT, FATAL), answer.hex()
    assert answer[RECORD + 1 :] in ALERTS, answer.hex()
    is_told(receiver, "the sender has no version of TLS in common with us: it must offer TLS 1.2 or 1.3")
    with Peer(port, tls=client_context(hospital)) as peer:
        store_one(peer)


def test_a_hello_of_ssl_2_is_no_hello(start_receiver: StartReceiver, router: Certificate, hospital: Authority) -> None:
    receiver = start_receiver(**tls_settings(router))
    port = tls_port(receiver)
    with socket.create_connection(("127.0.0.1", port), 20) as old:
        old.sendall(SSL_2)
        with contextlib.suppress(OSError):
            assert old.recv(100)[:1] != bytes([HANDSHAKE])
    is_told(receiver, "what the sender says at the port for TLS is not TLS")
    with Peer(port, tls=client_context(hospital)) as peer:
        store_one(peer)


def test_a_certificate_that_ends_in_mid_transfer_ends_nothing_and_lets_nobody_in_again(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    brief = hospital.sign("brief", ends=datetime.now(UTC) + timedelta(seconds=4))
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    port = tls_port(receiver)

    def is_refused() -> bool:
        try:
            with Peer(port, tls=client_context(hospital, brief)) as again:
                again.associate()
        except (ssl.SSLError, PeerError, OSError):
            return True
        return False

    with Peer(port, tls=client_context(hospital, brief)) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        eventually(is_refused, seconds=30, what="the certificate has ended")
        is_told(receiver, "the certificate of the sender expired on 20")
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        peer.release()
    assert len(receiver.images()) == 2


def test_five_hundred_half_handshakes_keep_no_scanner_out(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    receiver = start_receiver(**tls_settings(router))
    port = tls_port(receiver)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with contextlib.ExitStack() as stack:
        for number in range(500):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            with contextlib.suppress(OSError):
                half.sendall(hello[: number % (len(hello) + 1)])
            if number % 100 == 0:
                with Peer(port, source="127.0.0.2", tls=client_context(hospital)) as peer:
                    store_one(peer)
        assert len(receiver.children()) <= 51, "one address has its share"
        with Peer(port, source="127.0.0.2", tls=client_context(hospital)) as peer:
            store_one(peer)
        is_told(receiver, "too many associations at once from this sender")
    receiver.until_idle()
    assert len(receiver.images()) == 6


def test_pynetdicom_sends_over_tls(
    start_receiver: StartReceiver, router: Certificate, scanner: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    (file,) = synthetic_series(tmp_path, 1)
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    entity = AE(ae_title="CT1")
    for sop_class in (Verification, CTImageStorage, dcmread(file).SOPClassUID):
        entity.add_requested_context(sop_class)
    own = client_context(hospital, scanner)
    opened = entity.associate("localhost", tls_port(receiver), ae_title="MERCURE", tls_args=(own, "localhost"))
    assert opened.is_established
    assert opened.send_c_echo().Status == 0
    assert opened.send_c_store(dcmread(file)).Status == 0
    opened.release()
    assert [line["SenderCertificate"] for line in receiver.tag_lines()] == ["CN=ct1"]


def test_orthanc_sends_and_takes_over_mutual_tls(
    start_receiver: StartReceiver, router: Certificate, scanner: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    (file,) = synthetic_series(tmp_path / "made", 1)
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    ours = {"AET": "MERCURE", "Host": "localhost", "Port": tls_port(receiver), "UseDicomTls": True}
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(scanner.file),
        "DicomTlsPrivateKey": str(scanner.key),
        "DicomTlsTrustedCertificates": str(hospital.file),
        "DicomTlsRemoteCertificateRequired": True,
        "DicomModalities": {"mercure": ours},
    }
    with orthanc(tmp_path / "orthanc", settings) as archive:
        own = hospital.sign("router-client", purpose="client")
        tls = (f"--tls-ca={hospital.file}", f"--tls-certificate={own.file}", f"--tls-key={own.key}")
        sent = send(archive.port, [file], "--tls", *tls)
        assert (sent.code, sent.outcomes) == (0, {"confirmed": 1}), sent.error
        (image,) = archive.images().values()
        archive.request("POST", "/modalities/mercure/store", json.dumps([image]).encode())
        refused = send(archive.port, [file], "--tls", f"--tls-ca={hospital.file}")
        assert refused.code == 67
    assert receiver.data_sets() == [data_set_of(file.read_bytes())]
    assert [line["SenderCertificate"] for line in receiver.tag_lines()] == ["CN=ct1"]


STUNNEL = """\
foreground = yes
pid =
syslog = no
[out]
client = yes
accept = 127.0.0.1:{plain}
connect = localhost:{tls}
cert = {certificate}
key = {key}
CAfile = {ca}
verifyChain = yes
checkHost = localhost
"""


def test_a_scanner_without_tls_sends_through_stunnel(
    start_receiver: StartReceiver, router: Certificate, scanner: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    files = synthetic_series(tmp_path / "made", 3)
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    plain, settings = free_port(), tmp_path / "stunnel.conf"
    text = STUNNEL.format(
        plain=plain, tls=tls_port(receiver), certificate=scanner.file, key=scanner.key, ca=hospital.file
    )
    settings.write_text(text)
    with running(["stunnel4", settings], ready=lambda program: is_listening(plain, pid=program.pid)):
        subprocess.run(["echoscu", "127.0.0.1", str(plain)], check=True, timeout=30)
        subprocess.run(["storescu", "127.0.0.1", str(plain), *map(str, files)], check=True, timeout=30)
    assert sorted(receiver.data_sets()) == sorted(data_set_of(file.read_bytes()) for file in files)
    assert {line["SenderCertificate"] for line in receiver.tag_lines()} == {"CN=ct1"}


TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
GRAVE = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(TESTSSL is None, reason="testssl.sh is not installed")
def test_testssl_finds_nothing_grave(start_receiver: StartReceiver, hospital: Authority, tmp_path: Path) -> None:
    receiver = start_receiver(**tls_settings(hospital.sign("router")), acse_timeout_seconds=5)
    found = tmp_path / "found.json"
    command = [str(TESTSSL), "--quiet", "--color", "0", "--warnings", "batch", "--jsonfile", str(found)]
    checks = ["--protocols", "--server-defaults", "--fs", "--std", "--vulnerable"]
    where = f"127.0.0.1:{tls_port(receiver)}"
    subprocess.run(
        [*command, *checks, "--add-ca", str(hospital.file), where],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=850, check=False,
    )  # fmt: skip
    told = json.loads(found.read_text())
    ids = {each["id"] for each in told}
    assert {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "heartbleed", "secure_client_renego"} <= ids
    # Of a test's own authority nobody has a place to ask whether a certificate was revoked.
    own = ("cert_", "OCSP", "DNS_CAA", "scan", "engine")
    grave = [each for each in told if each["severity"] in GRAVE and not each["id"].startswith(own)]
    assert not grave, grave
