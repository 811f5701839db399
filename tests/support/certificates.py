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

    def below(self, name: str) -> Authority:
        """Sign the certificate of an authority that stands between this one and those that it signs for."""
        own = _made(self.folder, name, self, is_authority=True)
        key = serialization.load_pem_private_key(own.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Authority(self.folder, own, key, _subject(name))

    def sign_request(
        self,
        request: x509.CertificateSigningRequest,
        file: Path,
        *,
        hosts: tuple[str, ...] = (),
        begins: datetime | None = None,
        ends: datetime | None = None,
        purpose: str = "",
        signs: bool = True,
    ) -> Path:
        """Sign a request as it is, but for what is given otherwise; write the certificate into a file."""
        begins = begins or datetime(2026, 1, 1, tzinfo=UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends or begins + timedelta(days=3650))
        )
        names = x509.SubjectAlternativeName([_name(host) for host in hosts])
        given: dict[type, x509.ExtensionType] = {type(names): names} if hosts else {}
        given |= {x509.ExtendedKeyUsage: x509.ExtendedKeyUsage([_PURPOSES[purpose]])} if purpose else {}
        for extension in request.extensions:
            builder = builder.add_extension(given.get(type(extension.value), extension.value), extension.critical)
        usage = dict.fromkeys(_KEY_USES, False) | {"key_encipherment": True, "digital_signature": signs}
        made = builder.add_extension(x509.KeyUsage(**usage), critical=True).sign(self.key, hashes.SHA256())
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return file

    def revoke(self, *certificates: Certificate, ends: datetime | None = None) -> Path:
        """Write a list of revoked certificates (CRL) beside its own certificate."""
        now = datetime.now(UTC)
        ends = ends or now + timedelta(days=30)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.subject)
        builder = builder.last_update(min(now, ends) - timedelta(days=1)).next_update(ends)
        for certificate in certificates:
            known = x509.load_pem_x509_certificate(certificate.file.read_bytes())
            entry = x509.RevokedCertificateBuilder().serial_number(known.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(hours=1)).build())
        file = self.folder / f"{self.own.file.stem}.crl"
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return file


def make_authority(folder: Path, name: str = "hospital") -> Authority:
    """Make an authority with its own certificate."""
    own = _made(folder, name, None)
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(folder, own, key, _subject(name))


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


_KEY_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
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
    is_authority: bool = False,
) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
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
        .add_extension(x509.BasicConstraints(ca=signer is None or is_authority, path_length=None), critical=True)
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
