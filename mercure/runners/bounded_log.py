"""Bounded log of a module's output: the first half as it comes, and of the rest the end."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from types import TracebackType


class BoundedLog:
    """A log file that never grows beyond its limit by more than a note.

    The first half is written at once, so that people can read along; of what follows the last part is kept in memory
    and written by `close`, after a line that says how much was left out.

    Parameters
    ----------
    path : Path
        The file; what was there is replaced.
    limit : int
        Bytes.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        self._head = limit // 2
        self._tail_limit = limit - self._head
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take what was printed next.

        Raises
        ------
        OSError
            The disk refuses.
        """
        head, rest = data[: self._head], data[self._head :]
        if head:
            self._write(head)
            self._head -= len(head)
        if rest:
            self._tail.append(rest[-self._tail_limit :])
            self._tail_bytes += len(self._tail[-1])
            self._left_out += max(0, len(rest) - self._tail_limit)
        while self._tail_bytes > self._tail_limit:
            oldest, excess = self._tail.popleft(), self._tail_bytes - self._tail_limit
            kept = oldest[excess:]
            self._left_out += len(oldest) - len(kept)
            self._tail_bytes -= len(oldest) - len(kept)
            if kept:
                self._tail.appendleft(kept)

    def close(self) -> None:
        """Write the end; a second call does nothing.

        Raises
        ------
        OSError
            The disk refuses.
        """
        if self._descriptor < 0:
            return
        try:
            if self._left_out:
                self._write(f"\n[mercure: {self._left_out} bytes were left out here]\n".encode())
            self._write(b"".join(self._tail))
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def __enter__(self) -> BoundedLog:
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
