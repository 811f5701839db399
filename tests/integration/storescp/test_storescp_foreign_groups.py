"""Groups 0000, 0002, 0004 and 0006 belong into no data set (PS3.5 section 7.1), and say nothing there."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread

from tests.support.data_sets import ct_image, data_set_of, element, text, uid
from tests.support.dicom_peer import (
    CT_IMAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Context,
    Peer,
    associate_rq,
    store_command,
)
from tests.support.encoded import BIG_ENDIAN, DEFLATED, ENCODINGS, IMPLICIT, Element, Encoding, Item, encode

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

JPEG = text(0x00020010, b"UI", "1.2.840.10008.1.2.4.70")
SERIES = "1.2.3.4"
GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"
"""A private syntax: all but the pixel data is as in Implicit VR Little Endian."""

SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, BIG_ENDIAN, GE_BIG_ENDIAN_PIXELS)


def encoding_of(syntax: str) -> Encoding:
    """Return how a data set is written in a syntax."""
    return ENCODINGS.get(syntax, ENCODINGS[IMPLICIT])


def meta(*, length: int | None = None) -> bytes:
    """Encode a meta header that names another image, JPEG, and a group length, right or wrong."""
    group = text(0x00020002, b"UI", "1.2.840.10008.5.1.4.1.1.7") + text(0x00020003, b"UI", "6.6.6") + JPEG
    group += text(0x00020012, b"UI", "1.2.3.99")
    return element(0x00020000, b"UL", struct.pack("<I", len(group) if length is None else length)) + group


def small_image(sop: str, syntax: str) -> bytes:
    """Encode an image in an uncompressed transfer syntax."""
    uids = {0x00080016: CT_IMAGE, 0x00080018: sop, 0x0020000E: SERIES}
    elements = [Element(tag, "UI", value.encode() + b"\0" * (len(value) % 2)) for tag, value in uids.items()]
    return encode((*elements, Element(0x7FE00010, "OW", b"\1\2" * 64)), encoding_of(syntax))


def undefined(tag: int, content: bytes) -> bytes:
    """Encode a sequence of undefined length with one item of undefined length, in explicit VR."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HH2sxxI", tag >> 16, tag & 0xFFFF, b"SQ", 0xFFFFFFFF) + item + end


def store(receiver: Receiver, data: bytes, sop: str, syntax: str = EXPLICIT_LITTLE) -> int:
    """Send one image in an association of its own and return the status."""
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, CT_IMAGE, (syntax,)),)))
        status = peer.store(data, sop).status
        peer.release()
    receiver.until_idle()
    return status


LEADING = {
    "meta": meta(),
    "meta without its group length": meta()[12:],
    "meta whose group length is too short": meta(length=4),
    "meta whose group length is too long": meta(length=100_000),
    "two of them": meta() + meta(),
    "a whole file": bytes(128) + b"DICM" + meta(),
    "a command": store_command("6.6.6"),
    "an explicit command": element(0x00000100, b"US", b"\1\0"),
    "a directory": text(0x00041130, b"CS", "FILES") + undefined(0x00041220, text(0x00020010, b"UI", "1.2")),
    "group 0006": text(0x00060001, b"LO", "x"),
    "all of them": store_command("6.6.6") + meta() + text(0x00041130, b"CS", "FILES") + text(0x00060001, b"LO", "x"),
}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_before_the_data_set_they_are_left_out(start_receiver: StartReceiver, syntax: str) -> None:
    receiver = start_receiver()
    for name, leading in LEADING.items():
        if syntax == BIG_ENDIAN and name in {"a command", "an explicit command", "all of them"}:
            continue  # there nothing tells which order the bytes of group 0000 have
        sop = uid()
        clean = small_image(sop, syntax)
        assert store(receiver, leading + clean, sop, syntax) == 0, name
        (file,) = (path for path in receiver.images() if path.name == f"{sop}.dcm")
        content = file.read_bytes()
        assert data_set_of(content) == clean, name
        # Also for readers that take all of group 0002 for the meta header.
        if syntax != GE_BIG_ENDIAN_PIXELS:  # which pydicom does not know
            read = dcmread(BytesIO(content))
            assert (read.file_meta.TransferSyntaxUID, read.SOPInstanceUID) == (syntax, sop), name
        line = receiver.tag_lines()[-1]
        assert (line["TransferSyntaxUID"], line["SOPInstanceUID"]) == (syntax, sop)
        assert not any(key.startswith(("0000", "0004", "0006")) or key in {"FileSetID", "CommandField"} for key in line)
        assert receiver.event("image.received", count=len(receiver.images()))["details"]["transfer_syntax"] == syntax


