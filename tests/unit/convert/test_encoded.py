"""Pixels are compressed without loss: other programs decode them to what they were, sample by sample."""

from __future__ import annotations

import itertools
import struct
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pydicom
import pytest

from tests.support.data_sets import data_set_of
from tests.support.encoded import BIG_ENDIAN, ENCODINGS, EXPLICIT, IMPLICIT, Element, Item, encode
from tests.support.pictures import (
    Picture,
    compress,
    converted,
    encapsulated,
    file_of,
    pixels_in,
    syntax_of,
    with_pixels,
)

if TYPE_CHECKING:
    from pathlib import Path

RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MADE = (RLE, JPEG_LS, JPEG_2000, HTJ2K)

PICTURES = {
    "8 bits": Picture(allocated=8, stored=8),
    "8 bits, signed": Picture(allocated=8, stored=8, signed=True),
    "7 of 8 bits": Picture(allocated=8, stored=7),
    "8 of 16 bits": Picture(stored=8),
    "12 of 16 bits": Picture(),
    "12 of 16 bits, signed": Picture(signed=True),
    "16 bits": Picture(stored=16),
    "16 bits, signed": Picture(stored=16, signed=True),
    "colours": Picture(samples=3, allocated=8, stored=8, photometric="RGB"),
    "colours of 16 bits": Picture(samples=3, stored=16, photometric="RGB"),
    "luminance and differences": Picture(samples=3, allocated=8, stored=8, photometric="YBR_FULL"),
    "palette": Picture(allocated=8, stored=8, photometric="PALETTE COLOR"),
    "frames": Picture(frames=3),
    "frames of an odd size": Picture(frames=2, allocated=8, stored=8),
    "one pixel": Picture(rows=1, columns=1),
    "a row": Picture(rows=1, columns=300, allocated=8, stored=8),
    "wide": Picture(rows=9, columns=1000),
}


def native(picture: Picture, syntax: str = EXPLICIT) -> bytes:
    """Write a picture without compression."""
    return encode(picture.elements(), ENCODINGS[syntax])


def header_of(data: bytes) -> bytes:
    """Cut off the pixels."""
    return data[: data.rindex(b"\xe0\x7f\x10\x00")]


def described(picture: Picture, syntax: str) -> bytes:
    """Describe a picture as it is said to be once it is compressed."""
    transformed = syntax in (JPEG_2000, HTJ2K) and picture.photometric == "RGB"
    return header_of(native(replace(picture, photometric="YBR_RCT") if transformed else picture))


@pytest.mark.parametrize(("syntax", "name"), list(itertools.product(MADE, PICTURES)))
def test_frames_are_compressed_and_come_back_as_they_were(syntax: str, name: str, tmp_path: Path) -> None:
    picture = PICTURES[name]
    made = converted(native(picture), EXPLICIT, tmp_path, syntax)
    assert header_of(made) == described(picture, syntax)
    assert len(made) % 2 == 0
    back = converted(made, syntax, tmp_path)
    assert pixels_in(back, len(picture.values)) == picture.values
    assert header_of(back) == header_of(native(picture))


@pytest.mark.parametrize("name", ["12 of 16 bits", "16 bits, signed", "colours", "frames", "frames of an odd size"])
@pytest.mark.parametrize(
    ("syntax", "program"),
    [
        (RLE, ("dcmdrle", "{0}", "{1}")),
        (JPEG_LS, ("dcmdjpls", "{0}", "{1}")),
        (JPEG_LS, ("gdcmconv", "--raw", "{0}", "{1}")),
        (JPEG_2000, ("gdcmconv", "--raw", "{0}", "{1}")),
    ],
)
def test_other_programs_decode_what_is_made(syntax: str, program: tuple[str, ...], name: str, tmp_path: Path) -> None:
    picture = PICTURES[name]
    compressed, other = tmp_path / "compressed.dcm", tmp_path / "other.dcm"
    compressed.write_bytes(file_of(syntax, converted(native(picture), EXPLICIT, tmp_path, syntax)))
    command = [part.format(compressed, other) for part in program]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert pydicom.dcmread(other).PixelData[: len(picture.values)] == picture.values


