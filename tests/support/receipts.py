"""Files as the receiver leaves them, made here a second time, after docs/reference/spool.md."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Final

import xxhash

if TYPE_CHECKING:
    from pathlib import Path

OURS: Final = "2.25.140604012194056817564743319889658665803"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DATA_SET: Final = (
    b"\x08\0\x18\0UI\x06\x001.2.3\0\x20\0\x0e\0UI\x04\x001.4\0\xe0\x7f\x10\0OW\0\0\x00\x01\0\0" + 256 * b"p"
)
ORIGIN: Final = {
    "image": "20261129T120000000000-0000000a",
    "received": "2026-11-29T12:00:00.123456Z",
    "address": "192.0.2.7",
    "calling": "CT1",
    "called": "MERCURE",
    "association": "20261129T115959000000-0000000b",
}


def element(number: int, vr: bytes, value: bytes) -> bytes:
    """Encode one element of group 0002 in explicit VR little endian."""
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    length = b"\0\0" + struct.pack("<I", len(value)) if vr in (b"OB", b"UR") else struct.pack("<H", len(value))
    return struct.pack("<HH", 2, number) + vr + length + value


def header_with(*elements: bytes) -> bytes:
    """Put preamble, prefix and group length before the elements."""
    group = b"".join(elements)
    return bytes(128) + b"DICM" + struct.pack("<HH", 2, 0) + b"UL\x04\0" + struct.pack("<I", len(group)) + group


def plain_header(transfer_syntax: str = EXPLICIT_LITTLE) -> bytes:
    """Return a header as the receiver wrote it before there were receipts."""
    return header_with(*_common(transfer_syntax))


def received_header(
    data_set: bytes = DATA_SET,
    transfer_syntax: str = EXPLICIT_LITTLE,
    command: tuple[str, str] | None = None,
    **members: str,
) -> bytes:
    """Return a header with a receipt: `members` of its JSON, and the UIDs of a `command` that names others."""

    uids = {"class": command[0], "instance": command[1]} if command else {}

    def header(meta: str, data: str) -> bytes:
        known = {"v": 1, **ORIGIN, **members, **uids, "data": data, "meta": meta}
        text = json.dumps(known, separators=(",", ":"), ensure_ascii=False).encode()
        return header_with(
            *_common(transfer_syntax),
            element(0x0018, b"AE", b"MERCURE"),
            element(0x0100, b"UI", OURS.encode()),
            element(0x0102, b"OB", text),
        )

    return header(xxhash.xxh3_128_hexdigest(header("0" * 32, "0" * 32)), xxhash.xxh3_128_hexdigest(data_set))


def received_file(
    data_set: bytes = DATA_SET,
    transfer_syntax: str = EXPLICIT_LITTLE,
    command: tuple[str, str] | None = None,
    **members: str,
) -> bytes:
    """Return the bytes of a file as the receiver leaves it."""
    return received_header(data_set, transfer_syntax, command, **members) + data_set


def _common(transfer_syntax: str) -> tuple[bytes, ...]:
    return (
        element(0x0001, b"OB", b"\0\1"),
        element(0x0002, b"UI", b"1.2.840.10008.5.1.4.1.1.7"),
        element(0x0003, b"UI", b"1.2.3"),
        element(0x0010, b"UI", transfer_syntax.encode()),
        element(0x0012, b"UI", OURS.encode()),
        element(0x0013, b"SH", b"MERCURE_0_1"),
        element(0x0016, b"AE", b"CT1"),
    )


def flip(path: Path, at: int, bit: int = 0x40) -> None:
    """Flip one bit of a file in place, as a disk does it: the name, the times and every link stay."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ bit]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def spoil(path: Path, damage: str) -> None:
    """Damage a received file in place: by the name of what a disk does to it."""
    content = path.read_bytes()
    places = {"pixel": -10, "transfer syntax": content.index(EXPLICIT_LITTLE.encode()) + 18}
    places |= {"digest": content.index(b'"data":"') + 8, "header": 200}
    if damage in places:
        flip(path, places[damage], 0x01)
    elif damage == "sector of zeros":
        with open(path, "r+b") as file:
            file.write(bytes(min(512, len(content))))
    elif damage == "last sector of zeros":
        lost = min(512, len(content) // 4)
        with open(path, "r+b") as file:
            file.seek(-lost, os.SEEK_END)
            file.write(bytes(lost))
    else:
        os.truncate(path, {"cut off": len(content) - 100, "empty": 0}[damage])


def make_received(task: Path) -> None:
    """Give the images of a waiting task the form that the receiver gives them, and its tag lines their digests."""
    lines = []
    for number, path in enumerate(sorted(task.glob("*.dcm")), 1):
        content = DATA_SET + number.to_bytes(2, "little")
        path.write_bytes(received_file(content))
        digest = f"xxh3-128:{xxhash.xxh3_128_hexdigest(content)}"
        lines.append({"FileName": path.name, "SOPInstanceUID": path.stem, "DataSetDigest": digest})
    (task / "tags.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def receive_again(task: Path) -> None:
    """Give real images of a task the header that the receiver writes, and its tag lines their digests."""
    path = task / "tags.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for record in records:
        image = task / record["FileName"]
        content = image.read_bytes()
        content = content[144 + int.from_bytes(content[140:144], "little") :]
        image.write_bytes(received_file(content))
        record["DataSetDigest"] = f"xxh3-128:{xxhash.xxh3_128_hexdigest(content)}"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
