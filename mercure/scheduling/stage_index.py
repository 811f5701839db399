"""Index over a stage, in memory: an entry is read when it is new, and again when its stamp has changed.

The folder stays the truth: an index is brought up to date by `StageIndex.look` and `StageIndex.compare`, and whoever
decides something by it looks first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Generic, TypeVar

from mercure.locks import opened
from mercure.names import is_id

StampT = TypeVar("StampT")
EntryT = TypeVar("EntryT")
FolderStamp = tuple[int, int]
"""Inode and time of the last change (ns) of an entry's folder: what is renamed into it or nudged changes it."""


class StageIndex(Generic[StampT, EntryT]):
    """What is known of the entries of a stage.

    Parameters
    ----------
    stamp : callable
        Returns, for a name, what changes with every change of the entry; None where that cannot be told, and the entry
        is read each time.
    read : callable
        Returns what is to be known of an entry, given its name, its stamp and what was known before; None where there
        is no such entry. What it raises leaves the index as it was.
    """

    def __init__(
        self,
        stamp: Callable[[str], StampT | None],
        read: Callable[[str, StampT | None, EntryT | None], EntryT | None],
    ) -> None:
        self._stamp, self._read = stamp, read
        self._entries: dict[str, tuple[StampT | None, EntryT]] = {}

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        """Tell whether an entry is known."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Walk the names."""
        return iter(list(self._entries))

    def items(self) -> Iterator[tuple[str, EntryT]]:
        """Walk names and what is known of each."""
        return ((name, entry) for name, (_, entry) in self._entries.items())

    def values(self) -> list[EntryT]:
        """List what is known of all entries."""
        return [entry for _, entry in self._entries.values()]

    def get(self, name: str) -> EntryT | None:
        """Return what is known of an entry, without a look."""
        known = self._entries.get(name)
        return known[1] if known is not None else None

    def look(self, name: str) -> EntryT | None:
        """Look at one entry; return what is known of it now, None where it is gone."""
        stamp = self._stamp(name)  # before it is read: what is changed meanwhile is read again
        known = self._entries.get(name)
        if known is not None and stamp is not None and known[0] == stamp:
            return known[1]
        entry = self._read(name, stamp, known[1] if known is not None else None)
        if entry is None:
            self.drop(name)
        else:
            self.put(name, stamp, entry)
        return entry

    def compare(self, stamps: Mapping[str, StampT]) -> None:
        """Look at all entries, given what `stamp` would return for each that is there."""
        self.keep(stamps.keys())
        entries = self._entries
        for name, stamp in stamps.items():
            if name not in entries or entries[name][0] != stamp:
                self.look(name)

    def keep(self, names: AbstractSet[str]) -> None:
        """Drop all entries but those of some names."""
        for gone in self._entries.keys() - names:
            self.drop(gone)

    def put(self, name: str, stamp: StampT | None, entry: EntryT) -> None:
        """Note what is known of an entry; without a stamp it is read at the next look."""
        self.drop(name)
        self._entries[name] = (stamp, entry)

    def drop(self, name: str) -> EntryT | None:
        """Forget an entry; return what was known of it."""
        known = self._entries.pop(name, None)
        return known[1] if known is not None else None


def folder_stamp(path: Path) -> FolderStamp | None:
    """Return the stamp of an entry's folder; None when it is not there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def task_stamps(stage: Path, known: Container[str] = ()) -> dict[str, FolderStamp]:
    """Return the stamps of all tasks in a stage.

    It is looked at before each start in a target with an order. So each ``stat`` is relative to the open folder, there
    is neither a path object nor a context manager for each task, and a name that is known already is an id.
    """
    found = {}
    with opened(stage) as folder, os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name in known or is_id(name):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue  # it has moved on since
                found[name] = (status.st_ino, status.st_mtime_ns)
    return found
