"""Installing what an authority has signed: checked, put beside its key, and named by the configuration in one revision.

Each pair has file names of its own, so that receiver and sender never meet the key of one with the certificate of the
other, and a roll-back of the configuration finds the pair of then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from appliance.control.api import tls as api
from appliance.control.api.base import Problem, Saved
from appliance.control.api.tls import InstallCertificate, InstalledCertificate
from appliance.control.configuration import edits
from appliance.control.errors import ControlError, entry_named
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.control.tls import chain as checks
from appliance.control.tls.chain import Chain
from appliance.control.tls.known import described
from appliance.control.tls.pem import fingerprint_of, load_key, names_of, same_key, written
from appliance.control.tls.request import KeyFolder
from mercure import durable

_RECEIVER: Final = ("receiver",)


@dataclass(frozen=True)
class EditOf:
    """From which revision a change is made, and why."""

    edited_from: int
    comment: str


@dataclass(frozen=True)
class _Pair:
    """A key of ours, as it is in its file, with the chain of its certificate."""

    key: bytes
    chain: Chain


@carries_out(api.INSTALL)
def install(session: Session, wanted: InstallCertificate) -> InstalledCertificate:
    """Check a certificate, and have the configuration name it.

    Raises
    ------
    ControlError
        ``invalid``, with every problem: nothing was changed.
    """
    folder = KeyFolder(session.root.tls)
    pair, authorities = _pair(folder, wanted), _parsed(wanted.ca, "ca") if wanted.ca else []
    places = _places(session, folder, wanted)
    now = session.clock.now()
    purposes = ["server"] if _RECEIVER in places else []
    purposes += ["client"] if any(place != _RECEIVER for place in places) else []
    problems = tuple(
        checks.problems_of(
            pair.chain, authorities, hosts=_asked_for(folder, wanted.name, pair), purposes=purposes, now=now
        )
    )
    if problems:
        first, more = problems[0], len(problems) - 1
        text = f"the certificate cannot be used: {first.text}" + (f" (and {more} more)" if more else "")
        raise ControlError("invalid", text, first.advice, problems=problems)
    found = InstalledCertificate(
        certificate=described("own", wanted.name, pair.chain.own),
        places=tuple(".".join(place) for place in places),
        warnings=tuple(checks.warnings_of(pair.chain, authorities, now)),
    )
    if wanted.check:
        return found
    file, saved = _installed(session, wanted, pair, authorities, places)
    named = found.certificate.model_copy(update={"file": str(file)})
    return found.model_copy(update={"certificate": named, "saved": saved})


def _pair(folder: KeyFolder, wanted: InstallCertificate) -> _Pair:
    given = _parsed(wanted.certificate, "certificate")
    keys = [path.read_bytes() for path in folder.keys(wanted.name)]
    for data in keys:
        key = load_key(data)
        chain = checks.chain_of(given, key) if key is not None else None
        if chain is not None:
            return _Pair(data, chain)
    if not keys:
        text, advice = f"there is no key of the name {wanted.name!r}", "`mercure tls request` makes one, and a request"
    else:
        text = f"none of the certificates is for a key of the name {wanted.name!r}"
        advice = "is it the answer to another request? `mercure tls show FILE` says what it is"
    raise ControlError("invalid", text, advice, problems=(Problem(place="key", text=text, advice=advice),))


def _parsed(text: str, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        advice = "it begins with -----BEGIN CERTIFICATE-----; `openssl x509 -inform DER` writes the other form so"
        raise ControlError("invalid", f"the {what} is no certificate in PEM form", advice) from error


def _asked_for(folder: KeyFolder, name: str, pair: _Pair) -> tuple[str, ...]:
    """Return the names of the request that this answers; none where it is not there any more."""
    try:
        request = x509.load_pem_x509_csr(folder.request(name).read_bytes())
    except (OSError, ValueError):
        return ()
    return names_of(request.extensions) if same_key(request, load_key(pair.key)) else ()


def _places(session: Session, folder: KeyFolder, wanted: InstallCertificate) -> list[edits.Place]:
    """Return where the configuration will name it: where it is told, and where an older one of this name is."""
    config = session.config
    found: dict[edits.Place, None] = {}
    if wanted.receiver or folder.is_installed(wanted.name, config.receiver.tls_certificate):
        found[_RECEIVER] = None
    for name in wanted.targets:
        if getattr(entry_named("target", name, config.targets), "kind", "") != "dicom":
            raise ControlError("invalid", f"target {name} is no DICOM node: it has no certificate of ours")
        found["targets", name, "tls"] = None
    for name, settings in config.targets.items():
        tls = getattr(settings, "tls", None)
        if tls is not None and folder.is_installed(wanted.name, str(tls.certificate or "")):
            found["targets", name, "tls"] = None
    repository = config.audit.repository
    if repository is not None and folder.is_installed(wanted.name, str(repository.tls.certificate or "")):
        found["audit", "repository", "tls"] = None
    return [*found] or [_RECEIVER]


def _installed(
    session: Session,
    wanted: InstallCertificate,
    pair: _Pair,
    authorities: list[x509.Certificate],
    places: list[edits.Place],
) -> tuple[Path, Saved]:
    """Write the files, and have the configuration name them; return the file of the certificate."""
    folder, mark = KeyFolder(session.root.tls), fingerprint_of(pair.chain.own)
    certificate, key = folder.installed(wanted.name, mark, "pem"), folder.installed(wanted.name, mark, "key")
    files = {"certificate": str(certificate), "key": str(key)}
    with session.changing():  # by the owner alone
        folder.write_key(key, pair.key)
        durable.write_file(certificate, written(_without_root(pair.chain)))
        if authorities:
            ca = folder.path / f"{wanted.name}-authorities-{fingerprint_of(authorities[0])[:16]}.pem"
            durable.write_file(ca, written(authorities))
            files["ca"] = str(ca)

    def edit(content: edits.Content) -> edits.Content:
        for place in places:
            content = _named(session, content, place, files)
        return content

    change = EditOf(session.loaded.revision, wanted.comment)
    saved = edits.apply(session, "tls.install", wanted.name, edit, change, on_hand_edit=True)
    waiting = folder.waiting_key(wanted.name)
    if waiting.is_file() and waiting.read_bytes() == pair.key:
        durable.unlink(waiting)
        durable.unlink(folder.request(wanted.name))
    return certificate, saved


def _named(session: Session, content: edits.Content, place: edits.Place, files: dict[str, str]) -> edits.Content:
    if place == _RECEIVER:
        return put(content, place, {f"tls_{name}": file for name, file in files.items()})
    settings = session.config.targets.get(place[1]) if place[0] == "targets" else None
    is_pinned = getattr(getattr(settings, "tls", None), "verify", "") == "pin"
    return put(content, place, {name: file for name, file in files.items() if name != "ca" or not is_pinned})


def _without_root(chain: Chain) -> list[x509.Certificate]:
    """Return what is shown: who believes the authority has its certificate (RFC 8446 section 4.4.2)."""
    shown = [*chain.certificates]
    return shown[:-1] if chain.is_whole and len(shown) > 1 else shown


def put(content: edits.Content, place: edits.Place, values: dict[str, Any]) -> edits.Content:
    """Return content with several values below a place."""
    for name, value in values.items():
        content = edits.put_at(content, (*place, name), value)
    return content
