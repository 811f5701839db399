"""A reader of flat Parquet files, by the specification and not by the writer; libraries that read them read the same.

It knows what https://parquet.apache.org/docs/file-format/ says of data pages of the first version: definition levels as
runs of bits or of one value, plain values, gzip or nothing.
"""

from __future__ import annotations

import gzip
import struct
from typing import Any

GZIP = 2
OPTIONAL = 1


class Thrift:
    """A reader of the compact protocol."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def varint(self) -> int:
        found = shift = 0
        while True:
            byte = self.data[self.place]
            self.place += 1
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    def zigzag(self) -> int:
        found = self.varint()
        return found >> 1 ^ -(found & 1)

    def value(self, kind: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind in (3, 4, 5, 6):
            return self.zigzag()
        if kind == 8:
            size = self.varint()
            self.place += size
            return self.data[self.place - size : self.place]
        if kind == 9:
            head = self.data[self.place]
            self.place += 1
            size = head >> 4 if head >> 4 < 15 else self.varint()
            return [self.value(head & 0xF) for _ in range(size)]
        assert kind == 12, f"type {kind} is not of these files"
        return self.struct()

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        while True:
            head = self.data[self.place]
            self.place += 1
            if head == 0:
                return found
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            found[number] = self.value(head & 0xF)


def read_table(data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a file: texts, numbers, and times as the numbers that stand for them."""
    assert data[:4] == data[-4:] == b"PAR1"
    (size,) = struct.unpack("<I", data[-8:-4])
    footer = Thrift(data, len(data) - 8 - size).struct()
    schema = footer[2]
    assert schema[0][5] == len(schema) - 1
    rows: list[dict[str, Any]] = []
    for group in footer[4]:
        columns = {}
        for element, chunk in zip(schema[1:], group[1], strict=True):
            assert element[3] == OPTIONAL
            assert chunk[3][3] == [element[4]]
            columns[element[4].decode()] = _column(data, chunk[3], element.get(6))
        rows += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        assert len(columns) == 0 or {len(column) for column in columns.values()} == {group[3]}
    assert len(rows) == footer[3]
    return rows


def _column(data: bytes, about: dict[int, Any], converted: int | None) -> list[Any]:
    reader = Thrift(data, about[9])
    header = reader.struct()
    packed = data[reader.place : reader.place + header[3]]
    assert reader.place + header[3] - about[9] == about[7]
    page = gzip.decompress(packed) if about[4] == GZIP else packed
    assert len(page) == header[2]
    count = header[5][1]
    assert count == about[5]
    (size,) = struct.unpack_from("<I", page)
    there = _levels(page[4 : 4 + size], count)
    values = iter(_plain(page[4 + size :], about[1], sum(there), converted))
    return [next(values) if level else None for level in there]


def _levels(data: bytes, count: int) -> list[int]:
    found: list[int] = []
    reader = Thrift(data)
    while len(found) < count:
        head = reader.varint()
        if head & 1:
            packed = data[reader.place : reader.place + (head >> 1)]
            reader.place += len(packed)
            found += [byte >> bit & 1 for byte in packed for bit in range(8)]
        else:
            found += [data[reader.place]] * (head >> 1)
            reader.place += 1
    assert not any(found[count:])
    return found[:count]


def _plain(data: bytes, kind: int, count: int, converted: int | None) -> list[Any]:
    forms = {1: "<i", 2: "<q", 5: "<d"}
    if kind in forms:
        size = struct.calcsize(forms[kind])
        assert len(data) == count * size
        return [struct.unpack_from(forms[kind], data, number * size)[0] for number in range(count)]
    assert (kind, converted) == (6, 0)
    found, place = [], 0
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place)
        found.append(data[place + 4 : place + 4 + size].decode())
        place += 4 + size
    assert len(found) == count
    return found