@pytest.mark.parametrize("name", ["8 bits", "16 bits", "colours"])
def test_high_throughput_is_decoded_by_another_decoder(name: str, tmp_path: Path) -> None:
    picture = PICTURES[name]
    data = converted(native(picture), EXPLICIT, tmp_path, HTJ2K)
    (tmp_path / "file.dcm").write_bytes(file_of(HTJ2K, data))
    frame = next(pydicom.encaps.generate_frames(pydicom.dcmread(tmp_path / "file.dcm").PixelData, number_of_frames=1))
    (tmp_path / "frame.j2c").write_bytes(frame)
    image = tmp_path / ("frame.ppm" if picture.samples > 1 else "frame.pgm")
    command = ["ojph_expand", "-i", str(tmp_path / "frame.j2c"), "-o", str(image)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    samples = image.read_bytes()[-len(picture.values) :]
    if picture.allocated > 8:  # a portable map is big endian
        samples = b"".join(samples[at : at + 2][::-1] for at in range(0, len(samples), 2))
    assert samples == picture.values


@pytest.mark.parametrize("source", [IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("syntax", MADE)
def test_from_every_uncompressed_syntax(syntax: str, source: str, tmp_path: Path) -> None:
    picture = PICTURES["12 of 16 bits"]
    made = converted(native(picture, source), source, tmp_path, syntax)
    assert made == converted(native(picture), EXPLICIT, tmp_path, syntax)


@pytest.mark.parametrize("source", [EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("syntax", MADE)
def test_a_frame_of_an_odd_number_of_bytes_in_words(syntax: str, source: str, tmp_path: Path) -> None:
    """Bytes as OW, as big endian has to have them: the padding is the other half of the last word."""
    picture = PICTURES["8 bits"]
    assert len(picture.values) % 2 == 1
    words = (*picture.elements()[:-1], Element(0x7FE00010, "OW", picture.values + b"\0"))
    made = converted(encode(words, ENCODINGS[source]), source, tmp_path, syntax)
    assert made == converted(native(picture), EXPLICIT, tmp_path, syntax)


@pytest.mark.parametrize("syntax", MADE)
def test_planes_become_pixels(syntax: str, tmp_path: Path) -> None:
    picture = PICTURES["colours"]
    planes = b"".join(picture.values[sample::3] for sample in range(3))
    elements = [
        Element(part.tag, part.vr, b"\1\0") if part.tag == 0x00280006 else part for part in picture.elements()[:-1]
    ]
    elements.append(Element(0x7FE00010, "OB", planes + b"\0"))
    made = converted(encode(tuple(elements), ENCODINGS[EXPLICIT]), EXPLICIT, tmp_path, syntax)
    assert header_of(made) == described(picture, syntax)
    assert pixels_in(converted(made, syntax, tmp_path), len(picture.values)) == picture.values


@pytest.mark.parametrize("syntax", MADE)
def test_bits_beyond_those_stored_are_kept(syntax: str, tmp_path: Path) -> None:
    picture = Picture()
    values = bytearray(picture.values)
    values[1] |= 0xA0  # an overlay, as old writers keep it there
    elements = (*picture.elements()[:-1], Element(0x7FE00010, "OW", bytes(values)))
    made = converted(encode(elements, ENCODINGS[EXPLICIT]), EXPLICIT, tmp_path, syntax)
    assert pixels_in(converted(made, syntax, tmp_path), len(values)) == bytes(values)


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_2000])
def test_from_one_compression_to_another(syntax: str, tmp_path: Path) -> None:
    picture = PICTURES["frames"]
    file = compress("RLE by DCMTK", picture.file(tmp_path / "native.dcm"), tmp_path / "rle.dcm").read_bytes()
    made = converted(data_set_of(file), syntax_of(file), tmp_path, syntax)
    assert header_of(made) == header_of(converted(data_set_of(file), syntax_of(file), tmp_path))
    assert pixels_in(converted(made, syntax, tmp_path), len(picture.values)) == picture.values


@pytest.mark.parametrize("syntax", MADE)
def test_an_icon_stays_without_compression(syntax: str, tmp_path: Path) -> None:
    icon, image = Picture(rows=8, columns=8, allocated=8, stored=8), PICTURES["12 of 16 bits"]
    sequence = Element(0x00880200, "SQ", items=(Item(icon.elements()),))
    elements = (*image.elements()[:-1], sequence, image.elements()[-1])
    made = converted(encode(elements, ENCODINGS[EXPLICIT]), EXPLICIT, tmp_path, syntax)
    assert header_of(made) == encode(elements[:-1], ENCODINGS[EXPLICIT])
    assert converted(made, syntax, tmp_path) == encode(elements, ENCODINGS[EXPLICIT])


def changed(picture: Picture, **values: bytes) -> bytes:
    """Describe a picture otherwise than it is."""
    tags = {f"t{part.tag:08x}": part for part in picture.elements()}
    tags |= {name: replace(tags[name], value=value) for name, value in values.items()}
    return encode(tuple(tags.values()), ENCODINGS[EXPLICIT])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (changed(Picture(), t00280100=b"\1\0", t00280101=b"\1\0"), "it has 1 bits a sample"),
        (changed(Picture(), t00280010=b"\xff\0"), "bytes of pixels instead of"),
        (changed(Picture(), t00280002=b"\4\0"), "4 samples a pixel"),
        (changed(Picture(samples=3, allocated=8, stored=8, photometric="YBR_FULL_422")), "YBR_FULL_422"),
        (encode((Element(0x00080060, "CS", b"SR"),), ENCODINGS[EXPLICIT]), "no pixel data"),
    ],
    ids=["one bit", "another size", "four samples", "shared colours", "a document"],
)
@pytest.mark.parametrize("syntax", MADE)
def test_what_cannot_be_encoded_is_said(syntax: str, data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=reason):
        converted(data, EXPLICIT, tmp_path, syntax)


def test_only_rle_takes_32_bits(tmp_path: Path) -> None:
    picture = Picture(allocated=32, stored=32)
    made = converted(native(picture), EXPLICIT, tmp_path, RLE)
    assert pixels_in(converted(made, RLE, tmp_path), len(picture.values)) == picture.values
    for syntax in (JPEG_LS, JPEG_2000, HTJ2K):
        with pytest.raises(ValueError, match="32 bits a sample"):
            converted(native(picture), EXPLICIT, tmp_path, syntax)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, JPEG_LS])
