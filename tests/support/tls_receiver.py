"""A receiver with a port for TLS, and who calls it there."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer, associate_rq
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.certificates import Authority, Certificate
    from tests.support.receiver import Receiver


def tls_settings(certificate: Certificate, ca: Authority | None = None, clients: str = "none") -> dict[str, Any]:
    """Make the settings of a receiver; the authority is for certificates of senders."""
    found = {"tls_port": 0, "tls_certificate": str(certificate.file), "tls_key": str(certificate.key)}
    return {**found, "tls_clients": clients, "tls_ca": str(ca.file) if ca else ""}


def tls_port(receiver: Receiver) -> int:
    """Return the port for TLS, once it is open."""
    lines = eventually(lambda: [line for line in receiver.log() if line["message"] == "listening for TLS"])
    return int(lines[-1]["port"])


def client_context(ca: Authority, own: Certificate | None = None) -> ssl.SSLContext:
    """Make a context that believes an authority, and shows a certificate."""
    made = ssl.create_default_context(cafile=str(ca.file))
    if own is not None:
        made.load_cert_chain(own.file, own.key)
    return made


def store_one(peer: Peer, calling: bytes = b"CT1") -> None:
    """Send an image by an association of its own."""
    peer.associate(associate_rq(calling=calling))
    assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
    peer.release()


def refusals(receiver: Receiver, words: str) -> bool:
    """Tell whether a sender was refused in these words."""
    events = receiver.events("association.refused")
    return any(words in event["details"]["reason"] for event in events)


def is_told(receiver: Receiver, words: str) -> None:
    """Wait for a refusal in these words."""
    eventually(lambda: refusals(receiver, words), what=f"a refusal that says: {words}")
