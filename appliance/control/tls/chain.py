"""Checks of what an authority has signed: key, chain, dates, purpose, names, strength; each problem with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from appliance.control.api.base import Problem
from appliance.control.tls.pem import names_of, purposes_of, same_key, written_name

_LEAST_BITS: Final = ((rsa.RSAPublicKey, 2048), (ec.EllipticCurvePublicKey, 224))
"""As OpenSSL's security level 2, by which receiver and sender work: 112 bits."""

_WEAK: Final = (hashes.MD5, hashes.SHA1)
_SOON: Final = timedelta(days=30)
_LONGEST_CHAIN: Final = 10


@dataclass(frozen=True)
class Chain:
    """A certificate for one of our keys, and those that signed it, each by the next one.

    Parameters
    ----------
    certificates : tuple
        The one of the key first.
    unused : int
        So many others were with them that signed none of these.
    """

    certificates: tuple[x509.Certificate, ...]
    unused: int

    @property
    def own(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.certificates[0]

    @property
    def top(self) -> x509.Certificate:
        """The last one."""
        return self.certificates[-1]

    @property
    def is_whole(self) -> bool:
        """Whether it ends with an authority that signed itself."""
        return has_signed(self.top, self.top)


def chain_of(certificates: Sequence[x509.Certificate], key: Any) -> Chain | None:  # noqa: ANN401 - any kind of key
    """Put certificates in order, beginning with the one of a key; None where none is of it."""
    own = next((each for each in certificates if same_key(each, key)), None)
    if own is None:
        return None
    ordered, rest = [own], [each for each in certificates if each != own]
    while len(ordered) < _LONGEST_CHAIN and not has_signed(ordered[-1], ordered[-1]):
        above = next((each for each in rest if has_signed(each, ordered[-1])), None)
        if above is None:
            break
        ordered.append(above)
        rest.remove(above)
    return Chain(tuple(ordered), len(rest))


def has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Tell whether one certificate has signed another, or itself."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def problems_of(
    chain: Chain,
    authorities: Sequence[x509.Certificate],
    *,
    hosts: Sequence[str],
    purposes: Sequence[str],
    now: datetime,
) -> Iterator[Problem]:
    """Yield why a certificate would not be believed.

    Parameters
    ----------
    chain : Chain
        The certificate and those above it.
    authorities : sequence
        Those that peers believe; none: that is not known.
    hosts : sequence of str
        Names and addresses that must be in it.
    purposes : sequence of str
        ``server`` where senders call us, ``client`` where we call targets.
    now : datetime
        Aware instant.
    """
    for certificate in chain.certificates:
        yield from _of_dates(certificate, now)
        yield from _of_strength(certificate)
    yield from _of_purpose(chain.own, purposes)
    missing = [host for host in hosts if host not in names_of(chain.own.extensions)]
    if missing:
        advice = "have one signed that has the names of the request"
        yield Problem(place="names", text=f"it is not for {', '.join(missing)}, as was asked for", advice=advice)
    if authorities and not any(has_signed(each, chain.top) or each == chain.top for each in authorities):
        text = f"it is signed by {written_name(chain.top.issuer)}, which is not in the file of authorities"
        yield Problem(place="chain", text=text, advice="add the certificates between it and the authority to the file")


def _of_dates(certificate: x509.Certificate, now: datetime) -> Iterator[Problem]:
    name, begins, ends = (
        written_name(certificate.subject),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    if ends <= now:
        yield Problem(place="dates", text=f"{name} has expired on {ends:%Y-%m-%d}", advice="have a new one signed")
    if begins > now:
        advice = "check the clock of this machine, or install it then"
        yield Problem(place="dates", text=f"{name} is valid from {begins:%Y-%m-%d %H:%M} UTC only", advice=advice)


def _of_strength(certificate: x509.Certificate) -> Iterator[Problem]:
    name, key = written_name(certificate.subject), certificate.public_key()
    for kind, least in _LEAST_BITS:
        if isinstance(key, kind) and key.key_size < least:
            text = f"the key of {name} has {key.key_size} bits, and {least} are the least that is safe"
            yield Problem(place="key", text=text, advice="have one made with a longer key")
    is_signed_by_itself = certificate.subject == certificate.issuer
    if isinstance(certificate.signature_hash_algorithm, _WEAK) and not is_signed_by_itself:
        text = f"{name} is signed with {certificate.signature_hash_algorithm.name.upper()}, which is not safe"
        yield Problem(place="key", text=text, advice="have it signed with SHA-256")


def _of_purpose(certificate: x509.Certificate, purposes: Sequence[str]) -> Iterator[Problem]:
    found = purposes_of(certificate)
    lacking = [purpose for purpose in purposes if found and purpose not in found and "any" not in found]
    if lacking:
        text = f"it is not one for a {' and a '.join(lacking)} (extended key usage: {', '.join(found)})"
        yield Problem(place="purpose", text=text, advice="have one signed that is for servers and clients")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.digital_signature:
        text = "its key may not sign (key usage without digitalSignature), as TLS 1.3 needs it"
        yield Problem(place="purpose", text=text, advice="have one signed with digitalSignature")


def warnings_of(chain: Chain, authorities: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """Yield what a person should know of a certificate that can be used."""
    ends = min(each.not_valid_after_utc for each in chain.certificates)
    if ends - now < _SOON:
        yield f"it ends on {ends:%Y-%m-%d} already"
    found = purposes_of(chain.own)
    if found and "client" not in found and "any" not in found:
        yield "it is for servers only: targets that want a certificate of ours do not take it"
    if chain.unused:
        yield f"{chain.unused} of the certificates in the file are not above it, and were left out"
    if not chain.is_whole and not authorities:
        issuer = written_name(chain.top.issuer)
        yield f"who calls us must know {issuer}: if that is no authority that they have, add the certificates between"
