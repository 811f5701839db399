"""Senders over TLS: who is let in, what is kept of them, and what is told of those who are not."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.certificates import Authority, Certificate, make_authority, make_certificate
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import Closed, Peer, PeerError, Rejected, associate_rq
from tests.support.polling import eventually
from tests.support.series import synthetic_series
from tests.support.storescu import send
from tests.support.tls_receiver import client_context, is_told, store_one, tls_port, tls_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receiver import StartReceiver


@pytest.fixture(scope="module")
def scanner(hospital: Authority) -> Certificate:
    return hospital.sign("ct1", hosts=("ct1.hospital.example",), purpose="client")


def test_images_arrive_by_both_ports_bit_by_bit(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    files = synthetic_series(tmp_path, 4)
    receiver = start_receiver(**tls_settings(router))
    sent = send(tls_port(receiver), files, "--tls", f"--tls-ca={hospital.file}", "--associations=2")
    assert (sent.code, sent.outcomes) == (0, {"confirmed": 4})
    with Peer(receiver.port) as peer:
        store_one(peer)
    stored = receiver.data_sets()
    assert len(stored) == 5
    assert {data_set_of(file.read_bytes()) for file in files} <= set(stored)
    opened = [event["details"] for event in receiver.events("association.opened")]
    assert [details.get("tls", "").partition(" ")[0] for details in opened].count("TLSv1.3") == 2
    assert "tls" not in opened[-1]
    assert not any("certificate_subject" in details for details in opened)


def test_stock_storescu_sends_over_tls(
    start_receiver: StartReceiver, router: Certificate, scanner: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    (file,) = synthetic_series(tmp_path, 1)
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    tls = ["+tls", str(scanner.key), str(scanner.file), "--add-cert-file", str(hospital.file)]
    target = ["localhost", str(tls_port(receiver))]
    for program in (["echoscu", *tls, *target], ["storescu", *tls, *target, str(file)]):
        subprocess.run(program, check=True, timeout=30)
    assert receiver.data_sets() == [data_set_of(file.read_bytes())]


def test_the_certificate_is_kept_with_the_image_and_told(
    start_receiver: StartReceiver, router: Certificate, scanner: Certificate, hospital: Authority
) -> None:
    bound = {"name": "ct", "ae_titles": ["CT1"], "certificate_subject": "CN=ct1"}
    by_name = {"name": "mr", "certificate_subject": "mr1.hospital.example"}
    settings = tls_settings(router, hospital, "wanted")
    receiver = start_receiver(**settings, access="listed", senders=[bound, by_name])
    port = tls_port(receiver)
    with Peer(port, tls=client_context(hospital, scanner)) as peer:
        store_one(peer)
    mr = hospital.sign("mr1", hosts=("mr1.hospital.example",))
    with Peer(port, tls=client_context(hospital, mr)) as peer:
        store_one(peer, b"ANY")
    kept = {line["SenderName"]: line["SenderCertificate"] for line in receiver.tag_lines()}
    assert kept == {"ct": "CN=ct1", "mr": "CN=mr1"}
    details = receiver.events("association.opened")[0]["details"]
    assert details["certificate_subject"] == "CN=ct1"
    assert details["certificate_names"] == ["ct1.hospital.example"]
    assert details["certificate_ends"].endswith("Z")
    for tls in (None, client_context(hospital), client_context(hospital, mr)):
        with Peer(port if tls else receiver.port, tls=tls) as peer, contextlib.suppress(Rejected):
            peer.associate(associate_rq(calling=b"CT1"))
            assert tls is not None, "by its title alone nobody is the scanner"
            assert peer.store(ct_image(sop := uid(), "1.2.4"), sop).status == 0
    assert {line["SenderName"] for line in receiver.tag_lines()} == {"ct", "mr"}
    assert sum(line["SenderName"] == "ct" for line in receiver.tag_lines()) == 1


def bad_certificates(hospital: Authority, folder: Path) -> dict[str, Certificate]:
    now = datetime.now(UTC)
    folder.mkdir()
    return {
        "expired on 20": hospital.sign("expired", ends=now - timedelta(days=7)),
        "is valid from 20": hospital.sign("early", begins=now + timedelta(days=7)),
        "is not one for a client": hospital.sign("server-only", purpose="server"),
        "is signed by CN=elsewhere, whom we do not know": make_authority(folder, "elsewhere").sign("stranger"),
        "is signed by itself": make_certificate(folder, "itself"),
    }


def test_senders_without_a_good_certificate_are_refused_in_words(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    receiver = start_receiver(**tls_settings(router, hospital, "required"))
    port = tls_port(receiver)
    for words, shown in bad_certificates(hospital, tmp_path / "bad").items():
        with pytest.raises((ssl.SSLError, PeerError, OSError)), Peer(port, tls=client_context(hospital, shown)) as peer:
            peer.associate()
        is_told(receiver, words)
    with pytest.raises((ssl.SSLError, PeerError, OSError)), Peer(port, tls=client_context(hospital)) as peer:
        peer.associate()
    is_told(receiver, "no TLS: the sender shows no certificate, and 'clients' of the receiver requires one")
    receiver.until_idle()
    assert receiver.images() == []


def test_a_certificate_that_is_shown_must_be_good_also_where_none_is_required(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    receiver = start_receiver(**tls_settings(router, hospital, "wanted"))
    with Peer(tls_port(receiver), tls=client_context(hospital)) as peer:
        store_one(peer)
    own = make_certificate(tmp_path, "itself")
    with (
        pytest.raises((ssl.SSLError, PeerError, OSError)),
        Peer(tls_port(receiver), tls=client_context(hospital, own)) as peer,
    ):
        peer.associate()
    is_told(receiver, "is signed by itself")


def test_a_revoked_sender_is_refused_in_words_from_the_next_association_on(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    good, lost = hospital.sign("good", purpose="client"), hospital.sign("lost", purpose="client")
    between = hospital.below("between")
    theirs = between.sign("theirs")
    theirs.file.write_bytes(theirs.file.read_bytes() + between.file.read_bytes())
    crl = tmp_path / "hospital.crl"
    crl.write_bytes(hospital.revoke().read_bytes())
    receiver = start_receiver(**tls_settings(router, hospital, "required"), tls_crl=str(crl))
    port = tls_port(receiver)

    def is_let_in(own: Certificate) -> bool:
        try:
            with Peer(port, tls=client_context(hospital, own)) as peer:
                store_one(peer)
        except (ssl.SSLError, PeerError, OSError):
            return False
        return True

    assert is_let_in(good)
    assert is_let_in(lost)
    assert not is_let_in(theirs), "nobody says whether it is revoked"
    is_told(receiver, "cannot be checked: the file 'crl' holds no list of CN=between")
    crl.write_bytes(hospital.revoke(lost).read_bytes() + between.revoke().read_bytes())
    eventually(lambda: not is_let_in(lost), what="it is refused")
    is_told(receiver, "the certificate of the sender was revoked by CN=hospital, says the file 'crl'")
    assert is_let_in(good)
    assert is_let_in(theirs)
    crl.write_bytes(hospital.revoke(between.own).read_bytes() + between.revoke().read_bytes())
    eventually(lambda: not is_let_in(theirs), what="so is who was signed by one that is revoked")
    over = hospital.revoke(ends=datetime.now(UTC) - timedelta(hours=1))
    crl.write_bytes(over.read_bytes())
    eventually(lambda: not is_let_in(good), what="an old list says nothing any more")
    is_told(receiver, "cannot be checked: the list of CN=hospital in the file 'crl' has expired")
    crl.write_text("nothing")
    event = receiver.event("config.rejected")
    assert "the certificates before stay in force: the file 'crl'" in event["details"]["reason"]


def test_who_does_not_believe_us_is_told_of(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority, tmp_path: Path
) -> None:
    receiver = start_receiver(**tls_settings(router))
    with pytest.raises(ssl.SSLCertVerificationError):
        Peer(tls_port(receiver), tls=client_context(make_authority(tmp_path)))
    is_told(receiver, "the sender does not believe our certificate")


def test_each_port_tells_who_came_to_the_wrong_one(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    receiver = start_receiver(**tls_settings(router))
    with pytest.raises((ssl.SSLError, OSError)):
        Peer(receiver.port, tls=client_context(hospital))
    is_told(receiver, "the sender speaks TLS at the port without it: have it call port")
    with Peer(tls_port(receiver)) as peer, contextlib.suppress(Closed, PeerError, OSError):
        peer.associate()
    is_told(receiver, "no TLS: the sender speaks DICOM without TLS at the port for TLS")
    sent = send(tls_port(receiver), [], "--probe")
    assert sent.error is not None
    with socket.create_connection(("127.0.0.1", tls_port(receiver))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(OSError):
            stranger.recv(100)
    receiver.until_idle()


def openssl(port: int, *options: str) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode()


def test_old_versions_and_weak_ciphers_are_refused(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    receiver = start_receiver(**tls_settings(router))
    port = tls_port(receiver)
    weak = "ALL:eNULL:@SECLEVEL=0"
    assert "TLSv1.2" in openssl(port, "-tls1_2")
    assert "TLS_" in openssl(port, "-tls1_3")
    for options in (("-tls1_1", "-cipher", weak), ("-tls1", "-cipher", weak)):
        assert "Cipher is (NONE)" in openssl(port, *options)
    is_told(receiver, "the sender has no version of TLS in common with us: it must offer TLS 1.2 or 1.3")
    for cipher in ("ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM8", "AES128-GCM-SHA256"):
        assert "Cipher is (NONE)" in openssl(port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    is_told(receiver, "the sender has no cipher in common with us")
    told = openssl(port, "-tls1_2")
    assert "Secure Renegotiation IS supported" in told
    assert "Compression: NONE" in told


def test_a_handshake_that_stalls_ends_with_the_limit_and_counts_as_a_place(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    receiver = start_receiver(
        **tls_settings(router), acse_timeout_seconds=1.5, max_associations=3, max_associations_per_sender=2
    )
    port = tls_port(receiver)
    with contextlib.ExitStack() as stack:
        for first in (b"", b"\x16\x03\x01\x02\x00\x01"):
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            stalled.sendall(first)
        eventually(lambda: len(receiver.children()) == 2, what="both have a place")
        with pytest.raises((ssl.SSLError, OSError)):
            Peer(port, tls=client_context(hospital))
        is_told(receiver, "too many associations at once from this sender: 2")
        with Peer(port, source="127.0.0.2", tls=client_context(hospital)) as other:
            store_one(other)
        is_told(receiver, "the handshake of TLS: ")
    receiver.until_idle()
    with Peer(port, tls=client_context(hospital)) as peer:
        store_one(peer)


def test_a_renewed_certificate_counts_for_the_next_sender_without_a_restart(
    start_receiver: StartReceiver, hospital: Authority, tmp_path: Path
) -> None:
    first, second = hospital.sign("router"), hospital.sign("router-2027")
    used = Certificate(tmp_path / "used.pem", tmp_path / "used.key")

    def install(certificate: Certificate) -> None:
        for source, place in ((certificate.key, used.key), (certificate.file, used.file)):
            shutil.copy(source, f"{place}.new")
            os.chmod(f"{place}.new", 0o600)
            os.replace(f"{place}.new", place)

    install(first)
    receiver = start_receiver(**tls_settings(used))
    port = tls_port(receiver)
    done = threading.Event()
    lost: list[BaseException] = []

    def load() -> None:
        try:
            while not done.is_set():
                with Peer(port, tls=client_context(hospital)) as peer:
                    store_one(peer)
        except (OSError, PeerError, AssertionError) as error:
            lost.append(error)

    with Peer(port, tls=client_context(hospital)) as before:
        before.associate()
        thread = threading.Thread(target=load)
        thread.start()
        install(second)
        eventually(lambda: shown_by(port, hospital) == "router-2027", seconds=30, what="the new one is shown")
        used.file.write_text("nonsense")
        event = receiver.event("config.rejected")
        assert "the certificates before stay in force" in event["details"]["reason"]
        assert shown_by(port, hospital) == "router-2027"
        done.set()
        thread.join()
        assert before.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
    assert lost == []


def shown_by(port: int, ca: Authority) -> str:
    with Peer(port, tls=client_context(ca)) as peer:
        assert isinstance(peer.socket, ssl.SSLSocket)
        shown: Any = peer.socket.getpeercert()
    return str(shown["subject"][0][0][1])


def test_files_that_cannot_be_used_close_the_port_for_tls_alone(
    start_receiver: StartReceiver, router: Certificate, tmp_path: Path
) -> None:
    key = tmp_path / "open.key"
    key.write_bytes(router.key.read_bytes())
    key.chmod(0o640)
    receiver = start_receiver(**tls_settings(Certificate(router.file, key)))
    event = receiver.event("config.rejected")
    assert "the port for TLS stays closed: the private key" in event["details"]["reason"]
    assert "can be read by others" in event["details"]["reason"]
    with Peer(receiver.port) as peer:
        store_one(peer)
    key.chmod(0o600)
    assert tls_port(receiver) > 0


def test_the_plain_port_can_be_off(start_receiver: StartReceiver, router: Certificate, hospital: Authority) -> None:
    receiver = start_receiver(**tls_settings(router), plain=False)
    ports = [line for line in receiver.log() if line["message"].startswith("listening")]
    assert [line["port"] for line in ports] == [tls_port(receiver)] * 2
    with Peer(tls_port(receiver), tls=client_context(hospital)) as peer:
        store_one(peer)


def test_a_probe_of_the_port_is_told_to_nobody(
    start_receiver: StartReceiver, router: Certificate, hospital: Authority
) -> None:
    receiver = start_receiver(**tls_settings(router))
    socket.create_connection(("127.0.0.1", tls_port(receiver))).close()
    Peer(tls_port(receiver), tls=client_context(hospital)).socket.close()
    receiver.until_idle()
    with Peer(receiver.port) as peer:
        store_one(peer)
    assert receiver.events("association.refused") == []
