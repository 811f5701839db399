"""Listing the certificates that the router knows: files that the configuration names, and what peers have shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.control.api import tls as api
from appliance.control.api.base import Nothing
from appliance.control.api.tls import CertificateUse, KnownCertificate, KnownCertificates
from appliance.control.errors import ControlError
from appliance.control.history.search import reading
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import Config
from mercure.config.tls import TargetTls
from mercure.delivery.target_certificate import read_certificate
from mercure.history.rows import MOST_TRAITS
from mercure.history.traffic import Traffic

if TYPE_CHECKING:
    from cryptography import x509

    from mercure.history.records import TraitRecord

RECENT: Final = timedelta(days=30)
"""A sender that has not come for longer is not asked to renew its certificate."""


@carries_out(api.SHOW)
def show(session: Session, wanted: Nothing) -> KnownCertificates:
    """List all certificates, those that end first at the top."""
    found, left_out = [*of_files(session.config), *of_targets(session)], ""
    try:
        found += of_senders(session)
    except ControlError as error:
        left_out = f"those of senders are not known: {error.text}"
    ordered = sorted(found, key=lambda it: (it.ends.timestamp() if it.ends else 0.0, it.use, it.about))
    return KnownCertificates(time=session.clock.now(), certificates=tuple(ordered), left_out=left_out)


def known_certificates(session: Session) -> tuple[KnownCertificate, ...]:
    """Return the same for alerts: without senders where the history cannot be asked, which is an alert of its own."""
    found = [*of_files(session.config), *of_targets(session)]
    with contextlib.suppress(ControlError):
        found += of_senders(session)
    return tuple(found)


def of_files(config: Config) -> Iterator[KnownCertificate]:
    """Yield what is in each file that the configuration names; a file that is named several times once."""
    places: dict[Path, tuple[CertificateUse, list[str]]] = {}
    for use, about, path in _files(config):
        places.setdefault(path, (use, []))[1].append(about)
    for path, (use, named) in places.items():
        yield from _in_file(use, ", ".join(dict.fromkeys(named)), path)


def _files(config: Config) -> Iterator[tuple[CertificateUse, str, Path]]:
    receiver, repository = config.receiver, config.audit.repository
    if receiver.tls_certificate:
        yield "own", "receiver", Path(receiver.tls_certificate)
    if receiver.tls_ca and receiver.tls_clients != "none":
        yield "authority", "receiver", Path(receiver.tls_ca)
    if receiver.tls_crl:
        yield "revoked", "receiver", Path(receiver.tls_crl)
    clients = [(name, getattr(settings, "tls", None)) for name, settings in config.targets.items()]
    clients += [("audit repository", repository.tls)] if repository is not None else []
    for about, tls in clients:
        if isinstance(tls, TargetTls):
            yield from _of_client(about, tls)
    for name, channel in config.notifications.channels.items():
        ca = getattr(channel, "ca_file", None)
        if isinstance(ca, Path):
            yield "authority", f"channel {name}", ca
    for path in config.alerts.certificate.files:
        yield "watched", "", path


def _of_client(about: str, tls: TargetTls) -> Iterator[tuple[CertificateUse, str, Path]]:
    if tls.certificate is not None:
        yield "own", about, tls.certificate
    if tls.ca is not None:
        yield "authority", about, tls.ca
    if tls.crl is not None:
        yield "revoked", about, tls.crl


def _in_file(use: CertificateUse, about: str, path: Path) -> Iterator[KnownCertificate]:
    from appliance.control.tls.pem import read_certificates, read_lists  # noqa: PLC0415 - a tenth of a second

    file, problem = str(path), ""
    try:
        if use == "revoked":
            for issuer, begins, ends in read_lists(path):
                yield KnownCertificate(use=use, about=about, file=file, issuer=issuer, begins=begins, ends=ends)
            return
        for certificate in read_certificates(path):
            yield described(use, about, certificate, file)
    except OSError as error:
        problem = error.strerror or str(error)
    except ValueError:
        problem = f"it is no {'list of revoked certificates' if use == 'revoked' else 'certificate'} in PEM form"
    if problem:
        yield KnownCertificate(use=use, about=about, file=file, problem=problem)


def described(use: CertificateUse, about: str, certificate: x509.Certificate, file: str = "") -> KnownCertificate:
    """Describe a certificate."""
    from appliance.control.tls import pem  # noqa: PLC0415

    return KnownCertificate(
        use=use,
        about=about,
        file=file,
        subject=pem.written_name(certificate.subject),
        issuer=pem.written_name(certificate.issuer),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        names=pem.names_of(certificate.extensions),
        purposes=pem.purposes_of(certificate),
        key=pem.key_in_words(certificate.public_key()),
        fingerprint=pem.fingerprint_of(certificate),
    )


def of_targets(session: Session) -> Iterator[KnownCertificate]:
    """Yield what targets have shown."""
    for name, settings in session.config.targets.items():
        found = None if settings.disabled else read_certificate(session.spool, name, settings)
        if found is not None:
            yield KnownCertificate(
                use="target", about=name, subject=found.subject, issuer=found.issuer, ends=found.ends
            )


def of_senders(session: Session) -> list[KnownCertificate]:
    """Return what senders of the last days have shown, of each machine the last one.

    Raises
    ------
    ControlError
        The history cannot be asked.
    """
    config, now = session.config, session.clock.now()
    with reading(session, Traffic) as traffic:
        traits = [it for it in traffic.traits(config.name, MOST_TRAITS) if it.kind == "certificate"]
    found: dict[tuple[str, str], KnownCertificate] = {}
    for trait in latest(traits):
        ends, subject = ends_and_subject(trait.value)
        if ends is not None and now - trait.last < RECENT:
            name = config.sender_of(trait.calling_aet, trait.address)
            found[name, trait.value] = KnownCertificate(use="sender", about=name, subject=subject, ends=ends)
    return list(found.values())


def latest(traits: Iterable[TraitRecord]) -> Iterator[TraitRecord]:
    """Yield of each machine the certificate that it showed last; of several in one minute the one that ends last."""
    last: dict[tuple[str, str], TraitRecord] = {}
    for trait in traits:
        machine = trait.calling_aet, trait.address
        before = last.get(machine)
        if before is None or (trait.last, trait.value) > (before.last, before.value):
            last[machine] = trait
    yield from last.values()


def ends_and_subject(value: str) -> tuple[datetime | None, str]:
    """Read what the history keeps of a certificate."""
    ends, _, subject = value.partition(" ")
    try:
        return datetime.fromisoformat(ends), subject
    except ValueError:
        return None, subject
