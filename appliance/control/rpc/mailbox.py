"""What waits for the reader of one stream: bounded, and never waited for."""

from __future__ import annotations

import os
import threading
from collections import deque


class Mailbox:
    """Lines on their way to one reader.

    Parameters
    ----------
    most : int
        Bytes that may wait; with more the reader counts as too slow, and gets nothing any more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost = False
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closed = False

    def fileno(self) -> int:
        """Return what becomes readable when something is there."""
        return self._descriptor

    def put(self, line: bytes) -> None:
        """Add a line."""
        with self._lock:
            if self._lost or self._closed:
                return
            self._bytes += len(line)
            self._lost = self._bytes > self._most
            if self._lost:
                self._lines.clear()
            else:
                self._lines.append(line)
            os.eventfd_write(self._descriptor, 1)

    def take(self) -> bytes | None:
        """Take all that is there; None when something was lost because the reader is too slow."""
        with self._lock:
            if self._lost:
                return None
            if not self._lines:
                return b""
            os.eventfd_read(self._descriptor)
            data = b"".join(self._lines)
            self._lines.clear()
            self._bytes = 0
            return data

    def close(self) -> None:
        """Let go of the descriptor; what is put from now on is dropped."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)
