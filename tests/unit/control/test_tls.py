"""Certificates: which ones the router knows, from files and from peers, and which alerts come of them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.inputs import look
from appliance.control.api import senders, targets, tls
from appliance.control.api.tls import KnownCertificate
from appliance.control.errors import ControlError
from appliance.control.registry import find
from appliance.control.session import Session
from mercure.clock import Clock, ManualClock
from mercure.config.alerts import AlertSettings
from mercure.delivery.target_certificate import note_certificate
from mercure.dicom.tls import NodeCertificate
from tests.support.certificates import Authority, make_authority, make_certificate
from tests.support.control_session import edit as edit_by_hand
from tests.support.router_status import WELL
from tests.support.sender_past import came
from tests.support.tasks import events_of
from tests.support.tls_nodes import server_context, tls_node
from tests.support.verbs import asked

NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
PACS = {"kind": "dicom", "host": "pacs", "port": 2762, "called_aet": "PACS"}


@pytest.fixture
def clock() -> Clock:
    return ManualClock(NOW)


def edit(session: Session, targets: dict[str, Any] | None = None, **changes: Any) -> Session:
    """Write into mercure.json with an editor; targets come beside the one that a first configuration has."""
    first = {"delivered": {"kind": "folder", "path": str(session.root.path / "delivered")}}
    return edit_by_hand(session, targets={**first, **(targets or {})}, **changes)


def run(session: Session, verb: Any, **wanted: Any) -> Any:
    bound = find(verb.name)
    fresh = Session(session.root, session.user, clock=session.clock)
    return bound.run(asked(fresh), bound.verb.request(**wanted))


def shown(session: Session) -> list[KnownCertificate]:
    found: tuple[KnownCertificate, ...] = run(session, tls.SHOW).certificates
    return list(found)


def alerts(session: Session) -> list[tuple[str, str, str]]:
    found = alerts_of(WELL.model_copy(update={"time": session.clock.now()}), look(session), AlertSettings()).alerts
    return [(it.severity, it.object, it.text) for it in found if it.kind == "certificate"]


def test_every_file_that_the_configuration_names_is_known_once(session: Session, tmp_path: Path) -> None:
    hospital = make_authority(tmp_path)
    ours = hospital.sign("router", ends=NOW + timedelta(days=10))
    ours.file.write_bytes(ours.file.read_bytes() + hospital.file.read_bytes())
    client = {"ca": str(hospital.file), "certificate": str(ours.file), "key": str(ours.key)}
    session = edit(
        session,
        receiver={
            "tls_certificate": str(ours.file), "tls_key": str(ours.key), "tls_ca": str(hospital.file),
            "tls_clients": "wanted",
        },
        targets={"pacs": {**PACS, "tls": client}},
        audit={"repository": {"host": "log", "tls": client}},
        alerts={"certificate": {"files": [str(tmp_path / "none.pem")]}},
    )  # fmt: skip
    found = {(it.use, it.about, it.file, it.subject) for it in shown(session)}
    own, ca = "receiver, pacs, audit repository", "receiver, pacs, audit repository"
    assert found == {
        ("own", own, str(ours.file), "CN=router"),
        ("own", own, str(ours.file), "CN=hospital"),
        ("authority", ca, str(hospital.file), "CN=hospital"),
        ("watched", "", str(tmp_path / "none.pem"), ""),
    }
    router = next(it for it in shown(session) if it.subject == "CN=router")
    assert (router.issuer, router.names) == ("CN=hospital", ("localhost", "127.0.0.1"))
    assert len(router.fingerprint) == 64
    assert [(severity, text) for severity, _, text in alerts(session)] == [
        ("critical", f"the certificate {tmp_path / 'none.pem'} cannot be read: No such file or directory"),
        ("warning", f"the certificate {ours.file} (CN=router) for {own} expires on 2026-12-10"),
    ]


def test_what_a_target_showed_is_known_until_it_is_another_node(session: Session) -> None:
    session = edit(session, targets={"pacs": {**PACS, "tls": {}}})

    def note(ends: str) -> None:
        found = NodeCertificate(subject="CN=archive", issuer="CN=hospital", ends=ends)
        note_certificate(session.spool, "pacs", session.config.targets["pacs"], found, session.clock.now())

    note("")
    note("an unreadable date")
    assert shown(session) == []
    note("2026-12-31T00:00:00Z")
    assert [(it.use, it.about, it.subject) for it in shown(session)] == [("target", "pacs", "CN=archive")]
    assert next(it for it in run(session, targets.LIST).targets if it.name == "pacs").certificate.ends == datetime(
        2026, 12, 31, tzinfo=UTC
    )
    assert alerts(session) == []
    session.clock.advance(timedelta(days=2).total_seconds())  # type: ignore[attr-defined]
    assert alerts(session) == [("warning", "pacs", "the certificate of target pacs (CN=archive) expires on 2026-12-31")]
    note("2027-12-31T00:00:00Z")
    assert alerts(session) == []
    note("2026-12-01T00:00:00Z")
    assert alerts(session)[0][2].endswith("has expired on 2026-12-01")
    for other in ({**PACS, "port": 2763, "tls": {}}, PACS, {**PACS, "tls": {}, "disabled": True}):
        changed = edit(session, targets={"pacs": other})
        assert (shown(changed), alerts(changed)) == ([], [])


def test_what_a_sender_shows_is_known_by_its_last_one(session: Session) -> None:
    came(session, "CT1", "10.0.0.7")
    assert shown(session) == []
    came(session, "CT1", "10.0.0.7", certificate=("CN=ct1,O=Hospital", "2026-12-02T00:00:00Z"))
    came(session, "MR1", "10.0.0.8", certificate=("CN=mr1", "2027-12-02T00:00:00Z"))
    assert {(it.use, it.about, it.subject) for it in shown(session)} == {
        ("sender", "CT1@10.0.0.7", "CN=ct1,O=Hospital"), ("sender", "MR1@10.0.0.8", "CN=mr1"),
    }  # fmt: skip
    text = "the certificate of sender CT1@10.0.0.7 (CN=ct1,O=Hospital) expires on 2026-12-02"
    assert alerts(session) == [("critical", "CT1@10.0.0.7", text)]
    line = next(it for it in run(session, senders.LIST).senders if it.name == "CT1@10.0.0.7")
    assert (line.certificate.subject, line.changed) == ("CN=ct1,O=Hospital", ())
    session.clock.advance(3600)  # type: ignore[attr-defined]
    came(session, "CT1", "10.0.0.7", certificate=("CN=ct1-2027", "2027-12-02T00:00:00Z"))
    assert alerts(session) == [], "renewed, also under another name"


def test_a_sender_that_comes_no_more_is_not_asked_to_renew(session: Session) -> None:
    came(session, "OLD", "10.0.0.9", certificate=("CN=old", "2026-12-02T00:00:00Z"))
    session.clock.advance(timedelta(days=29).total_seconds())  # type: ignore[attr-defined]
    assert [severity for severity, _, _ in alerts(session)] == ["critical"]
    session.clock.advance(timedelta(days=2).total_seconds())  # type: ignore[attr-defined]
    assert alerts(session) == []


def test_a_long_subject_does_not_hide_the_day(session: Session) -> None:
    came(session, "CT1", "10.0.0.7", certificate=("CN=" + "x" * 300, "2026-12-02T00:00:00Z"))
    assert [it.ends for it in shown(session)] == [datetime(2026, 12, 2, tzinfo=UTC)]


def test_a_list_of_revoked_certificates_is_watched_by_its_own_time(session: Session, tmp_path: Path) -> None:
    hospital = make_authority(tmp_path)
    real = datetime.now(UTC)
    session.clock.advance((real - NOW).total_seconds())  # type: ignore[attr-defined]
    crl = hospital.revoke(hospital.sign("ct1"), ends=real + timedelta(days=7))
    tls_of_pacs = {"ca": str(hospital.file), "crl": str(crl)}
    session = edit(session, targets={"pacs": {**PACS, "tls": tls_of_pacs}})
    (found,) = (it for it in shown(session) if it.use == "revoked")
    assert (found.about, found.issuer, found.ends) == (
        "pacs", "CN=hospital", (real + timedelta(days=7)).replace(microsecond=0),
    )  # fmt: skip
    assert alerts(session) == []
    session.clock.advance(timedelta(days=6.3).total_seconds())  # type: ignore[attr-defined]
    ((severity, _, text),) = alerts(session)
    assert severity == "critical"
    assert text.startswith(f"the list of revoked certificates {crl} of CN=hospital for pacs expires on ")
    crl.write_text("nothing")
    assert alerts(session)[0][2].endswith("cannot be read: it is no list of revoked certificates in PEM form")


# A request, what an authority makes of it, and the pin of a target.

HOSTS = ("router.hospital.example", "10.0.3.5")


def asked_for(session: Session, **wanted: Any) -> x509.CertificateSigningRequest:
    made = run(session, tls.REQUEST, **{"hosts": HOSTS, "key": "ec-p256", **wanted})
    return x509.load_pem_x509_csr(made.request.encode())


def keys(session: Session) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in session.root.tls.glob("*.key")}


def installed(session: Session, *files: Path, **wanted: Any) -> Any:
    certificate = "".join(file.read_text() for file in files)
    return run(session, tls.INSTALL, certificate=certificate, **wanted)


def fresh(session: Session) -> Session:
    return Session(session.root, session.user, clock=session.clock)


def audited(session: Session) -> list[str]:
    return [event.details["verb"] for event in events_of(session) if event.type == "audit"]


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


def test_a_request_has_a_key_that_nobody_else_can_read_and_that_is_never_overwritten(session: Session) -> None:
    made = run(session, tls.REQUEST, hosts=HOSTS, organisation="Hospital")
    request = x509.load_pem_x509_csr(made.request.encode())
    assert request.is_signature_valid
    assert (made.subject, made.names) == ("CN=router.hospital.example,O=Hospital", HOSTS)
    assert Path(made.request_file).read_text() == made.request
    assert keys(session) == {"router.key": 0o600}
    assert session.root.tls.stat().st_mode & 0o777 == 0o700
    first = Path(made.key_file).read_bytes()
    with pytest.raises(ControlError, match="waits for its certificate already"):
        asked_for(session)
    assert Path(made.key_file).read_bytes() == first
    asked_for(session, name="other")
    asked_for(session, replace=True)
    assert Path(made.key_file).read_bytes() != first
    assert audited(session) == ["tls.request"] * 3
    assert not [event for event in events_of(session) if "PRIVATE" in event.model_dump_json()]


@pytest.mark.parametrize("host", ["bad name", "", "ümlaut", "a/b"])
def test_a_request_for_what_is_no_machine_is_refused(session: Session, host: str) -> None:
    with pytest.raises((ControlError, ValueError)):
        asked_for(session, hosts=(host,))
    assert keys(session) == {}


def test_what_the_authority_signed_is_used_and_its_successor_takes_its_place(
    session: Session, hospital: Authority, tmp_path: Path
) -> None:
    first = hospital.sign_request(asked_for(session), tmp_path / "first.pem")
    checked = installed(session, first, check=True)
    assert (checked.saved, checked.places) == (None, ("receiver",))
    assert fresh(session).config.receiver.tls_certificate == ""
    found = installed(session, first, ca=hospital.file.read_text(), comment="from the hospital")
    assert found.saved.revision == 2
    receiver = fresh(session).config.receiver
    assert receiver.tls_certificate == found.certificate.file
    assert Path(receiver.tls_ca).read_text() == hospital.file.read_text()
    assert set(keys(session).values()) == {0o600}
    assert "router.key" not in keys(session), "it waits no more"
    assert sorted(audited(session)) == ["tls.install", "tls.request"]
    key_before = Path(receiver.tls_key).read_bytes()
    second = hospital.sign_request(asked_for(session), tmp_path / "second.pem")
    installed(session, second)
    after = fresh(session).config.receiver
    assert (after.tls_certificate, after.tls_key) != (receiver.tls_certificate, receiver.tls_key)
    assert Path(receiver.tls_key).read_bytes() == key_before, "for a roll-back"
    assert Path(after.tls_key).read_bytes() != key_before
    assert ssl_takes(after.tls_certificate, after.tls_key)


def ssl_takes(certificate: str, key: str) -> bool:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    return True


def test_the_same_key_may_be_signed_again(session: Session, hospital: Authority, tmp_path: Path) -> None:
    request = asked_for(session)
    installed(session, hospital.sign_request(request, tmp_path / "first.pem"))
    before = fresh(session).config.receiver
    installed(session, hospital.sign_request(request, tmp_path / "again.pem"))
    after = fresh(session).config.receiver
    assert after.tls_certificate != before.tls_certificate
    assert Path(after.tls_key).read_bytes() == Path(before.tls_key).read_bytes()


def test_targets_show_it_too_and_one_that_is_pinned_keeps_its_pin(
    session: Session, hospital: Authority, tmp_path: Path
) -> None:
    pinned = {**PACS, "tls": {"ca": str(hospital.file), "verify": "pin"}}
    session = edit(session, targets={"pacs": PACS, "p.acs": pinned, "box": {"kind": "folder", "path": "/srv"}})
    signed = hospital.sign_request(asked_for(session), tmp_path / "made.pem")
    with pytest.raises(ControlError, match="no DICOM node"):
        installed(session, signed, targets=("box",))
    with pytest.raises(ControlError, match="no target 'nobody'"):
        installed(session, signed, targets=("nobody",))
    found = installed(session, signed, targets=("pacs", "p.acs"), ca=hospital.file.read_text())
    now = fresh(session).config
    settings = {name: now.targets[name].model_dump(mode="json")["tls"] for name in ("pacs", "p.acs")}
    assert {tls["certificate"] for tls in settings.values()} == {found.certificate.file}
    assert (settings["p.acs"]["ca"], settings["p.acs"]["verify"]) == (str(hospital.file), "pin")
    assert Path(settings["pacs"]["ca"]).read_text() == hospital.file.read_text()
    assert now.receiver.tls_certificate == ""
    renewed = hospital.sign_request(asked_for(session), tmp_path / "renewed.pem")
    assert set(installed(session, renewed, receiver=True).places) == {
        "receiver", "targets.pacs.tls", "targets.p.acs.tls",
    }  # fmt: skip


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"begins": NOW - timedelta(days=9), "ends": NOW - timedelta(days=1)}, "has expired on 2026-11-29"),
    "too early": ({"begins": NOW + timedelta(days=1)}, "is valid from 2026-12-01 09:30 UTC only"),
    "for clients": ({"purpose": "client"}, "it is not one for a server"),
    "other names": ({"hosts": ("router",)}, "it is not for router.hospital.example, 10.0.3.5, as was asked for"),
    "may not sign": ({"signs": False}, "its key may not sign"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_would_not_be_believed_is_not_installed(
    session: Session, hospital: Authority, tmp_path: Path, fault: str
) -> None:
    changes, words = FAULTS[fault]
    signed = hospital.sign_request(asked_for(session), tmp_path / "made.pem", **changes)
    with pytest.raises(ControlError) as refused:
        installed(session, signed)
    assert refused.value.kind == "invalid"
    assert any(words in problem.text and problem.advice for problem in refused.value.problems)
    assert fresh(session).config.receiver.tls_certificate == ""
    assert list(keys(session)) == ["router.key"]


def test_a_certificate_of_another_key_is_not_installed(session: Session, hospital: Authority, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="there is no key of the name 'router'"):
        installed(session, hospital.sign("stranger").file)
    asked_for(session)
    with pytest.raises(ControlError, match="none of the certificates is for a key of the name 'router'"):
        installed(session, hospital.sign("stranger").file)
    with pytest.raises(ControlError, match="no certificate in PEM form"):
        installed(session, hospital.sign("stranger").key)


def test_the_chain_must_lead_to_the_authority_and_is_put_in_order(
    session: Session, hospital: Authority, tmp_path: Path
) -> None:
    between = hospital.below("between")
    signed = between.sign_request(asked_for(session), tmp_path / "made.pem")
    with pytest.raises(ControlError, match="signed by CN=between, which is not in the file of authorities"):
        installed(session, signed, ca=hospital.file.read_text())
    alone = installed(session, signed, check=True)
    assert any("who calls us must know CN=between" in text for text in alone.warnings)
    other = make_authority(tmp_path / "..", "elsewhere")
    with pytest.raises(ControlError, match="not in the file of authorities"):
        installed(session, signed, between.file, ca=other.file.read_text())
    found = installed(session, other.file, hospital.file, between.file, signed, ca=hospital.file.read_text())
    assert any("1 of the certificates in the file are not above it" in text for text in found.warnings)
    shown = x509.load_pem_x509_certificates(Path(found.certificate.file).read_bytes())
    assert [it.subject.rfc4514_string() for it in shown] == ["CN=router.hospital.example", "CN=between"]


def test_a_short_key_is_refused(session: Session, hospital: Authority, tmp_path: Path) -> None:
    asked_for(session)
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    (session.root.tls / "router.key").write_bytes(
        short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "router")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(short, SHA256())
    with pytest.raises(ControlError, match="has 1024 bits, and 2048 are the least"):
        installed(session, hospital.sign_request(request, tmp_path / "made.pem"))


# The node of the test leaves a socket behind where a handshake fails: pynetdicom's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_target_is_pinned_by_what_it_shows(session: Session, tmp_path: Path) -> None:
    scanner, other = make_certificate(tmp_path, "scanner"), make_certificate(tmp_path, "other")
    with tls_node(server_context(scanner)) as port:
        node = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "ARCHIVE"}
        session = edit(session, targets={"pacs": node})
        found = run(session, tls.PIN, target="pacs")
        assert (found.pem, found.saved) == (scanner.file.read_text(), None)
        assert "is signed by itself" in found.problem
        assert run(session, tls.PIN, host="127.0.0.1", port=port).certificate.subject == "CN=scanner"
        mark = found.certificate.fingerprint
        with pytest.raises(ControlError, match="shows another certificate"):
            run(session, tls.PIN, target="pacs", save=True, fingerprint="00" * 32)
        assert fresh(session).loaded.revision == session.loaded.revision
        spoken = ":".join(mark[at : at + 2].upper() for at in range(0, 64, 2))
        assert run(session, tls.PIN, target="pacs", save=True, fingerprint=spoken).saved is not None
        settings = fresh(session).config.targets["pacs"].model_dump(mode="json")["tls"]
        assert settings["verify"] == "pin"
        assert Path(settings["ca"]).read_text() == scanner.file.read_text()
        assert run(session, tls.PIN, target="pacs").problem == ""
    with tls_node(server_context(other), port=port):
        assert "another certificate than the pinned one" in run(session, tls.PIN, target="pacs").problem
    with pytest.raises(ControlError, match="there is no certificate to see"):
        run(session, tls.PIN, target="pacs")
    with pytest.raises(ControlError, match="name a target"):
        run(session, tls.PIN, host="127.0.0.1", port=port, save=True)
