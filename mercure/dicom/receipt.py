"""Receipt in the meta header of an image: where it comes from, and its digests, as the receiver wrote them.

The format is that of ``docs/reference/spool.md``, "The meta header". Only a file of our own spool is believed: the
receiver writes every header in it itself, so nothing that a sender sends can get there.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal, NamedTuple

import xxhash
from pydantic import Field, ValidationError

from mercure.model import Record

CREATOR_UID: Final = "2.25.140604012194056817564743319889658665803"
"""Our implementation class UID; in (0002,0100) it says that the private information is a receipt."""

IMPLEMENTATION_VERSION: Final = "MERCURE_0_1"
"""Our implementation version name."""

DIGEST_PREFIX: Final = "xxh3-128:"
"""What stands before the digits of a digest in a tag line, so that another kind can come one day."""

LONGEST_HEADER: Final = 64 * 1024
"""Of preamble, prefix and group 0002, in bytes; those that the receiver writes are smaller."""

_LOOK: Final = 4096
_GROUP_LENGTH_END: Final = 144
_TRANSFER_SYNTAX: Final = 0x0010
_CREATOR: Final = 0x0100
_INFORMATION: Final = 0x0102
_DROPPED: Final = frozenset({_CREATOR, _INFORMATION, 0x0026, 0x0027, 0x0028})
_LONG_VRS: Final = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_DIGITS: Final = 32
_UNSET: Final = b"0" * _DIGITS
_MARKS: Final = (b'{"v":1,"image":"', b',"data":"', b',"meta":"', b"\x02\x00\x00\x01UI\x2c\x00" + CREATOR_UID.encode())
"""One of these is left over when a header with a receipt is damaged in one place."""


class AlteredHeaderError(Exception):
    """The meta header of a file was written with a receipt, and is not as it was written."""


class Receipt(Record):
    """What is known of the receipt of an image."""

    v: Literal[1]
    image: str
    """The id given at receipt."""
    received: str
    """When (UTC, ISO 8601 with ``Z``)."""
    address: str
    """Of the sender, numeric."""
    calling: str
    called: str
    association: str
    sender: str | None = None
    """How the configuration named the sender then; absent in one of an older release."""
    sop_class: str | None = Field(None, alias="class")
    """What the sender's command said, where the data set says otherwise."""
    sop_instance: str | None = Field(None, alias="instance")
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """XXH3-128 of the data set as it came off the wire, in hexadecimal."""
    meta: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """XXH3-128 of all before the data set, with zeros for the digits of both digests."""
    header_bytes: int = 0
    """Where the data set begins."""

    @property
    def digest(self) -> str:
        """The digest of the data set as tag lines have it."""
        return DIGEST_PREFIX + self.data

    def members(self) -> dict[str, str]:
        """Return what a tag line says of the receipt."""
        members = {
            "ImageID": self.image,
            "ReceivedAt": self.received,
            "SenderAddress": self.address,
            "SenderAET": self.calling,
            "ReceiverAET": self.called,
            "AssociationID": self.association,
            "DataSetDigest": self.digest,
        }
        optional = {
            "SenderName": self.sender,
            "AffectedSOPClassUID": self.sop_class,
            "AffectedSOPInstanceUID": self.sop_instance,
        }
        return members | {key: value for key, value in optional.items() if value is not None}


class Header(NamedTuple):
    """The start of a file."""

    content: bytes
    """Preamble, prefix and group 0002; empty where the file does not begin so."""
    is_marked: bool
    """Whether there is, or was, a receipt in it."""


class _Element(NamedTuple):
    number: int
    begin: int
    value: int
    end: int


def read_receipt(path: Path) -> Receipt | None:
    """Read the receipt of an image of the spool, and check the header against its own digest.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Receipt or None
        None for a file that was written without: by an older release, or by a module.

    Raises
    ------
    AlteredHeaderError
        There was a receipt, and the header is not as it was written.
    """
    with open(path, "rb") as file:
        return receipt_in(read_header(file))


