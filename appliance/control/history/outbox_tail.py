"""What services write to the outbox, as they write it.

A file may be written, recorded and removed between two looks. That it was there is known by its name, which the kernel
told; what stood in it is in the history by then.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mercure.events import Event
from mercure.history.outbox import SUFFIX, file_names
from mercure.history.outbox_lines import UnreadableError, parse

_CHUNK: Final = 1024 * 1024
_MOST_AT_ONCE: Final = 8 * 1024 * 1024
"""Of one file at one look; who has so much to tell is not followed line by line."""

_MOST_FILES: Final = 400
_MOST_NAMES: Final = 10_000
"""Of files that were read to their end, remembered so that they do not count as missed."""


class OutboxTail:
    """Follows all files of an outbox.

    Parameters
    ----------
    outbox : Path
        The stage.
    only : sequence of str
        Types of the events that are wanted; none: all. Most lines of others are not even parsed.
    from_end : bool
        Begin with what is written from now on.
    """

    def __init__(self, outbox: Path, *, only: Sequence[str] = (), from_end: bool = True) -> None:
        self.outbox = outbox
        self._only = [name.encode() for name in only]
        self._files: dict[str, tuple[int, int]] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._look(from_end=from_end)

    def _look(self, *, from_end: bool = False) -> None:
        """Open the files that are new. An open file can be read to its end after it was removed."""
        for name in file_names(self.outbox):
            if name in self._files or len(self._files) >= _MOST_FILES:
                continue
            with contextlib.suppress(OSError):
                flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
                descriptor = os.open(self.outbox / name, flags)
                self._files[name] = (descriptor, os.fstat(descriptor).st_size if from_end else 0)

    def read(self) -> Iterator[Event]:
        """Yield the events written since the last time, file by file."""
        self._look()
        for name, (descriptor, position) in list(self._files.items()):
            data, end = _whole_lines(descriptor, position)
            self._files[name] = (descriptor, end)
            for line in data.splitlines():
                if self._only and not any(name in line for name in self._only):
                    continue
                with contextlib.suppress(UnreadableError):
                    yield parse(line)
            if not data and os.fstat(descriptor).st_nlink == 0:
                os.close(descriptor)
                del self._files[name]
                self._done[name] = None
                if len(self._done) > _MOST_NAMES:
                    self._done.popitem(last=False)

    def missed(self, names: Iterable[str]) -> bool:
        """Tell whether one of these files was there and went away without being read."""
        return any(
            name.endswith(SUFFIX)
            and not name.startswith(".")
            and name not in self._files
            and name not in self._done
            and not (self.outbox / name).exists()
            for name in names
        )

    def close(self) -> None:
        """Let go of all files."""
        for descriptor, _ in self._files.values():
            os.close(descriptor)
        self._files.clear()


def _whole_lines(descriptor: int, position: int) -> tuple[bytes, int]:
    """Read the whole lines from a position on; return them and where the next begins."""
    size = os.fstat(descriptor).st_size
    if size - position > _MOST_AT_ONCE:
        position = size - _CHUNK
        position += os.pread(descriptor, _CHUNK, position).find(b"\n") + 1
    data = os.pread(descriptor, max(0, size - position), position)
    whole = data[: data.rfind(b"\n") + 1]
    return whole, position + len(whole)
