"""The sender's memory, and that of its codecs, does not grow with an image: not with gigabytes of it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.dcmtk import storescp
from tests.support.encoded import ENCODINGS, EXPLICIT, UNDEFINED, encode
from tests.support.pictures import Picture, file_of
from tests.support.storescu import ACCEPT_ALL, command, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

JPEG, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
GIB: Final = 1 << 30
MIB: Final = 1 << 20
MOST_GROWTH: Final = 64 * MIB
SIDE: Final = 1024
PIXELS: Final = struct.pack("<HH", 0x7FE0, 0x0010)
END: Final = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def item(length: int) -> bytes:
    """Begin an item."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, length)


def described(frames: int) -> bytes:
    """Describe frames of 2 MiB each."""
    picture = Picture(rows=1, columns=1, stored=16)
    size = {0x00280008: str(frames).encode().ljust(6), 0x00280010: struct.pack("<H", SIDE)}
    size[0x00280011] = size[0x00280010]
    head = encode(picture.elements()[:-1], ENCODINGS[EXPLICIT])
    for tag, value in size.items():
        at = head.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
        (length,) = struct.unpack("<H", head[at + 6 : at + 8])
        head = head[: at + 6] + struct.pack("<H", len(value)) + value + head[at + 8 + length :]
    return head


def encapsulated(path: Path, size: int) -> Path:
    """Write a file with four fragments that have so many bytes in all; holes of the file system."""
    with open(path, "wb") as file:
        pixels = PIXELS + b"OB\0\0" + struct.pack("<I", UNDEFINED) + item(0)
        file.write(file_of(JPEG, described(4) + pixels))
        for _ in range(4):
            file.write(item(size // 4))
            file.seek(size // 4, os.SEEK_CUR)
        file.write(END)
    return path


def several_values(path: Path, size: int) -> Path:
    """Write a file with three values that have so many bytes in all."""
    with open(path, "wb") as file:
        file.write(file_of(EXPLICIT, described(1)))
        for tag in (0x00420011, 0x54001010, 0x7FE00010):
            file.write(struct.pack("<HH2sxxI", tag >> 16, tag & 0xFFFF, b"OB", size // 3 & ~1))
            file.seek(size // 3 & ~1, os.SEEK_CUR)
        file.truncate(file.tell())
    return path


def frames_in_rle(path: Path, size: int) -> Path:
    """Write a file whose frames have so many bytes without compression."""
    segment = b"\x81\0" * (SIDE * SIDE // 128)
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2
    count = size // (2 * SIDE * SIDE)
    with open(path, "wb") as file:
        pixels = PIXELS + b"OB\0\0" + struct.pack("<I", UNDEFINED) + item(0)
        file.write(file_of(RLE, described(count) + pixels))
        for _ in range(count):
            file.write(item(len(frame)) + frame)
        file.write(END)
    return path


PEAK: Final = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""Runs a program from a small one: a program's figure begins with what it was started from."""


def peak(port: int, file: Path, *options: str) -> tuple[int, str]:
    """Send a file; return the most memory that the sender or its codecs had, and in which syntax it went."""
    run = [sys.executable, "-S", "-c", PEAK, *command(port, *options)]
    done = subprocess.run(run, input=listing([file]), stdout=subprocess.PIPE, check=True, timeout=300)
    result, _, used = done.stdout.splitlines()
    told = json.loads(result)
    assert told["outcome"] == "confirmed", told
    return int(used) * 1024, told["sent_as"]


@pytest.mark.parametrize(
    ("make", "size", "takes", "goes_as"),
    [
        (encapsulated, 44 * GIB // 10, ACCEPT_ALL, JPEG),
        (several_values, 45 * GIB // 10, ("--bit-preserving", "--implicit"), "1.2.840.10008.1.2"),
        (frames_in_rle, 2 * GIB, ("--bit-preserving",), EXPLICIT),
    ],
    ids=["encapsulated, as received", "several values, written anew", "frames, decoded"],
)
def test_gigabytes_take_no_more_memory_than_little(
    make: Callable[[Path, int], Path],
    size: int,
    takes: tuple[str, ...],
    goes_as: str,
    tmp_path: Path,
) -> None:
    with storescp(tmp_path / "node", "--ignore", "--max-pdu", "131072", *takes) as node:
        little, _ = peak(node.port, make(tmp_path / "little.dcm", 8 * MIB))
        much, syntax = peak(node.port, make(tmp_path / "much.dcm", size))
    assert syntax == goes_as
    assert much - little <= MOST_GROWTH
