"""Data sets as trees of plain values, and their bytes in each uncompressed transfer syntax, written independently."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"

UNDEFINED: Final = 0xFFFFFFFF
LONG_VRS: Final = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
WIDTHS: Final = {"AT": 2, "FD": 8, "FL": 4, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}
WIDTHS_OF_NUMBERS: Final = {**WIDTHS, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}


@dataclass(frozen=True)
class Item:
    """An item of a sequence; with or without a length of its own."""

    elements: tuple[Element, ...]
    known_length: bool = True


@dataclass(frozen=True)
class Element:
    """One element: a value in little endian, or items; UN of undefined length has items in Implicit VR."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[Item, ...] = ()
    known_length: bool = True


@dataclass(frozen=True)
class Encoding:
    """How a data set is written."""

    explicit: bool
    big_endian: bool = False

    @property
    def order(self) -> str:
        """The order for `struct`."""
        return ">" if self.big_endian else "<"


ENCODINGS: Final = {IMPLICIT: Encoding(False), EXPLICIT: Encoding(True), BIG_ENDIAN: Encoding(True, True)}


def encode(elements: tuple[Element, ...], encoding: Encoding) -> bytes:
    """Write a data set by PS3.5 section 7."""
    return b"".join(_element(element, encoding) for element in elements)


def _element(element: Element, encoding: Encoding) -> bytes:
    if element.vr == "SQ" or not element.known_length:
        within = encoding if element.vr == "SQ" else ENCODINGS[IMPLICIT]  # PS3.5 section 6.2.2
        content = b"".join(_item(item, within) for item in element.items)
        if element.known_length:
            return _header(element, len(content), encoding) + content
        return _header(element, UNDEFINED, encoding) + content + _delimiter(0xE0DD, 0, encoding)
    value = swapped(element.value, WIDTHS_OF_NUMBERS.get(element.vr, 1)) if encoding.big_endian else element.value
    return _header(element, len(value), encoding) + value


def _item(item: Item, encoding: Encoding) -> bytes:
    content = encode(item.elements, encoding)
    if item.known_length:
        return _delimiter(0xE000, len(content), encoding) + content
    return _delimiter(0xE000, UNDEFINED, encoding) + content + _delimiter(0xE00D, 0, encoding)


def _header(element: Element, length: int, encoding: Encoding) -> bytes:
    tag = struct.pack(f"{encoding.order}HH", element.tag >> 16, element.tag & 0xFFFF)
    if not encoding.explicit:
        return tag + struct.pack("<I", length)
    if element.vr in LONG_VRS:
        return tag + element.vr.encode() + struct.pack(f"{encoding.order}xxI", length)
    if length > 0xFFFE:  # PS3.5 section 6.2.2
        return tag + b"UN" + struct.pack(f"{encoding.order}xxI", length)
    return tag + element.vr.encode() + struct.pack(f"{encoding.order}H", length)


def _delimiter(element: int, length: int, encoding: Encoding) -> bytes:
    return struct.pack(f"{encoding.order}HHI", 0xFFFE, element, length)


def swapped(value: bytes, width: int) -> bytes:
    """Turn the bytes of each number around; what is left over at the end stays."""
    whole = len(value) - len(value) % width
    return b"".join(value[at : at + width][::-1] for at in range(0, whole, width)) + value[whole:]


def walk(elements: tuple[Element, ...]) -> Iterator[Element]:
    """Yield every element, those of items too."""
    for element in elements:
        yield element
        for item in element.items:
            yield from walk(item.elements)


def without_group_lengths(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """Leave out what is retired and would be wrong (PS3.5 section 7.2)."""
    return tuple(
        replace(
            part,
            items=tuple(Item(without_group_lengths(item.elements), item.known_length) for item in part.items),
        )
        for part in elements
        if part.tag & 0xFFFF
    )
