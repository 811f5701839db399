"""The pixels of a file by decoders that are none of ours, and how far those of another file are from them."""

from __future__ import annotations

import subprocess
import warnings
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from tests.interop import syntaxes

if TYPE_CHECKING:
    from pathlib import Path

FLOATING_POINT: Final = ("FloatPixelData", "DoubleFloatPixelData")

READ_AS: Final = {
    syntaxes.GE_BIG_ENDIAN: syntaxes.IMPLICIT,
    syntaxes.JPEG_SPECTRAL: syntaxes.JPEG_EXTENDED,
    syntaxes.JPEG_PROGRESSIVE: syntaxes.JPEG_EXTENDED,
    syntaxes.DEFLATED_FRAMES: syntaxes.EXPLICIT,
}
"""Syntaxes that pydicom does not know, and by which it decodes them all the same: the codestream says the rest."""

LONGEST_SECONDS: Final = 10
"""GDCM runs for ever on RLE of 32 bits; what it does decode it decodes at once."""

Pixels = Any
"""An array of numpy, or None of an object without pixels."""


def read(content: bytes) -> pydicom.FileDataset:
    """Read a file, whatever pydicom thinks of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(BytesIO(content), force=True)


def has_pixels(data_set: pydicom.Dataset) -> bool:
    """Tell whether there is something to decode."""
    return "PixelData" in data_set


def by_pydicom(content: bytes, *, raw: bool = False) -> Pixels:
    """Decode with pydicom, and pylibjpeg where it is compressed; colours become RGB unless `raw`."""
    data_set = read(content)
    if not has_pixels(data_set):
        return None
    syntax = str(data_set.file_meta.TransferSyntaxUID)
    if syntax == syntaxes.DEFLATED_FRAMES:
        frames = generate_frames(data_set.PixelData, number_of_frames=int(data_set.NumberOfFrames))
        data_set.PixelData = b"".join(zlib.decompressobj(-15).decompress(frame) for frame in frames)
        data_set["PixelData"].VR = "OW"
        data_set["PixelData"].is_undefined_length = False
    if syntax == syntaxes.GE_BIG_ENDIAN:
        values = data_set.PixelData
        data_set.PixelData = b"".join(values[at : at + 2][::-1] for at in range(0, len(values), 2))
    if syntax in READ_AS:
        data_set.file_meta.TransferSyntaxUID = UID(READ_AS[syntax])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixel_array(data_set, raw=raw)


def by_command(path: Path, made: Path, *command: str) -> Pixels:
    """Let another program write it without compression, in little endian; None where it cannot."""
    made.unlink(missing_ok=True)
    try:
        done = subprocess.run([*command, path, made], capture_output=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or not made.is_file():
        return None
    return by_pydicom(made.read_bytes())


def distance(one: Pixels, other: Pixels) -> int | None:
    """Return the greatest difference of a sample; None when they are not of one shape."""
    if one.shape != other.shape:
        return None
    return int(abs(one.astype("int64") - other.astype("int64")).max())
