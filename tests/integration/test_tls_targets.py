"""Targets over TLS: images arrive, and where there is no TLS the reason and what to do are told; no image is blamed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mercure.config.tls import TargetTls
from mercure.dicom.association import DicomNode
from mercure.dicom.echo import EchoResult, echo_of
from mercure.dicom.tls import NodeCertificate, probe
from mercure.names import new_id
from mercure.spool import Task
from mercure.targets.base import DeliveryJob, Trouble
from mercure.targets.dicom import DicomSettings, DicomTarget
from tests.support.certificates import Authority, Certificate, make_authority, make_certificate
from tests.support.data_sets import data_set_of
from tests.support.fixtures import MakeStoreScp
from tests.support.series import synthetic_series
from tests.support.storescu import ACCEPT_ALL, Sent, send
from tests.support.tls_nodes import openssl_server, server_context, silent_node, tls_node

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("other"), "elsewhere")


@pytest.fixture(scope="module")
def archive(hospital: Authority) -> Certificate:
    return hospital.sign("archive", purpose="server")


def over_tls(port: int, *options: str, files: Any = (), host: str = "127.0.0.1") -> Sent:
    return send(port, files, "--tls", *options, *(() if files else ("--probe",)), host=host)


def ask(port: int, tls: TargetTls, host: str = "127.0.0.1", timeout: float = 5.0) -> EchoResult:
    return echo_of(DicomNode(host, port, "ARCHIVE", "MERCURE", timeout, tls))


def test_images_arrive_over_tls_bit_by_bit(
    storescp: MakeStoreScp, hospital: Authority, archive: Certificate, tmp_path: Path
) -> None:
    files = synthetic_series(tmp_path, 3)
    ours = hospital.sign("router", purpose="client")
    tls = ("+tls", str(archive.key), str(archive.file), "--add-cert-file", str(hospital.file), "--require-peer-cert")
    target = storescp(*ACCEPT_ALL, *tls)
    shown = (f"--tls-certificate={ours.file}", f"--tls-key={ours.key}")
    sent = over_tls(target.port, f"--tls-ca={hospital.file}", *shown, files=files)
    assert (sent.code, sent.error, sent.outcomes) == (0, None, {"confirmed": 3})
    stored = sorted(data_set_of(file.read_bytes()) for file in target.files())
    assert stored == sorted(data_set_of(file.read_bytes()) for file in files)


def test_several_associations_over_tls(archive: Certificate, hospital: Authority, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 12)
    with tls_node(server_context(archive)) as port:
        sent = over_tls(port, f"--tls-ca={hospital.file}", "--associations=3", "--answer-watch=0.2", files=files)
    assert (sent.code, sent.outcomes) == (0, {"confirmed": 12})


def no_tls_with(sent: Sent) -> str:
    assert sent.code == 67
    assert sent.error is not None
    assert sent.error["kind"] == "tls"
    return sent.error["text"]


def certificates(hospital: Authority, other: Authority, folder: Path) -> dict[str, Certificate]:
    now = datetime.now(UTC)
    return {
        "expired": hospital.sign("expired", ends=now - WEEK),
        "too early": hospital.sign("early", begins=now + WEEK),
        "another name": hospital.sign("pacs", hosts=("pacs.example", "192.0.2.7")),
        "for clients": hospital.sign("clients", purpose="client"),
        "another authority": other.sign("stranger"),
        "itself": make_certificate(folder, "itself"),
    }


WORDS = {
    "expired": ("its certificate expired on 20", "have it renewed"),
    "too early": ("is valid from 20", "check the clocks"),
    "another name": ("is for pacs.example, 192.0.2.7, and not for 127.0.0.1", "set 'server_name'"),
    "for clients": ("is not one for a server", "have one made that is"),
    "another authority": ("is signed by CN=elsewhere, whom we do not know", "must hold the certificate"),
    "itself": ("is signed by itself", "pin it"),
}


@pytest.mark.parametrize("fault", WORDS)
def test_a_certificate_that_is_not_believed_is_told_with_what_to_do(
    fault: str, hospital: Authority, other: Authority, tmp_path: Path
) -> None:
    shown = certificates(hospital, other, tmp_path)[fault]
    with tls_node(server_context(shown)) as port:
        text = no_tls_with(over_tls(port, f"--tls-ca={hospital.file}"))
        answer = ask(port, TargetTls(ca=hospital.file))
    for word in (*WORDS[fault], f"no TLS with 127.0.0.1:{port}"):
        assert word in text
        assert word in answer.text
    assert (answer.ok, answer.kind) == (False, "unreachable")


def test_a_name_of_ours_or_none_can_be_asked_for(hospital: Authority) -> None:
    with tls_node(server_context(hospital.sign("pacs", hosts=("pacs.example",)))) as port:
        assert over_tls(port, f"--tls-ca={hospital.file}", "--tls-name=pacs.example").code == 0
        assert over_tls(port, f"--tls-ca={hospital.file}", "--tls-verify=ca").code == 0
        assert ask(port, TargetTls(ca=hospital.file, server_name="pacs.example")).ok
        assert ask(port, TargetTls(ca=hospital.file, verify="ca")).ok
        assert "and not for pacs" in no_tls_with(over_tls(port, f"--tls-ca={hospital.file}", "--tls-name=pacs"))


def test_the_common_name_is_no_name(hospital: Authority) -> None:
    with tls_node(server_context(hospital.sign("localhost", hosts=()))) as port:
        assert "no name" in no_tls_with(over_tls(port, f"--tls-ca={hospital.file}", host="localhost"))
        assert not ask(port, TargetTls(ca=hospital.file), host="localhost").ok


def test_a_pinned_certificate_is_believed_and_no_other_one(hospital: Authority, tmp_path: Path) -> None:
    pinned = make_certificate(tmp_path, "scanner")
    renewed = make_certificate(tmp_path / "..", "scanner-renewed")
    pin = TargetTls(ca=pinned.file, verify="pin")
    with tls_node(server_context(pinned)) as port:
        assert over_tls(port, f"--tls-ca={pinned.file}", "--tls-verify=pin", "--tls-name=whatever").code == 0
        assert ask(port, pin).ok
    with tls_node(server_context(renewed)) as port:
        text = no_tls_with(over_tls(port, f"--tls-ca={pinned.file}", "--tls-verify=pin"))
        assert "another certificate than the pinned one" in text
        assert "another certificate than the pinned one" in ask(port, pin).text


def test_what_a_pinned_authority_signs_is_not_pinned(hospital: Authority, archive: Certificate) -> None:
    with tls_node(server_context(archive)) as port:
        sent = over_tls(port, f"--tls-ca={hospital.file}", "--tls-verify=pin")
        assert "another certificate than the pinned one" in no_tls_with(sent)
        assert not ask(port, TargetTls(ca=hospital.file, verify="pin")).ok


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(version: str, hospital: Authority, archive: Certificate) -> None:
    with openssl_server(archive, version, "-cipher", "ALL:@SECLEVEL=0") as port:
        text = no_tls_with(over_tls(port, f"--tls-ca={hospital.file}"))
        answer = ask(port, TargetTls(ca=hospital.file))
    assert "no version of TLS in common with us: it must offer TLS 1.2 or 1.3" in text
    assert "no version of TLS in common with us" in answer.text


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES256-SHA384", "NULL-SHA256", "ECDHE-ECDSA-AES128-CCM8"])
def test_ciphers_without_authentication_or_secrecy_are_refused(
    cipher: str, hospital: Authority, archive: Certificate
) -> None:
    with openssl_server(archive, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0") as port:
        assert "no cipher in common with us" in no_tls_with(over_tls(port, f"--tls-ca={hospital.file}"))


def test_tls_1_2_with_a_safe_cipher_is_taken(hospital: Authority, archive: Certificate) -> None:
    context = server_context(archive)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_node(context) as port:
        assert over_tls(port, f"--tls-ca={hospital.file}").code == 0
        assert ask(port, TargetTls(ca=hospital.file)).ok


# The node of the test leaves a socket behind where a handshake fails: pynetdicom's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_target_that_wants_our_certificate(
    version: ssl.TLSVersion, hospital: Authority, other: Authority, archive: Certificate
) -> None:
    context = server_context(archive, clients=hospital.file)
    context.maximum_version = version
    ours, strange = hospital.sign("router", purpose="client"), other.sign("router", purpose="client")
    ca = f"--tls-ca={hospital.file}"
    with tls_node(context) as port:
        assert "it wants a certificate from us" in no_tls_with(over_tls(port, ca))
        shown = (f"--tls-certificate={strange.file}", f"--tls-key={strange.key}")
        assert "it refuses our certificate" in no_tls_with(over_tls(port, ca, *shown))
        assert "it wants a certificate from us" in ask(port, TargetTls(ca=hospital.file)).text
        good = TargetTls(ca=hospital.file, certificate=ours.file, key=ours.key)
        assert ask(port, good).ok


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_revoked_target_gets_nothing(hospital: Authority, archive: Certificate, tmp_path: Path) -> None:
    crl, empty = tmp_path / "hospital.crl", tmp_path / "empty.crl"
    empty.write_bytes(hospital.revoke().read_bytes())
    crl.write_bytes(hospital.revoke(archive).read_bytes())
    files = synthetic_series(tmp_path, 1)
    with tls_node(server_context(archive)) as port:
        ca = f"--tls-ca={hospital.file}"
        assert over_tls(port, ca, f"--tls-crl={empty}", files=files).outcomes == {"confirmed": 1}
        assert ask(port, TargetTls(ca=hospital.file, crl=empty)).ok
        text = no_tls_with(over_tls(port, ca, f"--tls-crl={crl}", files=files))
        assert "its certificate was revoked by CN=hospital, says the file 'crl'" in text
        assert "was revoked by CN=hospital" in ask(port, TargetTls(ca=hospital.file, crl=crl)).text
        old = tmp_path / "old.crl"
        old.write_bytes(hospital.revoke(ends=datetime.now(UTC) - WEEK).read_bytes())
        assert "the list of CN=hospital in the file 'crl' has expired" in no_tls_with(
            over_tls(port, ca, f"--tls-crl={old}")
        )
        assert "holds no list of revoked" in no_tls_with(over_tls(port, ca, f"--tls-crl={archive.file}"))


def test_a_target_without_tls_is_told_from_one_with_it(storescp: MakeStoreScp, archive: Certificate) -> None:
    target = storescp(*ACCEPT_ALL)
    assert "does it speak TLS on this port?" in no_tls_with(over_tls(target.port))
    assert ask(target.port, TargetTls(), timeout=3).kind == "unreachable"


def test_a_target_that_never_answers_the_handshake_is_an_outage() -> None:
    with silent_node() as port:
        sent = over_tls(port, "--acse-timeout=0.3")
        answer = ask(port, TargetTls(), timeout=0.5)
    assert sent.code == 62
    assert sent.error is not None
    assert "did not finish the handshake of TLS within 0.3 s: does it speak TLS" in sent.error["text"]
    assert "did not finish the handshake of TLS" in answer.text


def test_files_that_cannot_be_used_are_named(hospital: Authority, archive: Certificate, tmp_path: Path) -> None:
    ours, another = hospital.sign("ours"), hospital.sign("another")
    open_key = tmp_path / "open.key"
    open_key.write_bytes(ours.key.read_bytes())
    open_key.chmod(0o644)
    faults = {
        f"the file 'ca', {tmp_path}/none.pem cannot be read": {"ca": tmp_path / "none.pem"},
        "holds no certificates": {"ca": ours.key},
        f"the private key {another.key} is not that of the certificate": {"certificate": ours.file, "key": another.key},
        f"the private key {open_key} can be read by others": {"certificate": ours.file, "key": open_key},
    }
    with tls_node(server_context(archive)) as port:
        for words, files in faults.items():
            options = [f"--tls-{name}={path}" for name, path in files.items()]
            assert words in no_tls_with(over_tls(port, *options)).replace(",,", ",")
            assert not ask(port, TargetTls(**files)).ok


def test_a_probe_shows_the_certificate_also_where_it_is_not_believed(other: Authority) -> None:
    stranger = other.sign("stranger")
    with tls_node(server_context(stranger)) as port:
        found = probe(TargetTls(), "127.0.0.1", port, ("ARCHIVE", "MERCURE"), 5)
    assert found.tls is not None
    assert found.tls.subject == "CN=stranger"
    assert found.tls.certificate == stranger.file.read_text()
    assert found.error is not None


def delivery(folder: Path, port: int, ca: Path) -> tuple[Trouble | None, list[NodeCertificate]]:
    tls = {"ca": str(ca)}
    target = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "ARCHIVE", "tls": tls}
    files = synthetic_series(folder, 2)
    shown: list[NodeCertificate] = []
    job = DeliveryJob(
        directory=folder, files=[file.name for file in files], task=Task(id=new_id(), created=datetime.now(UTC)),
        seconds=30, report=lambda result: None, stopping=lambda: False, note_certificate=shown.append,
    )  # fmt: skip
    return DicomTarget(DicomSettings.model_validate(target)).deliver(job), shown


def test_a_delivery_tells_which_certificate_was_shown_believed_or_not(hospital: Authority, tmp_path: Path) -> None:
    soon, over = datetime(2099, 1, 31, tzinfo=UTC), datetime.now(UTC) - WEEK
    for name, ends in (("renewed", soon), ("forgotten", over)):
        (tmp_path / name).mkdir()
        with tls_node(server_context(hospital.sign(name, ends=ends))) as port:
            trouble, shown = delivery(tmp_path / name, port, hospital.file)
        assert (trouble is None) == (name == "renewed")
        assert [(it.subject, it.ends[:10]) for it in shown] == [(f"CN={name}", f"{ends:%Y-%m-%d}")]


def test_no_image_is_blamed_for_tls(hospital: Authority, other: Authority) -> None:
    with tls_node(server_context(other.sign("stranger"))) as port:
        settings = DicomSettings.model_validate(
            {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "A", "tls": {"ca": str(hospital.file)}}
        )
        check = DicomTarget(settings).check()
    assert not check.ok
    assert "is signed by CN=elsewhere" in check.text
    assert settings.destination() == DicomSettings.model_validate({**settings.model_dump(), "tls": None}).destination()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"certificate": "/a.pem"}, "go together"),
        ({"key": "/a.pem"}, "go together"),
        ({"verify": "pin"}, "must name the file"),
        ({"verify": "pin", "ca": "/a.pem", "crl": "/a.crl"}, "no authority whose 'crl'"),
        ({"ca": "a.pem"}, "absolute"),
        ({"verify": "none"}, "verify"),
    ],
)
def test_settings_that_make_no_sense_are_refused(content: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TargetTls.model_validate(content)
