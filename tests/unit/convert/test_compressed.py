"""Frames that other programs compressed without loss come out as they were, sample by sample."""

from __future__ import annotations

import itertools
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import data_set_of
from tests.support.encoded import ENCODINGS, EXPLICIT, IMPLICIT, Element, Item, encode
from tests.support.pictures import (
    ENCODERS,
    Picture,
    compress,
    converted,
    deflated,
    encapsulated,
    pixels_in,
    syntax_of,
    with_pixels,
)

if TYPE_CHECKING:
    from pathlib import Path

RLE = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
HTJ2K = "1.2.840.10008.1.2.4.201"

PICTURES = {
    "8 bits": Picture(allocated=8, stored=8),
    "12 of 16 bits": Picture(),
    "16 bits": Picture(stored=16),
    "16 bits, signed": Picture(stored=16, signed=True),
    "colours": Picture(samples=3, allocated=8, stored=8, photometric="RGB"),
    "frames": Picture(frames=3),
}

PROMISE = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB3x", 11, 16, 0xFFFF, 0xFFFF, 1) + b"\xff\xda"
"""The first bytes of a JPEG frame of four billion pixels: codecs take minutes to find out that they are missing."""

NOT_BY = {("RLE by GDCM", "8 bits"), ("RLE by GDCM", "colours")}
"""What an encoder itself does not write: this one aborts at an odd number of bytes."""


@pytest.mark.parametrize(
    ("encoder", "name"), [pair for pair in itertools.product(ENCODERS, PICTURES) if pair not in NOT_BY]
)
def test_lossless_frames_come_out_as_they_went_in(encoder: str, name: str, tmp_path: Path) -> None:
    picture = PICTURES[name]
    file = compress(encoder, picture.file(tmp_path / "native.dcm"), tmp_path / "compressed.dcm").read_bytes()
    assert syntax_of(file) not in (EXPLICIT, IMPLICIT)
    made = converted(data_set_of(file), syntax_of(file), tmp_path)
    assert pixels_in(made, len(picture.values)) == picture.values
    assert picture.photometric.encode() in made


@pytest.mark.parametrize("bits", [8, 16])
def test_high_throughput_jpeg_2000(tmp_path: Path, bits: int) -> None:
    picture = Picture(allocated=bits, stored=bits)
    values = picture.values
    if bits == 16:  # a portable graymap is big endian
        values = b"".join(values[at : at + 2][::-1] for at in range(0, len(values), 2))
    header = f"P5 {picture.columns} {picture.rows} {(1 << bits) - 1}\n".encode()
    (tmp_path / "picture.pgm").write_bytes(header + values)
    command = ["ojph_compress", "-i", str(tmp_path / "picture.pgm"), "-o", str(tmp_path / "picture.j2c")]
    subprocess.run([*command, "-reversible", "true"], check=True, capture_output=True, timeout=60)
    frame = (tmp_path / "picture.j2c").read_bytes()
    data = with_pixels(picture, encapsulated(frame + b"\0" * (len(frame) % 2)))
    assert pixels_in(converted(data, HTJ2K, tmp_path), len(picture.values)) == picture.values


def test_deflated_frames(tmp_path: Path) -> None:
    picture = PICTURES["frames"]
    size = len(picture.values) // 3
    frames = [deflated(picture.values[at : at + size]) for at in range(0, len(picture.values), size)]
    made = converted(with_pixels(picture, encapsulated(*frames)), DEFLATED_FRAMES, tmp_path)
    assert pixels_in(made, len(picture.values)) == picture.values


def test_frames_in_several_fragments_are_put_together_by_the_offset_table(tmp_path: Path) -> None:
    picture = PICTURES["frames"]
    size = len(picture.values) // 3
    packed = [deflated(picture.values[at : at + size]) for at in range(0, len(picture.values), size)]
    halves = [part for frame in packed for part in (frame[:20], frame[20:])]
    offsets = [sum(16 + len(frame) for frame in packed[:place]) for place in range(3)]
    table = struct.pack("<3I", *offsets)
    made = converted(with_pixels(picture, encapsulated(*halves, table=table)), DEFLATED_FRAMES, tmp_path)
    assert pixels_in(made, len(picture.values)) == picture.values
    with pytest.raises(ValueError, match="which of its 6 fragments make which of its 3 frames"):
        converted(with_pixels(picture, encapsulated(*halves)), DEFLATED_FRAMES, tmp_path)
    extended = encode((Element(0x7FE00001, "OV", struct.pack("<3Q", *offsets)),), ENCODINGS[EXPLICIT])
    data = with_pixels(picture, extended + encapsulated(*halves))
    assert converted(data, DEFLATED_FRAMES, tmp_path) == made, "the extended table does not outlive its fragments"


