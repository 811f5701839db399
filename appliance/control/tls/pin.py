"""The pin of a peer: the certificate that it shows, by which a target may be believed without an authority."""

from __future__ import annotations

import re

from cryptography import x509

from appliance.control.api import tls as api
from appliance.control.api.tls import PinnedPeer, PinPeer
from appliance.control.configuration import edits
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.control.targets.targets import find_node
from appliance.control.tls.install import EditOf, put
from appliance.control.tls.known import described
from appliance.control.tls.request import KeyFolder
from mercure import durable
from mercure.config.tls import TargetTls
from mercure.delivery.target_certificate import note_certificate
from mercure.dicom.tls import TlsProbe, probe
from mercure.dicom.tools import ToolMissingError

_SECONDS = 10.0
_TITLES = ("ANY-SCP", "MERCURE")


@carries_out(api.PIN)
def pin(session: Session, wanted: PinPeer) -> PinnedPeer:
    """Look at what a peer shows, and believe a target by it alone where that is wanted.

    Raises
    ------
    ControlError
        It shows no certificate, or another one than is expected.
    """
    found = _asked(session, wanted)
    if found.tls is None or not found.tls.certificate:
        why = found.error.text if found.error is not None else "it shows no certificate"
        raise ControlError(
            "failed", f"there is no certificate to see: {why}", "check host and port, and that it speaks TLS"
        )
    certificate = x509.load_pem_x509_certificate(found.tls.certificate.encode())
    about = wanted.target or f"{wanted.host}:{wanted.port}"
    seen = PinnedPeer(
        certificate=described("target", about, certificate),
        pem=found.tls.certificate,
        version=found.tls.version,
        problem=found.error.text if found.error is not None else "",
    )
    expected = re.sub(r"[\s:]", "", wanted.fingerprint).lower()
    if expected and expected != seen.certificate.fingerprint:
        text = f"{about} shows another certificate: its fingerprint is {seen.certificate.fingerprint}"
        raise ControlError("failed", text, "find out who answers in its place; nothing was changed")
    return seen if not wanted.save else _save(session, wanted, seen)


def _asked(session: Session, wanted: PinPeer) -> TlsProbe:
    try:
        if not wanted.target:
            if not wanted.host or wanted.save:
                raise ControlError(
                    "bad-parameters", "name a target of the configuration, or host and port without --save"
                )
            return probe(TargetTls(), wanted.host, wanted.port, _TITLES, _SECONDS)
        node = find_node(session, wanted.target)
        titles = (node.called_aet, node.calling_aet)
        found = probe(node.tls or TargetTls(), node.host, node.port, titles, node.connect_timeout_seconds)
    except ToolMissingError as error:
        raise ControlError("failed", str(error)) from error
    if found.tls is not None:
        note_certificate(session.spool, wanted.target, node, found.tls, session.clock.now())
    return found


def _save(session: Session, wanted: PinPeer, seen: PinnedPeer) -> PinnedPeer:
    folder = KeyFolder(session.root.tls)
    file = folder.path / f"pin-{wanted.target}-{seen.certificate.fingerprint[:16]}.pem"
    with session.changing():  # by the owner alone
        folder.make()
        durable.write_file(file, seen.pem.encode())
    change = EditOf(session.loaded.revision, wanted.comment)
    pinned = {"ca": str(file), "verify": "pin"}
    place = ("targets", wanted.target, "tls")
    saved = edits.apply(
        session, "tls.pin", wanted.target, lambda content: put(content, place, pinned), change, on_hand_edit=True
    )
    return seen.model_copy(update={"saved": saved})
