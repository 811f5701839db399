"""Integrity of a stored image: its bytes against the digests in its own header.

The receiver keeps two digests in the private information of the meta header (``docs/reference/spool.md``, "The meta
header"): one of the data set as it came off the wire, one of the header itself. A file without them (of an older
release, or written by a module) cannot be checked, and that is all that is said of it.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Final

import xxhash

from mercure.dicom.receipt import (
    DIGEST_PREFIX,
    LONGEST_HEADER,
    AlteredHeaderError,
    read_header,
    receipt_in,
)

CHUNK_BYTES: Final = 1024 * 1024
"""Bytes read at a time; a multiple of every block size, as reads past the page cache need."""

_HEAD_BYTES: Final = LONGEST_HEADER + 4096
_FIXED: Final = bytes(128) + b"DICM\x02\0\0\0UL\x04\0"
"""What a file begins with (PS3.10 section 7.1), up to the value of the group length."""


class IntegrityState(StrEnum):
    """What a look at the bytes of an image says."""

    INTACT = "intact"
    ALTERED = "altered"
    """They are not those that were acknowledged."""
    UNREADABLE = "unreadable"
    """The disk does not give them back."""
    UNCHECKABLE = "uncheckable"
    """There is no digest of them."""


@dataclass(frozen=True)
class Integrity:
    """The result of a look.

    Parameters
    ----------
    state : IntegrityState
        What it says.
    text : str
        Which part of the file it is and what is wrong with it; empty for an image that is intact.
    bytes : int
        How many were read.
    """

    state: IntegrityState
    text: str = ""
    bytes: int = 0

    @property
    def is_bad(self) -> bool:
        """Whether the image must not leave."""
        return self.state in (IntegrityState.ALTERED, IntegrityState.UNREADABLE)


Pace = Callable[[int], None]
"""Called with the bytes just read; it may block to slow the reading down."""


def examine(path: Path, *, expected: str = "", past_cache: bool = False, pace: Pace | None = None) -> Integrity:
    """Read an image to its end and compare it with its digests.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What its tag line says of it (``DataSetDigest``); "" when it says nothing.
    past_cache : bool
        Read from the disk itself, not what the page cache remembers of it, and leave nothing in the cache.
    pace : callable, optional
        Called after each piece.

    Raises
    ------
    FileNotFoundError
        It is not there (any more).
    """
    reader: _Reader | None = None
    try:
        reader = _Reader(path, past_cache=past_cache, pace=pace)
        return _compare(reader, expected)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(errno.ENOENT, "the image has moved on", str(path)) from error
    except OSError as error:
        done = 0 if reader is None else reader.done
        text = f"it cannot be read from byte {done} on: {os.strerror(error.errno or errno.EIO)}"
        return Integrity(IntegrityState.UNREADABLE, text, done)
    finally:
        if reader is not None:
            reader.close()


def _compare(reader: _Reader, expected: str) -> Integrity:
    piece = reader.read()
    problem, receipt = "", None
    try:
        receipt = receipt_in(read_header(BytesIO(piece[:_HEAD_BYTES])))
    except AlteredHeaderError as error:
        problem = f"its header is altered: {error}"
    if not problem and _ends_within(piece, reader.size):
        problem = f"it ends within its header, after {reader.size} bytes"
    if not problem and expected.startswith(DIGEST_PREFIX) and (receipt is None or receipt.digest != expected):
        problem = "its header is altered: it is not the one that was written when the image was received"
    digest = xxhash.xxh3_128()
    at = 0 if receipt is None else receipt.header_bytes
    while piece:  # to the end in any case: what cannot be compared can still be found unreadable
        if receipt is not None:
            digest.update(piece[at:])
        at = 0
        piece = reader.read()
    if not problem and receipt is not None and digest.hexdigest() != receipt.data:
        problem = f"its data set (bytes {receipt.header_bytes} to {reader.size}) is not what was received"
    if problem:
        return Integrity(IntegrityState.ALTERED, problem, reader.done)
    if receipt is None:
        return Integrity(IntegrityState.UNCHECKABLE, "it has no digest", reader.done)
    return Integrity(IntegrityState.INTACT, bytes=reader.done)


def _ends_within(piece: memoryview, size: int) -> bool:
    """Return whether a file is shorter than its own header says."""
    start = len(_FIXED) + 4
    if size < start:
        return _FIXED.startswith(bytes(piece[: len(_FIXED)]))
    length = int.from_bytes(piece[start - 4 : start], "little")
    return bytes(piece[: len(_FIXED)]) == _FIXED and size < start + length <= LONGEST_HEADER


_of_thread = threading.local()


def _buffer() -> memoryview:
    """Return the buffer of this thread, which is aligned as a disk wants it; it is made once, since that costs time."""
    view: memoryview | None = getattr(_of_thread, "view", None)
    if view is None:
        view = _of_thread.view = memoryview(mmap.mmap(-1, CHUNK_BYTES))
    return view


class _Reader:
    """Reads a file piece by piece."""

    def __init__(self, path: Path, *, past_cache: bool, pace: Pace | None) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._pace = pace
        self._past_cache = past_cache
        self._direct = False
        self._descriptor = -1
        if past_cache:
            try:
                self._descriptor = os.open(path, flags | os.O_DIRECT)
                self._direct = True
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        if self._descriptor < 0:
            self._descriptor = os.open(path, flags)
        self._path, self._flags = path, flags
        self.size = os.fstat(self._descriptor).st_size
        self.done = 0
        self._view = _buffer()
        if past_cache and not self._direct:
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # nothing is read ahead that would stay

    def read(self) -> memoryview:
        """Read the next piece, as long as it may be; empty at the end."""
        have = 0
        while have < CHUNK_BYTES:
            count = self._read_at(self.done + have, self._view[have:])
            if not count:
                break
            have += count
            if self._direct and have % mmap.PAGESIZE:
                break  # the end of the file: from an uneven place no further read is possible, or needed
        if have and self._past_cache and not self._direct:
            os.posix_fadvise(self._descriptor, self.done, have, os.POSIX_FADV_DONTNEED)
        self.done += have
        if have and self._pace is not None:
            self._pace(have)
        return self._view[:have]

    def _read_at(self, at: int, into: memoryview) -> int:
        if self._direct and at % mmap.PAGESIZE:
            return 0
        try:
            return os.preadv(self._descriptor, [into], at)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
        # The file system takes the flag and not the read: then through the cache after all.
        again = os.open(self._path, self._flags)
        os.dup2(again, self._descriptor, inheritable=False)
        os.close(again)
        self._direct = False
        return os.preadv(self._descriptor, [into], at)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
