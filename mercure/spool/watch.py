"""Waking up when something changes. Only a hint: correctness rests on the scans of the services."""

from __future__ import annotations

import errno
import logging
import os
import select
from collections.abc import Iterable
from pathlib import Path

from inotify_simple import INotify, flags

_log = logging.getLogger(__name__)
_MASK = flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.CLOSE_WRITE | flags.DELETE
_ERRORS = (errno.ENOSPC, errno.EMFILE, errno.ENOSYS)


class Watcher:
    """Waits for changes in folders, for a wake-up from another thread, or for time to pass.

    Where the kernel grants no (more) inotify watches, it only waits for the time: slower, not wrong.

    Parameters
    ----------
    folders : iterable of Path
        Folders whose entries are watched, not what is below them.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._inotify: INotify | None = None
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._inotify = INotify()
            for folder in folders:
                self._inotify.add_watch(str(folder), _MASK)
        except OSError as error:
            if error.errno not in _ERRORS:
                self.close()
                raise
            _log.warning("no inotify (%s): changes are found by the periodic scan only", error.strerror)

    def wait(self, timeout: float) -> bool:
        """Wait until something changes, `wake` is called, or `timeout` seconds have passed.

        Tell whether anything happened.
        """
        descriptors: list[int] = [self._read_end]
        if self._inotify is not None:
            descriptors.append(self._inotify.fileno())
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(max(0.0, timeout) * 1000)
        for descriptor, _ in ready:
            if descriptor == self._read_end:
                os.read(self._read_end, 4096)
            elif self._inotify is not None:
                self._inotify.read(timeout=0)
        return bool(ready)

    def wake(self) -> None:
        """End a `wait` of another thread or of a signal handler."""
        try:
            os.write(self._write_end, b"x")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def close(self) -> None:
        """Let go of the descriptors."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        for descriptor in (self._read_end, self._write_end):
            os.close(descriptor)
