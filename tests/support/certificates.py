"""Certificates made for a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in PEM files."""

    file: Path
    key: Path


def make_certificate(folder: Path, name: str = "server", *, ends: datetime | None = None) -> Certificate:
    """Make a certificate for 127.0.0.1 and localhost that is believed by who has its file."""
    return _made(folder, name, None, ends=ends)


@dataclass(frozen=True)
class Authority:
    """An authority that signs certificates for a test."""

    folder: Path
    own: Certificate
    key: ec.EllipticCurvePrivateKey
    subject: x509.Name

    @property
    def file(self) -> Path:
        """Its own certificate."""
        return self.own.file

    def sign(self, name: str, **more: Any) -> Certificate:
        """Sign a certificate.

        `hosts` are its names and addresses, `begins` and `ends` its first and last moment, `purpose` what it is for:
        ``server``, ``client`` or nothing in particular.
        """
        return _made(self.folder, name, self, **more)


def make_authority(folder: Path, name: str = "hospital") -> Authority:
    """Make an authority with its own certificate."""
    own = _made(folder, name, None)
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(folder, own, key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))


_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


def _made(
    folder: Path,
    name: str,
    signer: Authority | None,
    *,
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
    begins: datetime | None = None,
    ends: datetime | None = None,
    purpose: str = "",
) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = ends or datetime.now(UTC) + timedelta(days=100)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or min(datetime.now(UTC), ends) - timedelta(days=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    )
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([_PURPOSES[purpose]]), critical=False)
    made = builder.sign(key if signer is None else signer.key, hashes.SHA256())
    found = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    found.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    found.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    found.key.chmod(0o600)
    return found


def _name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(host)) if host[:1].isdigit() else x509.DNSName(host)
