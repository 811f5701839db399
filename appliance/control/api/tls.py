"""TLS: the certificates that the router knows, a request to an authority, its answer, and the pin of a target."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Nothing, Saved, Verb
from mercure.config.basics import Name
from mercure.model import Model

Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:*-]+$")]
Pem = Annotated[str, Field(min_length=1, max_length=1_000_000)]

CertificateUse = Literal["own", "authority", "revoked", "watched", "target", "sender"]
"""``own``: shown by the router. ``authority``: by which others are believed. ``revoked``: a list of revoked
certificates (CRL), and when the next one is due. ``watched``: a file of `alerts.certificate`. ``target`` and
``sender``: of a peer, as it showed it."""


class KnownCertificate(Model):
    """A certificate: where it is from, whose it is, and when it ends.

    ``about`` is the target or the sender, or for a file where the configuration names it; ``file`` is empty for those
    of peers. ``fingerprint`` is the SHA-256; of a peer little more is kept than when it ends. ``problem`` says why it
    cannot be read.
    """

    use: CertificateUse
    about: str
    file: str = ""
    subject: str = ""
    issuer: str = ""
    begins: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    names: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    key: str = ""
    fingerprint: str = ""
    problem: str = ""


class KnownCertificates(Model):
    """All certificates that the router knows; ``time`` is now. ``left_out`` says which could not be had, and why."""

    time: AwareDatetime
    certificates: tuple[KnownCertificate, ...]
    left_out: str = ""


class RequestCertificate(Model):
    """A key that is to be made, and a request for the hospital's authority to sign.

    ``name`` is that of the files. ``hosts`` are the names and addresses by which others call the router; the first is
    its common name. ``replace``: a key that waits for its certificate is forgotten for a new one.
    """

    name: Name = "router"
    hosts: Annotated[tuple[Host, ...], Field(min_length=1, max_length=20)]
    organisation: Annotated[str, Field(max_length=64)] = ""
    key: Literal["rsa-3072", "ec-p256"] = "rsa-3072"
    replace: bool = False


class CertificateRequest(Model):
    """A request (PKCS #10 in PEM), the file that holds it, and that of its key."""

    name: str
    subject: str
    names: tuple[str, ...]
    key_file: str
    request_file: str
    request: str


class InstallCertificate(Model):
    """What the authority has signed: the certificate and those between, in any order.

    ``ca`` are certificates of authorities that senders and targets are believed by, and by which the chain is checked.
    It is put where `receiver`, `targets`, or an older one of the same `name` say; with none of them it is the
    receiver's. ``check``: nothing is put anywhere.
    """

    name: Name = "router"
    certificate: Pem
    ca: Annotated[str, Field(max_length=1_000_000)] = ""
    receiver: bool = False
    targets: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    check: bool = False
    comment: Annotated[str, Field(max_length=2000)] = ""


class InstalledCertificate(Model):
    """The certificate, the places of the configuration that name it now, and what a person should know beside.

    ``saved`` is null where nothing was put anywhere.
    """

    certificate: KnownCertificate
    places: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    saved: Saved | None = None


class PinPeer(Model):
    """A target of the configuration, or a machine: what it shows over TLS.

    ``save``: the target is believed by this very certificate from now on. ``fingerprint``: only if it is this one.
    """

    target: str = ""
    host: Annotated[str, Field(max_length=253)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 2762
    save: bool = False
    fingerprint: Annotated[str, Field(max_length=200)] = ""
    comment: Annotated[str, Field(max_length=2000)] = ""


class PinnedPeer(Model):
    """What a peer showed, in PEM too; ``problem`` is why it is not believed as it is set now."""

    certificate: KnownCertificate
    pem: str
    version: str
    problem: str = ""
    saved: Saved | None = None


SHOW: Final = Verb("tls.show", Nothing, KnownCertificates, "viewer", "List the certificates, and when each ends.")
REQUEST: Final = Verb(
    "tls.request", RequestCertificate, CertificateRequest, "admin", "Make a key, and a request for an authority.",
    changes=True,
)  # fmt: skip
INSTALL: Final = Verb(
    "tls.install", InstallCertificate, InstalledCertificate, "admin", "Check and install what an authority has signed.",
    changes=True,
)  # fmt: skip
PIN: Final = Verb(
    "tls.pin", PinPeer, PinnedPeer, "admin", "Look at the certificate of a peer; believe a target by it alone.",
    changes=True,
)  # fmt: skip
