"""Pictures whose every sample is known, and files of them compressed by other programs than ours."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.binaries import tool
from tests.support.encoded import ENCODINGS, EXPLICIT, UNDEFINED, Element, encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"


def _us(value: int) -> bytes:
    return struct.pack("<H", value)


@dataclass(frozen=True)
class Picture:
    """Smooth with some noise, so that codecs have something to do and lossy ones stay close."""

    rows: int = 37
    columns: int = 51
    samples: int = 1
    allocated: int = 16
    stored: int = 12
    signed: bool = False
    frames: int = 1
    photometric: str = "MONOCHROME2"
    values: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the samples: pixel by pixel, little endian."""
        chance = random.Random(repr((self.rows, self.columns, self.samples, self.stored, self.frames)))
        low, high = (
            (-(1 << self.stored - 1), (1 << self.stored - 1) - 1) if self.signed else (0, (1 << self.stored) - 1)
        )
        made = bytearray()
        for frame in range(self.frames):
            for row in range(self.rows):
                for column in range(self.columns):
                    for sample in range(self.samples):
                        place = (row + column * (sample + 1) + 13 * frame) / (self.rows + self.columns * 3 + 13 * frame)
                        value = round(low + (high - low) * place) + chance.randint(-2, 2)
                        value = min(max(value, low), high)
                        made += value.to_bytes(self.allocated // 8, "little", signed=self.signed)
        object.__setattr__(self, "values", bytes(made))

    def elements(self) -> tuple[Element, ...]:
        """Describe it in a data set without compression."""
        colours = (Element(0x00280006, "US", _us(0)),) if self.samples > 1 else ()
        return (
            Element(0x00080016, "UI", SECONDARY_CAPTURE.encode() + b"\0"),
            Element(0x00080018, "UI", b"1.2.3.4.5.6\0"),
            Element(0x00080060, "CS", b"OT"),
            Element(0x00280002, "US", _us(self.samples)),
            Element(0x00280004, "CS", self.photometric.encode().ljust(len(self.photometric) + 1 & ~1)),
            *colours,
            Element(0x00280008, "IS", str(self.frames).encode().ljust(2)),
            Element(0x00280010, "US", _us(self.rows)),
            Element(0x00280011, "US", _us(self.columns)),
            Element(0x00280100, "US", _us(self.allocated)),
            Element(0x00280101, "US", _us(self.stored)),
            Element(0x00280102, "US", _us(self.stored - 1)),
            Element(0x00280103, "US", _us(int(self.signed))),
            Element(0x7FE00010, "OW" if self.allocated > 8 else "OB", self.values + b"\0" * (len(self.values) % 2)),
        )

    def file(self, path: Path) -> Path:
        """Write a file of it in Explicit VR Little Endian."""
        path.write_bytes(file_of(EXPLICIT, encode(self.elements(), ENCODINGS[EXPLICIT])))
        return path


def uid(text: str) -> bytes:
    """Return the value of an element that holds a UID."""
    return text.encode() + b"\0" * (len(text) % 2)


def file_of(
    transfer_syntax: str, data_set: bytes, *, sop_class: str = SECONDARY_CAPTURE, instance: str = "1.2.3.4.5.6"
) -> bytes:
    """Put preamble and meta header before a data set."""
    meta = (
        Element(0x00020001, "OB", b"\0\1"),
        Element(0x00020002, "UI", uid(sop_class)),
        Element(0x00020003, "UI", uid(instance)),
        Element(0x00020010, "UI", uid(transfer_syntax)),
        Element(0x00020012, "UI", b"1.2.3.4\0"),
    )
    group = encode(meta, ENCODINGS[EXPLICIT])
    length = encode((Element(0x00020000, "UL", struct.pack("<I", len(group))),), ENCODINGS[EXPLICIT])
    return bytes(128) + b"DICM" + length + group + data_set


ENCODERS: Final[dict[str, tuple[str, ...]]] = {
    "RLE by DCMTK": ("dcmcrle", "{0}", "{1}"),
    "RLE by GDCM": ("gdcmconv", "--rle", "{0}", "{1}"),
    "JPEG lossless by DCMTK": ("dcmcjpeg", "+e1", "{0}", "{1}"),
    "JPEG lossless, process 14, by DCMTK": ("dcmcjpeg", "+el", "{0}", "{1}"),
    "JPEG lossless by GDCM": ("gdcmconv", "--jpeg", "{0}", "{1}"),
    "JPEG-LS by DCMTK": ("dcmcjpls", "{0}", "{1}"),
    "JPEG-LS by GDCM": ("gdcmconv", "--jpegls", "{0}", "{1}"),
    "JPEG 2000 by GDCM": ("gdcmconv", "--j2k", "{0}", "{1}"),
}
"""Commands that compress a file without loss."""


def compress(encoder: str, source: Path, made: Path) -> Path:
    """Compress a file by another program."""
    command = [part.format(source, made) for part in ENCODERS[encoder]]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made


def converted(data: bytes, syntax: str, folder: Path, to: str = EXPLICIT) -> bytes:
    """Convert, or raise with the reason."""
    (made,) = all_converted([data], syntax, folder, to)
    return made


def all_converted(data_sets: Sequence[bytes], syntax: str, folder: Path, to: str = EXPLICIT) -> list[bytes]:
    """Convert one after the other, or raise with the reason of the first that cannot be."""
    command = [str(tool("tests/convert_data_set")), syntax, to]
    for number, data in enumerate(data_sets):
        (folder / f"in{number}").write_bytes(data)
        command += [str(folder / f"in{number}"), str(folder / f"out{number}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise ValueError(done.stdout.strip())
    return [(folder / f"out{number}").read_bytes() for number in range(len(data_sets))]


def syntax_of(file: bytes) -> str:
    """Read the transfer syntax of a file."""
    at = file.index(b"\2\0\x10\0UI") + 6
    (length,) = struct.unpack("<H", file[at : at + 2])
    return file[at + 2 : at + 2 + length].decode().rstrip("\0")


def pixels_in(data: bytes, frames_bytes: int) -> bytes:
    """Cut the pixels out of an explicit data set that ends with them."""
    at = data.rindex(b"\xe0\x7f\x10\x00O")
    return data[at + 12 : at + 12 + frames_bytes]


def encapsulated(*fragments: bytes, table: bytes = b"") -> bytes:
    """Write pixel data of an undefined length: the offset table, then fragments."""
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in (table, *fragments))
    return struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OB", UNDEFINED) + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def with_pixels(picture: Picture, pixel_data: bytes) -> bytes:
    """Put other pixel data behind the description of a picture."""
    return encode(picture.elements()[:-1], ENCODINGS[EXPLICIT]) + pixel_data


def deflated(data: bytes) -> bytes:
    """Compress as deflated frames are, to an even length."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)
