"""Watcher: wakes up when something changes. Only a hint: correctness rests on the scans of the services."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inotify_simple import INotify, flags

_log = logging.getLogger(__name__)
_MASK = flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.CLOSE_WRITE | flags.DELETE | flags.ATTRIB
_ERRORS = (errno.ENOSPC, errno.EMFILE, errno.ENOSYS)


@dataclass(frozen=True)
class Changes:
    """What a `Watcher` noticed: a hint, never the whole truth.

    Parameters
    ----------
    names : frozenset of (Path, str)
        Folder and entry of each change.
    lost : bool
        There were changes that are not in `names`; look at everything.
    """

    names: frozenset[tuple[Path, str]] = frozenset()
    lost: bool = False

    @classmethod
    def everything(cls) -> Changes:
        """Say that anything may have changed, as at the start."""
        return cls(lost=True)

    def within(self, folder: Path) -> set[str]:
        """Return the names of changed entries of one folder."""
        return {name for where, name in self.names if where == folder}


def nudge(directory: Path) -> None:
    """Wake the watchers of the parent folder of `directory`, for changes made inside it."""
    with contextlib.suppress(OSError):
        os.utime(directory)


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
        self._folders: dict[int, Path] = {}
        self._write_end: int | None = None
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._inotify = INotify()
            for folder in folders:
                self._folders[self._inotify.add_watch(str(folder), _MASK)] = folder
        except OSError as error:
            if error.errno not in _ERRORS:
                self.close()
                raise
            _log.warning("no inotify (%s): changes are found by the periodic scan only", error.strerror)

    def wait(self, timeout: float) -> Changes:
        """Wait until something changes, `wake` is called, or `timeout` seconds have passed."""
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        if self._inotify is not None:
            poll.register(self._inotify.fileno(), select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)}
        if self._read_end in ready:
            os.read(self._read_end, 4096)
        if self._inotify is None or self._inotify.fileno() not in ready:
            return Changes()
        events = self._inotify.read(timeout=0)
        lost = any(event.mask & (flags.Q_OVERFLOW | flags.IGNORED) for event in events)
        names = frozenset((self._folders[event.wd], event.name) for event in events if event.wd in self._folders)
        return Changes(names, lost)

    def wake(self) -> None:
        """End a `wait`, of another thread or from a signal handler."""
        # A full pipe holds wake-ups enough.
        with contextlib.suppress(BlockingIOError):
            if self._write_end is not None:
                os.write(self._write_end, b"x")

    def close(self) -> None:
        """Close the descriptors; a second call does nothing, and neither does a later `wake`."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        # Forgotten before it is closed: its number may be another file's in the next moment.
        write_end, self._write_end = self._write_end, None
        if write_end is not None:
            os.close(write_end)
            os.close(self._read_end)