def read_header(file: BinaryIO) -> Header:
    """Read preamble, prefix and group 0002, as far as the group length says, and leave the file at the data set."""
    start = file.read(_LOOK)
    end = _GROUP_LENGTH_END + (_group_length(start) or 0)
    if end > len(start):
        start += file.read(min(end, LONGEST_HEADER) - len(start))
    content = start[:end] if _elements(start[:end]) is not None else b""
    # A group that goes on behind its end has lost its length, and one without an end may have lost more.
    is_whole = bool(content) and start[end : end + 2] != b"\x02\x00"
    file.seek(len(content))
    return Header(content, _is_marked(content if is_whole else start))


def receipt_in(header: Header) -> Receipt | None:
    """Find the receipt in a header (see `read_receipt`)."""
    content = header.content
    values = {element.number: content[element.value : element.end] for element in _elements(content) or ()}
    if values.get(_CREATOR, b"").rstrip(b"\0").decode("latin-1") != CREATOR_UID:
        if header.is_marked:
            raise AlteredHeaderError("the meta header was damaged after the image was received")
        return None
    try:
        receipt = Receipt.model_validate_json(values.get(_INFORMATION, b"").rstrip(b" "))
    except ValidationError as error:
        raise AlteredHeaderError("what the meta header says of the receipt cannot be read any more") from error
    if header_digest(content) != receipt.meta:
        raise AlteredHeaderError("the meta header is not the one that was written when the image was received")
    return receipt.model_copy(update={"header_bytes": len(content)})


def header_digest(header: bytes) -> str:
    """Return the digest of a header with a receipt, with zeros for the digits of both digests; "" without them."""
    found = header.rfind(b',"data":"')
    data = found + len(b',"data":"')
    meta = data + _DIGITS + len(b'","meta":"')
    if found < 0 or header[data + _DIGITS : meta] != b'","meta":"' or header[meta + _DIGITS :].rstrip(b" ") != b'"}':
        return ""
    blank = header[:data] + _UNSET + header[data + _DIGITS : meta] + _UNSET + header[meta + _DIGITS :]
    return xxhash.xxh3_128_hexdigest(blank)


def strip_receipt(header: bytes) -> bytes:
    """Return a header without what is internal: private information, and the addresses of both sides.

    What PS3.10 section 7.1 asks for stays. A header that cannot be read stays as it is, if there is no receipt in it.

    Raises
    ------
    AlteredHeaderError
        It cannot be read, and there was a receipt in it.
    """
    elements = _elements(header)
    if elements is None:
        if _is_marked(header):
            raise AlteredHeaderError("the meta header was damaged after the image was received")
        return header
    kept = b"".join(header[element.begin : element.end] for element in elements if element.number not in _DROPPED)
    return header[: _GROUP_LENGTH_END - 4] + struct.pack("<I", len(kept)) + kept


def transfer_syntax_in(header: bytes) -> str:
    """Return the transfer syntax that a header names; "" where it names none."""
    for number, _, value, end in _elements(header) or ():
        if number == _TRANSFER_SYNTAX:
            return header[value:end].rstrip(b"\0 ").decode("latin-1")
    return ""


def _is_marked(start: bytes) -> bool:
    return any(mark in start for mark in _MARKS)


def _group_length(start: bytes) -> int | None:
    if len(start) < _GROUP_LENGTH_END or start[128:140] != b"DICM\x02\x00\x00\x00UL\x04\x00":
        return None
    return int(struct.unpack_from("<I", start, _GROUP_LENGTH_END - 4)[0])


def _elements(header: bytes) -> list[_Element] | None:
    """List the elements of group 0002 behind the group length; None when they do not end where it says."""
    length = _group_length(header)
    if length is None or len(header) != _GROUP_LENGTH_END + length:
        return None
    elements: list[_Element] = []
    at = _GROUP_LENGTH_END
    while at < len(header):
        long = header[at + 4 : at + 6] in _LONG_VRS
        value = at + (12 if long else 8)
        if value > len(header) or header[at : at + 2] != b"\x02\x00":
            return None
        (size,) = struct.unpack_from("<I", header, at + 8) if long else struct.unpack_from("<H", header, at + 6)
        end = value + size
        if end > len(header):
            return None
        elements.append(_Element(int(struct.unpack_from("<H", header, at + 2)[0]), at, value, end))
        at = end
    return elements