def test_an_icon_is_decoded_by_its_own_description_and_the_image_by_its_own(tmp_path: Path) -> None:
    icon, image = Picture(rows=8, columns=8, allocated=8, stored=8), PICTURES["12 of 16 bits"]
    inside = with_pixels(icon, encapsulated(deflated(icon.values)))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    head = encode(image.elements()[:3], ENCODINGS[EXPLICIT])
    rest = encode(image.elements()[3:-1], ENCODINGS[EXPLICIT])
    sequence = struct.pack("<HH2sxxI", 0x0009, 0x1001, b"SQ", len(item)) + item
    data = head + sequence + rest + encapsulated(deflated(image.values))
    native_icon = Element(0x00091001, "SQ", items=(Item(icon.elements()),))
    expected = (*image.elements()[:3], native_icon, *image.elements()[3:])
    assert converted(data, DEFLATED_FRAMES, tmp_path) == encode(expected, ENCODINGS[EXPLICIT])
    implicit = converted(data, DEFLATED_FRAMES, tmp_path, IMPLICIT)
    assert len(implicit) < len(encode(expected, ENCODINGS[EXPLICIT]))


def test_a_lossy_frame_in_colours_becomes_rgb_close_to_what_another_decoder_makes(tmp_path: Path) -> None:
    picture = PICTURES["colours"]
    compressed, other = tmp_path / "lossy.dcm", tmp_path / "other.dcm"
    subprocess.run(
        ["dcmcjpeg", "+eb", "+cy", str(picture.file(tmp_path / "native.dcm")), str(compressed)], check=True, timeout=60
    )
    subprocess.run(["gdcmconv", "--raw", str(compressed), str(other)], check=True, timeout=60)
    file = compressed.read_bytes()
    made = converted(data_set_of(file), syntax_of(file), tmp_path)
    assert b"RGB " in made
    assert b"YBR" not in made
    ours = pixels_in(made, len(picture.values))
    far = max(abs(ours[at] - picture.values[at]) for at in range(len(ours)))
    assert far < 40, "it is the same picture, and no other colours"


@pytest.mark.parametrize(
    ("option", "name"), [("+eb", "8 bits"), ("+ee", "12 of 16 bits"), ("+es", "8 bits"), ("+ep", "12 of 16 bits")]
)
def test_every_lossy_process_that_others_write_is_read(option: str, name: str, tmp_path: Path) -> None:
    """Baseline, extended, spectral selection and full progression; the last two are retired, and in archives."""
    picture, compressed = PICTURES[name], tmp_path / "lossy.dcm"
    subprocess.run(["dcmcjpeg", option, picture.file(tmp_path / "native.dcm"), compressed], check=True, timeout=60)
    file = compressed.read_bytes()
    made = pixels_in(converted(data_set_of(file), syntax_of(file), tmp_path), len(picture.values))
    width = picture.allocated // 8
    samples = [
        tuple(int.from_bytes(values[at : at + width], "little") for at in range(0, len(values), width))
        for values in (made, picture.values)
    ]
    assert max(abs(ours - theirs) for ours, theirs in zip(*samples, strict=True)) < (1 << picture.stored) // 32


def test_a_picture_without_pixels_keeps_all_it_has(tmp_path: Path) -> None:
    elements = (Element(0x00080060, "CS", b"SR"), Element(0x00420011, "OB", b"%PDF"))
    data = encode(elements, ENCODINGS[EXPLICIT])
    assert converted(data, RLE, tmp_path, IMPLICIT) == encode(elements, ENCODINGS[IMPLICIT])


@pytest.mark.parametrize(
    ("frame", "syntax", "reason"),
    [
        (b"\xff\xd8\xff\xd9", "1.2.840.10008.1.2.4.50", "JPEG"),
        (b"\xff\xd8\xff\xd9", "1.2.840.10008.1.2.4.80", "no frame header"),
        (b"\xff\xd8\xff\x01" + PROMISE[2:], "1.2.840.10008.1.2.4.70", "marker TEM"),
        (PROMISE, "1.2.840.10008.1.2.4.70", "another size"),
        (b"\xff\x4f\xff\x51" + bytes(60), "1.2.840.10008.1.2.4.90", "JPEG 2000"),
        (struct.pack("<16I", 2, 64, 66, *[0] * 13) + b"\0\1", RLE, "ends too early"),
        (struct.pack("<16I", 9, *[0] * 15), RLE, "9 RLE segments"),
        (b"no deflate", DEFLATED_FRAMES, "deflated frame is damaged"),
        (deflated(b"short"), DEFLATED_FRAMES, "of another size"),
    ],
)
def test_a_damaged_frame_is_named_and_nothing_is_made_up(
    frame: bytes, syntax: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"frame 1 of 1 cannot be decoded: .*{reason}"):
        converted(with_pixels(Picture(), encapsulated(frame + b"\0" * (len(frame) % 2))), syntax, tmp_path)


def test_a_bomb_of_a_frame_is_refused_before_it_is_converted(tmp_path: Path) -> None:
    huge = Picture(rows=1, columns=1)
    description = [*huge.elements()[:-1]]
    big = struct.pack("<H", 65535)
    swollen = [
        Element(part.tag, part.vr, big) if part.tag in (0x00280010, 0x00280011) else part for part in description
    ]
    data = encode(tuple(swollen), ENCODINGS[EXPLICIT]) + encapsulated(b"\0\0")
    with pytest.raises(ValueError, match="too large without compression: 8589672450 bytes"):
        converted(data, DEFLATED_FRAMES, tmp_path)
