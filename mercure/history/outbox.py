"""Reading ``outbox/``: whole lines from where the history left off, and which files are finished.

``docs/reference/events.md`` is the contract.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mercure.history.outbox_lines import OutboxLine, read_line
from mercure.locks import try_lock

SUFFIX: Final = ".jsonl"
MAX_LINES: Final = 2000
"""Lines of one batch."""

MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one batch; the line that reaches it is the last."""

MAX_FILES: Final = 400
"""Files of one batch, each open until its rows are committed."""

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""A longer line is taken for damage."""

_CHUNK: Final = 1024 * 1024


@dataclass
class Batch:
    """Lines to be recorded together, and what may be done afterwards; closing it closes the files."""

    max_lines: int = MAX_LINES
    lines: list[OutboxLine] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    """For each file of which something was read, the byte up to which."""
    finished: list[str] = field(default_factory=list)
    """Files whose writer is gone and that are read to their end: to be removed once this is recorded."""
    more: bool = False
    """Something was left for the next batch."""
    bytes: int = 0
    descriptors: list[int] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Return True if no more lines may be added."""
        return len(self.lines) >= self.max_lines or self.bytes >= MAX_BATCH_BYTES

    def close(self) -> None:
        """Close the files, which releases their locks."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


def file_names(outbox: Path) -> list[str]:
    """List the files of an outbox, each writer's in the order of their age."""
    try:
        with os.scandir(outbox) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith("."))


def read_batch(outbox: Path, names: list[str], positions: Mapping[str, int], *, max_lines: int = MAX_LINES) -> Batch:
    """Read what was written since `positions`, as much as fits into one batch.

    Parameters
    ----------
    outbox : Path
        The stage.
    names : list of str
        Its files, see `file_names`.
    positions : mapping
        File name to the byte up to which it is recorded; 0 when it is not there.
    max_lines : int
        Lines of one batch.

    Returns
    -------
    Batch
        To be closed by the caller.

    Raises
    ------
    OSError
        The disk fails.
    """
    batch = Batch(max_lines)
    try:
        for name in names:
            if batch.full or len(batch.descriptors) >= MAX_FILES:
                batch.more = True
                break
            _read_file(batch, outbox / name, name, positions.get(name, 0))
    except BaseException:
        batch.close()
        raise
    return batch


def unread_lines(outbox: Path, positions: Mapping[str, int]) -> Iterator[OutboxLine]:
    """Walk what is not recorded yet, without locking or changing anything: for a look beside the bookkeeper.

    Whole lines only; a file that is removed meanwhile was recorded, and is passed over.
    """
    for name in file_names(outbox):
        yield from unread_lines_of(outbox, name, positions.get(name, 0))


def unread_lines_of(outbox: Path, name: str, position: int) -> Iterator[OutboxLine]:
    """Walk the whole lines of one file from a position on, as `unread_lines`."""
    descriptor = _open_regular(outbox / name)
    if descriptor is None:
        return
    try:
        size = os.fstat(descriptor).st_size
        for _, _, line in _lines(descriptor, name, position, size, whole=False):
            if line is not None:
                yield line
    finally:
        os.close(descriptor)


def _read_file(batch: Batch, path: Path, name: str, position: int) -> None:
    descriptor = _open_regular(path)
    if descriptor is None:
        return
    batch.descriptors.append(descriptor)
    # The lock first: once we hold it the writer is gone, and the end of the file is its end.
    writer_gone = try_lock(descriptor)
    size = os.fstat(descriptor).st_size
    end = position
    for start, end, line in _lines(descriptor, name, position, size, whole=writer_gone):
        batch.bytes += end - start
        if line is not None:
            batch.lines.append(line)
        if batch.full:
            break
    if end != position:
        batch.positions[name] = end
    if writer_gone and end >= size:
        batch.finished.append(name)
        return
    batch.more |= batch.full
    # A file that is not finished needs no descriptor until the commit.
    os.close(batch.descriptors.pop())


def _open_regular(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EACCES):
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _lines(
    descriptor: int, name: str, position: int, size: int, *, whole: bool
) -> Iterator[tuple[int, int, OutboxLine | None]]:
    """Walk the lines from `position` up to `size`; `whole` says that an unfinished last line will never be finished.

    Yields start and end of each line, and the line unless it is blank.
    """
    while position < size:
        data = _read_chunk(descriptor, position, size)
        last = data.rfind(b"\n") + 1
        at_end = position + len(data) >= size
        if last == 0 and not (whole and at_end) and len(data) < MAX_LINE_BYTES:
            return  # the writer is in the middle of its line
        cut = len(data) if last == 0 or (whole and at_end) else last
        for raw in _split(data[:cut]):
            end = position + len(raw)
            yield position, end, read_line(name, position, raw, end=end)
            position = end
        if not data:
            return  # shorter than it was: a power cut took what was not synced


def _read_chunk(descriptor: int, position: int, size: int) -> bytes:
    """Read at least one whole line, if there is one within the longest line allowed."""
    wanted = _CHUNK
    while True:
        data = os.pread(descriptor, min(wanted, size - position), position)
        if b"\n" in data or len(data) < wanted or wanted >= MAX_LINE_BYTES:
            return data
        wanted *= 4


def _split(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