@pytest.mark.parametrize("foreign", [meta(), store_command("6.6.6"), LEADING["a directory"]])
def test_within_a_data_set_they_are_left_out(start_receiver: StartReceiver, foreign: bytes) -> None:
    receiver = start_receiver()
    clean = ct_image(sop := uid(), SERIES)
    place = clean.index(b"\x10\0\x10\0PN")
    assert store(receiver, clean[:place] + foreign + clean[place:], sop) == 0
    assert receiver.data_sets() == [clean]
    (line,) = receiver.tag_lines()
    assert (line["SOPInstanceUID"], line["TransferSyntaxUID"]) == (sop, EXPLICIT_LITTLE)


FOREIGN = {
    "0000": (Element(0x00000100, "US", b"\1\0"), Element(0x00001000, "UI", b"6.6.6\0")),
    "0002": (Element(0x00020003, "UI", b"6.6.6\0"), Element(0x00020010, "UI", b"1.2.840.10008.1.2.4.70")),
    "0004": (
        Element(0x00041130, "CS", b"FILES "),
        Element(0x00041220, "SQ", items=(Item((Element(0x00080018, "UI", b"6.6.6\0"),), False),), known_length=False),
    ),
    "0006": (Element(0x00060001, "LO", b"x "),),
}
"""Elements of each group that belongs into no data set."""


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("group", FOREIGN)
def test_among_the_elements_they_are_left_out_and_behind_the_pixels_they_say_nothing(
    start_receiver: StartReceiver, group: str, syntax: str
) -> None:
    receiver = start_receiver()
    foreign = encode(FOREIGN[group], encoding_of(syntax))
    for number in range(2):
        clean = small_image(sop := uid(), syntax)
        place = (
            clean.index(struct.pack(f"{encoding_of(syntax).order}HH", 0x0020, 0x000E)) if number == 0 else len(clean)
        )
        assert store(receiver, clean[:place] + foreign + clean[place:], sop, syntax) == 0
        (file,) = (path for path in receiver.images() if path.name == f"{sop}.dcm")
        assert data_set_of(file.read_bytes()) == (clean if number == 0 else clean + foreign)
        line = receiver.tag_lines()[-1]
        assert (line["TransferSyntaxUID"], line["SOPInstanceUID"]) == (syntax, sop)


def test_within_an_item_they_say_nothing(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    clean = ct_image(sop := uid(), SERIES)
    place = clean.index(b"\x10\0\x10\0PN")
    data = clean[:place] + undefined(0x00081140, meta() + text(0x00081155, b"UI", "1.2.9")) + clean[place:]
    assert store(receiver, data, sop) == 0
    assert receiver.data_sets() == [data]
    (line,) = receiver.tag_lines()
    assert line["ReferencedImageSequence"] == [{"ReferencedSOPInstanceUID": "1.2.9"}]
    assert "a meta header in the data set; left out" in line["DecodingProblems"]


def test_within_deflated_bytes_they_say_nothing(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    clean = ct_image(sop := uid(), SERIES)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    inside = deflate.compress(meta() + clean) + deflate.flush()
    inside += b"\0" * (len(inside) % 2)
    assert store(receiver, inside, sop, DEFLATED) == 0
    assert store(receiver, meta() + inside, sop, DEFLATED) == 0
    assert receiver.data_sets() == [inside]
    assert receiver.event("image.received", count=2)["details"]["repetition"]
    assert {line["TransferSyntaxUID"] for line in receiver.tag_lines()} == {DEFLATED}


@pytest.mark.parametrize("name", LEADING)
def test_whatever_stands_before_the_elements_within_deflated_bytes_says_nothing(
    start_receiver: StartReceiver, name: str
) -> None:
    receiver = start_receiver()
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    inside = deflate.compress(LEADING[name] + ct_image(sop := uid(), SERIES)) + deflate.flush()
    inside += b"\0" * (len(inside) % 2)
    assert store(receiver, inside, sop, DEFLATED) == 0
    assert receiver.data_sets() == [inside], "nothing can be left out of it without deflating it anew"
    (line,) = receiver.tag_lines()
    assert (line["TransferSyntaxUID"], line["SOPInstanceUID"]) == (DEFLATED, sop)
    assert not any(key.startswith(("0000", "0004", "0006")) or key in {"FileSetID", "CommandField"} for key in line)


def test_padding_and_the_rest_stay_as_they_came(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    data = text(0x00080016, b"UI", CT_IMAGE) + text(0x00080018, b"UI", sop := uid()) + text(0x0020000E, b"UI", SERIES)
    assert store(receiver, data + bytes(64), sop) == 0
    assert receiver.data_sets() == [data + bytes(64)]


def test_a_data_set_of_nothing_else_is_kept_in_quarantine(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    assert store(receiver, meta(), "1.2.3") == 0xC000
    assert not receiver.images()
    (entry,) = receiver.quarantined()
    assert any(path.read_bytes().endswith(meta()) for path in entry.iterdir())
