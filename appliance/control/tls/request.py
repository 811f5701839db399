"""A key for this router, and a request that an authority signs; a key is never overwritten, and its mode is 0600."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.control.api import tls as api
from appliance.control.api.tls import CertificateRequest, RequestCertificate
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.control.tls.pem import names_of, written_name
from mercure import durable
from mercure.config.senders import is_address

_KEY_MODE: Final = 0o600
_COMMON_NAME_CHARS: Final = 64
"""RFC 5280 appendix A.1, ub-common-name."""

_RSA_EXPONENT: Final = 65537


class KeyFolder:
    """Keys and certificates of this router.

    ``NAME.key`` and ``NAME.csr`` wait for the authority. What is installed has names of its own, by the fingerprint: a
    revision of the configuration names one pair for ever.

    Parameters
    ----------
    path : Path
        The folder (`mercure.config.Root.tls`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def waiting_key(self, name: str) -> Path:
        """Return the file of the key that waits for its certificate."""
        return self.path / f"{name}.key"

    def request(self, name: str) -> Path:
        """Return the file of the request."""
        return self.path / f"{name}.csr"

    def installed(self, name: str, fingerprint: str, suffix: str) -> Path:
        """Return the file of an installed certificate (``pem``), or of its key (``key``)."""
        return self.path / f"{name}-{fingerprint[:16]}.{suffix}"

    def is_installed(self, name: str, path: str) -> bool:
        """Tell whether a file is a certificate of this name that was installed here."""
        return Path(path).parent == self.path and Path(path).match(f"{name}-{'[0-9a-f]' * 16}.pem")

    def keys(self, name: str) -> list[Path]:
        """Return the files of all keys of a name, the one that waits first."""
        installed = sorted(self.path.glob(f"{name}-{'[0-9a-f]' * 16}.key"))
        return [path for path in (self.waiting_key(name), *installed) if path.is_file()]

    def make(self) -> None:
        """Make the folder, for its owner alone."""
        durable.make_directory(self.path, mode=0o700)

    def write_key(self, path: Path, data: bytes) -> None:
        """Write a private key that only its owner can read."""
        durable.write_file(path, data, mode=_KEY_MODE)


@carries_out(api.REQUEST)
def request(session: Session, wanted: RequestCertificate) -> CertificateRequest:
    """Make a key and a request.

    Raises
    ------
    ControlError
        A key waits already for its certificate, or a name is none.
    """
    folder = KeyFolder(session.root.tls)
    key_file, request_file = folder.waiting_key(wanted.name), folder.request(wanted.name)
    if key_file.exists() and not wanted.replace:
        text = f"a key waits for its certificate already: {key_file}"
        advice = f"send {request_file} to the authority, or make another key with --replace: what it signs is lost then"
        raise ControlError("invalid", text, advice)
    names = [_general_name(host) for host in wanted.hosts]
    with session.changing() as events:
        key = _new_key(wanted.key)
        signed = _signed_request(wanted, names, key)
        folder.make()
        pem = signed.public_bytes(Encoding.PEM)
        folder.write_key(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        durable.write_file(request_file, pem)
        subject, hosts = written_name(signed.subject), names_of(signed.extensions)
        session.audit(events, "tls.request", wanted.name, after={"subject": subject, "names": [*hosts]})
    return CertificateRequest(
        name=wanted.name,
        subject=subject,
        names=hosts,
        key_file=str(key_file),
        request_file=str(request_file),
        request=pem.decode(),
    )


def _new_key(kind: str) -> Any:  # noqa: ANN401 - of either kind
    return (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ec-p256" else rsa.generate_private_key(_RSA_EXPONENT, 3072)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)
    except ValueError as error:
        raise ControlError("invalid", f"{host!r} is no name of a machine: {error}") from error


def _signed_request(
    wanted: RequestCertificate,
    names: list[x509.GeneralName],
    key: Any,  # noqa: ANN401
) -> x509.CertificateSigningRequest:
    common = wanted.hosts[0] if len(wanted.hosts[0]) <= _COMMON_NAME_CHARS else wanted.name
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if wanted.organisation:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, wanted.organisation))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(key, hashes.SHA256())
