"""Pixel values and their statistics, with the standard library alone: a module that reports needs no numpy."""

from __future__ import annotations

import math
import operator
import sys
from array import array
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

_CODES: Final = {(8, 0): "B", (8, 1): "b", (16, 0): "H", (16, 1): "h", (32, 0): "I", (32, 1): "i"}
"""Array types by Bits Allocated and Pixel Representation (PS3.3 section C.7.6.3.1)."""

_FLOATS: Final = {"FloatPixelData": "f", "DoubleFloatPixelData": "d"}


class NoPixelsError(Exception):
    """An image whose values cannot be read here; the text says why."""


@dataclass
class Tally:
    """Statistics of values, added up image by image.

    Parameters
    ----------
    count : int
        Values.
    total, squares : float
        Their sum and the sum of their squares.
    least, greatest : float
        The range.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, other: Tally) -> None:
        """Take in what was counted elsewhere."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    def as_json(self) -> dict[str, float]:
        """Return the figures to report; the deviation is that of the whole, not of a sample."""
        mean = self.total / self.count
        variance = max(0.0, self.squares / self.count - mean * mean)
        return {
            "values": self.count,
            "minimum": self.least,
            "maximum": self.greatest,
            "mean": round(mean, 6),
            "standard_deviation": round(math.sqrt(variance), 6),
        }


def tally(image: Dataset) -> Tally:
    """Count the stored values of an image, all frames and samples, after Rescale Slope and Intercept.

    Raises
    ------
    NoPixelsError
        It has none, they are compressed, or their description makes no sense.
    """
    values = _values(image)
    slope, intercept = _rescale(image)
    count = len(values)
    total, squares = math.fsum(values), math.fsum(map(operator.mul, values, values))
    ends = sorted((slope * min(values) + intercept, slope * max(values) + intercept))
    return Tally(
        count,
        slope * total + intercept * count,
        slope * slope * squares + 2 * slope * intercept * total + intercept * intercept * count,
        *ends,
    )


def _values(image: Dataset) -> array[int] | array[float]:
    data, code = _stored(image)
    wanted = _expected(image) * array(code).itemsize
    if not wanted or len(data) < wanted:
        raise NoPixelsError(f"its pixel data has {len(data)} bytes, its description asks for {wanted}")
    values = array(code, data[:wanted])
    if values.itemsize > 1 and (sys.byteorder == "little") != _is_little_endian(image):
        values.byteswap()
    return _used_bits(image, values, code)


def _stored(image: Dataset) -> tuple[bytes, str]:
    for keyword, code in _FLOATS.items():
        if keyword in image:
            return bytes(image[keyword].value), code
    if "PixelData" not in image:
        raise NoPixelsError("it has no pixel data")
    syntax = getattr(getattr(image, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_encapsulated:
        raise NoPixelsError(f"its pixel data is compressed ({syntax.name})")
    kind = (image.get("BitsAllocated", 0), image.get("PixelRepresentation", 0))
    if kind not in _CODES:
        raise NoPixelsError(f"values of {kind[0]} bits are not known")
    return bytes(image.PixelData), _CODES[kind]


def _expected(image: Dataset) -> int:
    try:
        frames = int(image.get("NumberOfFrames", 1) or 1)
        return int(image.Rows) * int(image.Columns) * int(image.get("SamplesPerPixel", 1)) * frames
    except (AttributeError, TypeError, ValueError) as error:
        raise NoPixelsError("its rows and columns are not numbers") from error


def _is_little_endian(image: Dataset) -> bool:
    encoding = getattr(image, "original_encoding", (None, True))
    return encoding[1] is not False


def _used_bits(image: Dataset, values: array[int] | array[float], code: str) -> array[int] | array[float]:
    """Leave out bits above High Bit (old overlays lie there), and extend the sign from Bits Stored."""
    stored, allocated = int(image.get("BitsStored", 0) or 0), values.itemsize * 8
    if code in "fd" or not 0 < stored < allocated or int(image.get("HighBit", stored - 1)) != stored - 1:
        return values
    mask, sign = (1 << stored) - 1, 1 << (stored - 1)
    if code.islower():
        return array(code, (((int(value) & mask) ^ sign) - sign for value in values))
    return array(code, (int(value) & mask for value in values))


def _rescale(image: Dataset) -> tuple[float, float]:
    try:
        slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
    except (TypeError, ValueError):
        return 1.0, 0.0
    return (slope, intercept) if math.isfinite(slope) and math.isfinite(intercept) and slope else (1.0, 0.0)
