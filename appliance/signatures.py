"""Signatures of what the router states: Ed25519, with the key of the box, over JSON in one canonical form.

A signed document is a JSON object with five members: ``algorithm``, ``format``, ``key``, ``statement`` and
``signature``. The signature covers all the others, so what was signed as one kind of document never passes for another.
The key in it only says who claims to have signed: who checks brings the key from outside.

The canonical form is that of RFC 8785 for what we write: names in ASCII, and no fractions. The file is laid out in one
way, too: every changed byte is found, also one between the members.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mercure import durable

ALGORITHM: Final = "Ed25519"
KEY_FILE: Final = "box.pem"
"""In the folder of the keys (`mercure.config.Root.keys`): the private key, PKCS #8 in PEM."""

_MEMBERS: Final = frozenset({"algorithm", "format", "key", "statement", "signature"})
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
_LARGEST: Final = 2**53 - 1
"""Beyond, readers that know only floating-point numbers read another number."""

_OTHERS: Final = 0o077


class SignatureError(Exception):
    """A document or a key cannot be believed or used; the text says why, for a person."""


@dataclass(frozen=True)
class PublicKey:
    """A public key, by which a signature is checked.

    Parameters
    ----------
    raw : bytes
        The 32 bytes of the key (RFC 8032).
    """

    raw: bytes

    @classmethod
    def from_pem(cls, data: bytes) -> PublicKey:
        """Read the file that ``mercure receipt key`` prints.

        Raises
        ------
        SignatureError
            It is no public Ed25519 key.
        """
        if b"PRIVATE KEY" in data:
            raise SignatureError("the file holds a private key, which never leaves the router: give the public key")
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            raise SignatureError("the file holds no public key in PEM form") from None
        if not isinstance(key, Ed25519PublicKey):
            raise SignatureError(f"the key in the file is no {ALGORITHM} key")
        return cls(key.public_bytes_raw())

    @classmethod
    def from_fingerprint(cls, text: str) -> PublicKey:
        """Read a fingerprint; blanks and colons between the digits do not matter, nor do capitals.

        Raises
        ------
        SignatureError
            It does not have 64 hexadecimal digits.
        """
        digits = re.sub(r"[\s:]", "", text).lower()
        if _FINGERPRINT.fullmatch(digits) is None:
            raise SignatureError("a fingerprint has 64 hexadecimal digits")
        return cls(bytes.fromhex(digits))

    @property
    def fingerprint(self) -> str:
        """The key itself in hexadecimal. It is no longer than a digest of it, and a check needs nothing else."""
        return self.raw.hex()

    @property
    def pem(self) -> str:
        """The key as a file in PEM form."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def has_signed(self, signature: bytes, data: bytes) -> bool:
        """Return whether a signature of some bytes was made with this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """The private key of a box."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def load(cls, folder: Path) -> SigningKey | None:
        """Read the key of a box; None when there is none yet.

        Raises
        ------
        SignatureError
            There is one that cannot be used, or that others may read.
        OSError
            It cannot be read.
        """
        path = folder / KEY_FILE
        try:
            with open(path, "rb") as file:
                mode, data = os.fstat(file.fileno()).st_mode, file.read()
        except FileNotFoundError:
            return None
        if mode & _OTHERS:
            raise SignatureError(f"{path} may be read by others (mode {mode & 0o777:04o}); its mode should be 0600")
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SignatureError(f"{path} holds no private key that can be read; restore it from a backup") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SignatureError(f"{path} holds no {ALGORITHM} key; restore it from a backup")
        return cls(key)

    @classmethod
    def ensure(cls, folder: Path) -> tuple[SigningKey, bool]:
        """Read the key of a box, or make it; return it, and whether it is new.

        Raises
        ------
        SignatureError, OSError
            As `load`; one that is damaged is never replaced.
        """
        if (found := cls.load(folder)) is not None:
            return found, False
        made = Ed25519PrivateKey.generate()
        data = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        durable.make_directory(folder, mode=0o700)
        try:
            with durable.replacing(folder / KEY_FILE, mode=0o600, replace=False) as file:
                file.write(data)
        except FileExistsError:  # somebody else made it at the same moment
            if (found := cls.load(folder)) is not None:
                return found, False
            raise
        return cls(made), True

    def sign(self, format: str, statement: Mapping[str, Any]) -> bytes:
        """Sign a statement, and return the file that holds both.

        Parameters
        ----------
        format : str
            What kind of document it is, with its version: ``mercure-receipt/1``.
        statement : mapping
            JSON without fractions.

        Raises
        ------
        ValueError
            The statement has no canonical form.
        """
        body = {"algorithm": ALGORITHM, "format": format, "key": self.public.fingerprint, "statement": statement}
        return _laid_out({**body, "signature": self._key.sign(canonical(body)).hex()})


def canonical(value: object) -> bytes:
    """Return JSON in its one form: names in order, no blanks, UTF-8 (RFC 8785).

    Raises
    ------
    ValueError
        There is a fraction, a number beyond 2^53, a name outside ASCII, half a character, or what is no JSON in it.
    """
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"the name {name!r} is not ASCII")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError(f"{value} is too large")
    elif value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r} has no canonical form")


def read(data: bytes) -> dict[str, Any]:
    """Read a signed document without believing it.

    Raises
    ------
    SignatureError
        It is none.
    """
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=_members, parse_float=_refused, parse_constant=_refused
        )
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"the file is no signed document: {error}") from None
    if not isinstance(found, dict) or set(found) != _MEMBERS:
        raise SignatureError(f"the file is no signed document: its members are not {', '.join(sorted(_MEMBERS))}")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is there twice")
    return members


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that we write")


def verify(data: bytes, format: str, key: PublicKey) -> dict[str, Any]:
    """Check a signed document, and return its statement.

    Parameters
    ----------
    data : bytes
        The file.
    format : str
        What kind of document is expected.
    key : PublicKey
        Whose signature is wanted. It comes from outside, never from the file.

    Raises
    ------
    SignatureError
        The document is not as that key signed it.
    """
    document = read(data)
    signature = document.pop("signature")
    if document["algorithm"] != ALGORITHM or document["format"] != format:
        raise SignatureError(f"the file is no {format} signed by {ALGORITHM}")
    if document["key"] != key.fingerprint:
        raise SignatureError(f"another key than yours: the file says that {document['key']} signed it")
    if not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        raise SignatureError("the signature is damaged")
    try:
        signed = canonical(document)
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"the file is not as it was signed: {error}") from None
    if not key.has_signed(bytes.fromhex(signature), signed):
        raise SignatureError("the file is not as it was signed: something in it was changed")
    if data != _laid_out({**document, "signature": signature}):
        raise SignatureError("what the file says is as it was signed, but the file itself was written anew")
    statement = document["statement"]
    if not isinstance(statement, dict):
        raise SignatureError("the file states nothing")
    return statement


def _laid_out(document: Mapping[str, Any]) -> bytes:
    """Write a document as its file has it: in ASCII, which no mail program changes."""
    return json.dumps(document, sort_keys=True, indent=1).encode("ascii") + b"\n"