@pytest.mark.parametrize("said", [None, "00", "01"])
def test_what_lost_something_says_so(said: str | None, syntax: str, tmp_path: Path) -> None:
    picture = PICTURES["8 bits"]
    lossy = tmp_path / "lossy.dcm"
    command = ["dcmcjpeg", "+eb", str(picture.file(tmp_path / "native.dcm")), str(lossy)]
    subprocess.run(command, check=True, timeout=60)
    data_set = pydicom.dcmread(lossy)
    for name in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        delattr(data_set, name)
    if said:
        data_set.LossyImageCompression = said
    data_set.RepresentativeFrameNumber = 1
    data_set.save_as(lossy)
    file = lossy.read_bytes()
    (tmp_path / "made.dcm").write_bytes(file_of(syntax, converted(data_set_of(file), JPEG_BASELINE, tmp_path, syntax)))
    made = pydicom.dcmread(tmp_path / "made.dcm")
    assert made.LossyImageCompression == "01"
    assert made.LossyImageCompressionMethod == "ISO_10918_1"
    assert made.LossyImageCompressionRatio == pytest.approx(len(picture.values) / len(frame_of(data_set)), rel=0.01)
    tags = [element.tag for element in made]
    assert tags == sorted(tags)


def frame_of(data_set: pydicom.Dataset) -> bytes:
    """Return the one frame."""
    return next(pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=1))


@pytest.mark.parametrize("encoder", ["JPEG-LS by DCMTK", "JPEG 2000 by GDCM", "JPEG lossless by DCMTK"])
def test_what_lost_nothing_says_nothing(encoder: str, tmp_path: Path) -> None:
    picture = PICTURES["8 bits"]
    file = compress(encoder, picture.file(tmp_path / "native.dcm"), tmp_path / "compressed.dcm").read_bytes()
    assert b"\x28\x00\x10\x21" not in converted(data_set_of(file), syntax_of(file), tmp_path)


def test_near_lossless_is_lossy_and_half_a_header_is_no_proof(tmp_path: Path) -> None:
    picture, near = PICTURES["8 bits"], tmp_path / "near.dcm"
    command = ["dcmcjpls", "+en", "+md", "3", str(picture.file(tmp_path / "native.dcm")), str(near)]
    subprocess.run(command, check=True, timeout=60)
    data_set = pydicom.dcmread(near)
    data = with_pixels(picture, encapsulated(frame_of(data_set)))
    made = converted(data, "1.2.840.10008.1.2.4.81", tmp_path)
    assert b"\x28\x00\x10\x21CS\2\0" + b"01" in made
    assert b"ISO_14495_1 " in made
    assert struct.pack("<HH", 0x28, 0x2112) in made
