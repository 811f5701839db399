"""Tables as Apache Parquet: flat columns that may be empty, plain values, pages compressed by gzip.

Written out here, because the libraries that write it (pyarrow, duckdb, polars) are 20 to 50 MB each, more than all of
the router, and this needs a page of https://parquet.apache.org/docs/file-format/ and of the compact protocol of Thrift.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import IO, Final

MAGIC: Final = b"PAR1"

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_OPTIONAL, _GZIP, _PLAIN, _RLE = 1, 2, 0, 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FEW: Final = 15
_MORE: Final = 0x80
_MICROSECOND: Final = timedelta(microseconds=1)

Cell = str | int | float | None


def _text(value: Cell) -> bytes:
    data = str(value).encode("utf-8", "replace")
    return struct.pack("<I", len(data)) + data


def _days(value: Cell) -> bytes:
    return struct.pack("<i", (date.fromisoformat(str(value)) - _EPOCH.date()).days)


def _micros_of_day(value: Cell) -> bytes:
    at = datetime.combine(_EPOCH.date(), time.fromisoformat(str(value)), UTC)
    return struct.pack("<q", (at - _EPOCH) // _MICROSECOND)


def _micros(value: Cell) -> bytes:
    at = datetime.fromisoformat(str(value))
    return struct.pack("<q", ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND)


_KINDS: Final[dict[str, tuple[int, int | None, Callable[[Cell], bytes]]]] = {
    "text": (6, 0, _text),  # BYTE_ARRAY, UTF8
    "number": (5, None, lambda value: struct.pack("<d", float(value or 0))),  # DOUBLE
    "date": (1, 6, _days),  # INT32, DATE
    "time": (2, 8, _micros_of_day),  # INT64, TIME_MICROS
    "moment": (2, 10, _micros),  # INT64, TIMESTAMP_MICROS
}
"""Physical type, converted type, and how a value is written."""


class ParquetFile:
    """A file that is written part by part.

    Parameters
    ----------
    file : binary file
        Where it goes; it need not be one in which one can go back.
    columns : sequence of (str, str)
        Name and kind of each: ``text``, ``number``, ``date``, ``time`` or ``moment``; the last three are ISO 8601.
    """

    def __init__(self, file: IO[bytes], columns: Sequence[tuple[str, str]]) -> None:
        self._file = file
        self._columns = [(name, _KINDS[kind]) for name, kind in columns]
        self._groups: list[bytes] = []
        self._rows = 0
        self._place = 0
        self._write(MAGIC)

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows, as a row group of their own."""
        if not rows:
            return
        begin = self._place
        chunks = [self._chunk(number, [row[number] for row in rows]) for number in range(len(self._columns))]
        size = self._place - begin
        self._groups.append(_struct((1, _list(_STRUCT, chunks)), (2, _i64(size)), (3, _i64(len(rows)))))
        self._rows += len(rows)

    def end(self) -> None:
        """Write what the file holds behind it."""
        names = [_struct((4, _string("series")), (5, _i32(len(self._columns))))]
        for name, (kind, converted, _) in self._columns:
            more = [] if converted is None else [(6, _i32(converted))]
            names.append(_struct((1, _i32(kind)), (3, _i32(_OPTIONAL)), (4, _string(name)), *more))
        footer = _struct(
            (1, _i32(1)),
            (2, _list(_STRUCT, names)),
            (3, _i64(self._rows)),
            (4, _list(_STRUCT, self._groups)),
            (6, _string("mercure")),
        )
        self._write(footer + struct.pack("<I", len(footer)) + MAGIC)

    def _chunk(self, number: int, values: Sequence[Cell]) -> bytes:
        name, (kind, _, written) = self._columns[number]
        plain = _levels(values) + b"".join(written(value) for value in values if value is not None)
        packed = gzip.compress(plain, mtime=0)
        page = _struct((1, _i32(len(values))), (2, _i32(_PLAIN)), (3, _i32(_RLE)), (4, _i32(_RLE)))
        header = _struct((1, _i32(0)), (2, _i32(len(plain))), (3, _i32(len(packed))), (5, (_STRUCT, page)))
        place = self._place
        self._write(header + packed)
        about = _struct(
            (1, _i32(kind)),
            (2, _list(_I32, [_zigzag(_PLAIN), _zigzag(_RLE)])),
            (3, _list(_BINARY, [_string(name)[1]])),
            (4, _i32(_GZIP)),
            (5, _i64(len(values))),
            (6, _i64(len(header) + len(plain))),
            (7, _i64(len(header) + len(packed))),
            (9, _i64(place)),
        )
        return _struct((2, _i64(place)), (3, (_STRUCT, about)))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._place += len(data)


def _levels(values: Sequence[Cell]) -> bytes:
    """Write which values are there: one run of bits, the first one lowest."""
    bits = sum(1 << number for number, value in enumerate(values) if value is not None)
    groups = -(-len(values) // 8)
    data = _varint(groups << 1 | 1) + bits.to_bytes(groups, "little")
    return struct.pack("<I", len(data)) + data


# --- the compact protocol of Thrift --------------------------------------------------------------------------------

_Value = tuple[int, bytes]
"""A type of the protocol, and the value written by it."""


def _struct(*fields: tuple[int, _Value]) -> bytes:
    written, last = b"", 0
    for number, (kind, data) in fields:
        written += bytes([(number - last) << 4 | kind]) + data
        last = number
    return written + b"\0"


def _list(kind: int, items: Iterable[bytes]) -> _Value:
    written = list(items)
    size = len(written)
    head = bytes([size << 4 | kind]) if size < _FEW else bytes([0xF0 | kind]) + _varint(size)
    return _LIST, head + b"".join(written)


def _i32(value: int) -> _Value:
    return _I32, _zigzag(value)


def _i64(value: int) -> _Value:
    return _I64, _zigzag(value)


def _string(text: str) -> _Value:
    data = text.encode()
    return _BINARY, _varint(len(data)) + data


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    written = b""
    while value >= _MORE:
        written += bytes([value % _MORE | _MORE])
        value //= _MORE
    return written + bytes([value])
