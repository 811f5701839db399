"""Small things that want to become large, on the live receive path: bounded in memory and time, answered truthfully.

The tag library's own tests have the same (``getdcmtags/tests/tags/hostile_file_test.cc``); here they come as a sender
brings them, and the sender beside them is served.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, element, nested_sequences, text
from tests.support.dicom_peer import (
    CT_IMAGE,
    EXPLICIT_LITTLE,
    P_DATA,
    Context,
    Peer,
    Response,
    associate_rq,
    message,
    pdu,
    store_command,
    value,
)

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
MEBIBYTE = 1 << 20
MOST_KIBIBYTES = 64 * 1024
"""Of memory for a process that receives any of these; it begins with some 10 MiB."""

SOON = 20.0
"""Seconds; all of these take one or two on a machine that has nothing else to do."""

SOP = "1.2.3.4"
IDENTITY = (
    text(0x00080016, b"UI", CT_IMAGE)
    + text(0x00080018, b"UI", SOP)
    + text(0x0020000D, b"UI", "1.2")
    + text(0x0020000E, b"UI", "1.2.3")
)
UNDEFINED = 0xFFFFFFFF


def header(tag: int, vr: bytes, length: int) -> bytes:
    """Encode the header of an element with a long length, whatever follows it."""
    return struct.pack("<HH2sxxI", tag >> 16, tag & 0xFFFF, vr, length)


def item(length: int = 0) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length)


def fragments(tag: int, vr: bytes, count: int) -> bytes:
    """Encode a value in so many empty fragments."""
    return header(tag, vr, UNDEFINED) + item() * count + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def many_elements(count: int) -> bytes:
    """Encode small private elements, each with a tag of its own."""
    return b"".join(
        struct.pack("<HH2sH2s", 0x0031 + 2 * (number // 50_000), 0x1000 + number % 50_000, b"CS", 2, b"a ")
        for number in range(count)
    )


def deflated(*parts: bytes | int) -> bytes:
    """Compress bytes, and so many MiB of zeros where a number stands.

    After a full flush a piece of a deflated stream stands for itself, so one MiB is compressed and its bytes repeated.
    """
    packer = zlib.compressobj(wbits=-15)
    packed = []
    for part in parts:
        data, times = (part, 1) if isinstance(part, bytes) else (bytes(MEBIBYTE), part)
        packed.append((packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)) * times)
    return b"".join([*packed, packer.flush()])


def bulk(tag: int, mebibytes: int, vr: bytes = b"OB") -> tuple[bytes, int]:
    """Make an element of so many MiB of zeros, for `deflated`."""
    return header(tag, vr, mebibytes * MEBIBYTE), mebibytes


KEPT, REFUSED = 0x0000, 0xC000
MILLION = 1_000_000
Bomb = tuple[str, Callable[[], bytes], int]
BOMBS: dict[str, Bomb] = {
    "nested 10,000 deep": (EXPLICIT_LITTLE, lambda: IDENTITY + nested_sequences(10_000), REFUSED),
    "4 GB in a kilobyte": (
        EXPLICIT_LITTLE,
        lambda: IDENTITY + header(0x00420011, b"OB", 0xFFFFFFF0) + bytes(900),
        REFUSED,
    ),
    "4 GB of text before the identity": (
        EXPLICIT_LITTLE,
        lambda: header(0x00080005, b"UT", 0xFFFFFFFE) + IDENTITY,
        REFUSED,
    ),
    "4 GB in an item": (
        EXPLICIT_LITTLE,
        lambda: IDENTITY + header(0x00400275, b"SQ", UNDEFINED) + item(0xFFFFFFF0),
        REFUSED,
    ),
    "100,000 elements": (EXPLICIT_LITTLE, lambda: IDENTITY + many_elements(100_000), KEPT),
    "1,000,000 fragments of pixels": (JPEG, lambda: IDENTITY + fragments(0x7FE00010, b"OB", MILLION), KEPT),
    "1,000,000 fragments elsewhere": (JPEG, lambda: IDENTITY + fragments(0x00420011, b"OB", MILLION), KEPT),
    "1,000,000 items": (EXPLICIT_LITTLE, lambda: IDENTITY + fragments(0x00400275, b"SQ", MILLION), KEPT),
    "200 MiB of zeros": (DEFLATED, lambda: deflated(IDENTITY, *bulk(0x00420011, 200)), KEPT),
    "2 GiB of zeros after the identity": (DEFLATED, lambda: deflated(IDENTITY, *bulk(0x00420011, 2047)), KEPT),
    "1 GiB of zeros before it": (DEFLATED, lambda: deflated(*bulk(0x00080005, 1023), IDENTITY), REFUSED),
    "1 GiB of text": (DEFLATED, lambda: deflated(IDENTITY, *bulk(0x00420011, 1023, b"UT")), KEPT),
    "1,000,000 deflated items": (DEFLATED, lambda: deflated(IDENTITY + fragments(0x00400275, b"SQ", MILLION)), KEPT),
    "nested 10,000 deep, deflated": (DEFLATED, lambda: deflated(IDENTITY + nested_sequences(10_000)), REFUSED),
    "deflated pixels without end": (DEFLATED, lambda: deflated(IDENTITY, *bulk(0x7FE00010, 2047, b"OW")), KEPT),
}


def stored(receiver: Receiver, syntax: str, stream: bytes) -> Response:
    """Send a message, and hold memory and time of the process that receives it to the limits."""
    with Peer(receiver.port, timeout=60) as peer:
        peer.associate(associate_rq((Context(1, CT_IMAGE, (syntax,)),), max_pdu=131_072))
        (child,) = receiver.children()
        began = time.monotonic()
        peer.send(stream)
        response = peer.response()
        assert time.monotonic() - began < SOON
        status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        assert peak < MOST_KIBIBYTES, f"{peak} KiB"
        peer.release()
    return response


def is_served(receiver: Receiver) -> None:
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(ct_image("1.2.9.1", "1.2.9"), "1.2.9.1").status == 0
        peer.release()
    receiver.until_idle()
    assert [line for line in receiver.log() if "crashed" in line["message"]] == []


SLOW = ("1 GiB of text", "200 MiB of zeros")
"""What costs a second or more and is much like another one."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in BOMBS])
def test_what_wants_to_become_large(start_receiver: StartReceiver, name: str) -> None:
    syntax, make, expected = BOMBS[name]
    data = make()
    assert len(data) < 10 * MEBIBYTE
    receiver = start_receiver()
    response = stored(receiver, syntax, message(1, store_command(SOP), data, fragment=100_000))
    assert response.status == expected, response
    is_served(receiver)
    kept = [image for image in receiver.images() if image.stem == SOP]
    assert len(kept) == (expected == KEPT)
    assert len(receiver.quarantined()) == (expected == REFUSED)
    where = kept[0] if kept else receiver.quarantined()[0] / "object.part"
    assert where.read_bytes().endswith(data), "what came is what is kept"
    if expected == REFUSED:
        assert response.comment.startswith("Cannot understand: ")
        reason = receiver.event("image.quarantined")["details"]["reason"]
        assert reason.startswith(response.comment.removeprefix("Cannot understand: ")), "a comment has 64 characters"
    else:
        (line,) = [line for line in receiver.tag_lines() if line["SOPInstanceUID"] == SOP]
        assert len(str(line)) < 6 * MEBIBYTE


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "in_one",
    [pytest.param(10_000, marks=pytest.mark.slow, id="10,000 in a PDU"), pytest.param(1, id="a PDU for each")],
)
def test_a_data_set_in_a_million_fragments(start_receiver: StartReceiver, in_one: int) -> None:
    receiver = start_receiver()
    count = 1_000_000
    data = IDENTITY + element(0x7FE00010, b"OW", bytes(2 * count - len(IDENTITY) - 12))
    assert len(data) == 2 * count
    last = count - 1
    values = [value(1, data[2 * n : 2 * n + 2], command=False, last=n == last) for n in range(count)]
    pdus = [pdu(P_DATA, b"".join(values[n : n + in_one])) for n in range(0, count, in_one)]
    stream = pdu(P_DATA, value(1, store_command(SOP), command=True, last=True)) + b"".join(pdus)
    assert stored(receiver, EXPLICIT_LITTLE, stream).status == 0
    is_served(receiver)
    assert data in receiver.data_sets()
