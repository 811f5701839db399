"""Copies of images that leave the spool: without what their header says of the sender, and checked on the way."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

import xxhash

from mercure import durable
from mercure.dicom.receipt import (
    DIGEST_PREFIX,
    AlteredHeaderError,
    Header,
    Receipt,
    read_header,
    receipt_in,
    strip_receipt,
    transfer_syntax_in,
)

_CHUNK: Final = 1024 * 1024


class AlteredImageError(Exception):
    """The bytes of an image on our disk are not those that were acknowledged; the text says of which, and where."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return str(self).partition(": ")[0]

    @property
    def what(self) -> str:
        """What is wrong with it."""
        return str(self).partition(": ")[2]


def copy_image(
    source: Path,
    destination: Path,
    *,
    expected: str = "",
    replace: bool = True,
    owner: str | None = None,
    sync: bool = True,
) -> int:
    """Copy an image without its receipt, whole under its name, and return its bytes.

    What is copied is compared with the digests taken at receipt; nothing appears under the name if it differs.

    Parameters
    ----------
    source : Path
        A file of the spool.
    destination : Path
        Where to.
    expected : str
        What its tag line says of it (``DataSetDigest``); "" when it says nothing.
    replace, owner
        As for `durable.copy_file`.
    sync : bool
        False for a copy that may be lost with the power.

    Raises
    ------
    AlteredImageError
        The image is not as it was received.
    FileExistsError
        The name is taken, and `replace` is False.
    """
    with open(source, "rb") as reading:
        header = read_header(reading)
        receipt = _receipt(source, header, expected)
        stripped = _stripped(source, header.content)
        with durable.replacing(destination, replace=replace, owner=owner, sync=sync) as writing:
            writing.write(stripped)
            size = len(stripped)
            digest = xxhash.xxh3_128()
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
                writing.write(chunk)
                size += len(chunk)
            if receipt is not None and digest.hexdigest() != receipt.data:
                raise AlteredImageError(f"{source.name}: the data set is not as it was received")
    return size


def check_image(source: Path, *, expected: str = "") -> bool:
    """Compare an image with the digests taken at receipt; False when it was written without, and cannot be checked.

    Raises
    ------
    AlteredImageError
        The image is not as it was received.
    """
    with open(source, "rb") as reading:
        receipt = _receipt(source, read_header(reading), expected)
        if receipt is None:
            return False
        digest = xxhash.xxh3_128()
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != receipt.data:
        raise AlteredImageError(f"{source.name}: the data set is not as it was received")
    return True


def same_image(one: Path, other: Path) -> bool:
    """Return whether two files hold the same image: data set and transfer syntax, whatever else their headers say."""
    with open(one, "rb") as first, open(other, "rb") as second:
        headers = read_header(first), read_header(second)
        if transfer_syntax_in(headers[0].content) != transfer_syntax_in(headers[1].content):
            return False
        return _same_rest(first, second)


def _same_rest(first: BinaryIO, second: BinaryIO) -> bool:
    while True:
        chunk = first.read(_CHUNK)
        if chunk != second.read(_CHUNK):
            return False
        if not chunk:
            return True


def _receipt(source: Path, header: Header, expected: str) -> Receipt | None:
    try:
        receipt = receipt_in(header)
    except AlteredHeaderError as error:
        raise AlteredImageError(f"{source.name}: {error}") from error
    if expected.startswith(DIGEST_PREFIX) and (receipt is None or receipt.digest != expected):
        raise AlteredImageError(f"{source.name}: the meta header is not the one that was written at receipt")
    return receipt


def _stripped(source: Path, header: bytes) -> bytes:
    try:
        return strip_receipt(header)
    except AlteredHeaderError as error:
        raise AlteredImageError(f"{source.name}: {error}") from error
