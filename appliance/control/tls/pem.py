"""Certificates, requests and keys in PEM, and what they say in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

_MOST_BYTES: Final = 1024 * 1024
_MOST_OF_A_LIST: Final = 64 * 1024 * 1024
_LIST_BEGINS: Final = b"-----BEGIN X509 CRL-----"
_PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "server",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
}


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Read the certificates of a PEM file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It holds none, or one that cannot be read.
    """
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificates(file.read(_MOST_BYTES))


def read_lists(path: Path) -> list[tuple[str, datetime, datetime | None]]:
    """Read the lists of revoked certificates (CRL) of a PEM file: whose each is, of when, and when the next is due.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It holds none, or one that cannot be read.
    """
    with open(path, "rb") as file:
        parts = file.read(_MOST_OF_A_LIST).split(_LIST_BEGINS)[1:]
    lists = [x509.load_pem_x509_crl(_LIST_BEGINS + part) for part in parts]
    if not lists:
        raise ValueError("there is none")
    return [(written_name(each.issuer), each.last_update_utc, each.next_update_utc) for each in lists]


def written_name(name: x509.Name) -> str:
    """Write a subject or an issuer as receiver and sender do (RFC 4514)."""
    return name.rfc4514_string()


def names_of(extensions: x509.Extensions) -> tuple[str, ...]:
    """Return the names and addresses in a certificate or in a request (subject alternative names)."""
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kept = (name for name in names if isinstance(name, x509.DNSName | x509.IPAddress | x509.UniformResourceIdentifier))
    return tuple(str(name.value) for name in kept)


def purposes_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return what a certificate is for (extended key usage): ``server``, ``client``; nothing: for anything."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(_PURPOSES.get(purpose, purpose.dotted_string) for purpose in usage)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return its SHA-256 in hexadecimal, by which it is compared on the telephone."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_in_words(key: Any) -> str:  # noqa: ANN401 - any kind of public key
    """Say which kind of key it is, and how long: ``RSA 3072``, ``EC secp256r1``."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def same_key(certificate: x509.Certificate | x509.CertificateSigningRequest, key: Any) -> bool:  # noqa: ANN401
    """Tell whether a certificate or a request is of a private key."""
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)  # type: ignore[no-any-return]


def load_key(data: bytes) -> Any:  # noqa: ANN401 - any kind of private key
    """Read a private key; None where it is none that can be read."""
    try:
        return load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def written(certificates: Sequence[x509.Certificate]) -> bytes:
    """Write certificates as a PEM file."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
