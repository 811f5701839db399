"""What is in the spool, kept in memory by whoever is asked again and again: the control service.

The spool stays the truth. A stage with few entries is looked at whole each time. Of one with many it is looked at: its
list, when its folder says that it changed; what inotify names; what somebody works on or did at the last look; and a
share of the rest, so that within `ROUND_SECONDS` each entry was looked at
(``docs/decisions/0075-an-index-that-is-never-the-truth.md``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from appliance.control.ledger_progress import LedgerProgress
from appliance.control.locks import Held
from appliance.control.rows import UNSETTLED_NS, Row, Stamp, read_row, settled_stamp
from mercure.clock import Clock
from mercure.names import is_id
from mercure.scheduling.stage_index import StageIndex
from mercure.spool import Changes, Spool, Stage, Watcher

FEW: Final = 2000
"""So many entries of a stage are looked at in a few milliseconds."""

ROUND_SECONDS: Final = 10.0
"""What was changed in its place, unseen by all else, is seen within this time."""

MOST: Final = 200_000
"""Rows that are kept in all, of about 2 kB each; what is beyond is read at each look."""

_WATCHED: Final = (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING, Stage.ERROR)


class QueueIndex:
    """The entries of some stages, as they are at each look; of one spool at a time.

    Parameters
    ----------
    clock : Clock
        Where the time comes from.
    watching : bool
        Ask the kernel to tell of changes; for who looks more than once.
    most : int
        See `MOST`.
    """

    def __init__(self, clock: Clock, *, watching: bool = False, most: int = MOST) -> None:
        self._clock = clock
        self._watching = watching
        self._most = most
        self._lock = threading.Lock()
        self._spool: Spool | None = None
        self._shelves: dict[Stage, _Shelf] = {}
        self._watcher: Watcher | None = None
        self.progress = LedgerProgress()
        """How far running tasks are."""

    def rows(self, spool: Spool, stages: Iterable[Stage], held: Held) -> list[Row]:
        """Return what is in some stages now.

        Parameters
        ----------
        spool : Spool
            Which; another one than the last time empties the index.
        stages : iterable of Stage
            Where to look.
        held : Held
            What somebody works on.
        """
        with self._lock:
            if spool != self._spool:
                self._forget()
                self._spool = spool
            changes = self._changes(spool)
            for shelf in self._shelves.values():
                shelf.note(changes)
            found: list[Row] = []
            now = self._clock.monotonic()
            for stage in stages:
                shelf = self._shelves.setdefault(stage, _Shelf(spool, stage))
                found += shelf.look(now, held, self._most - self._kept())
            return found

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._forget()

    def _kept(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())

    def _forget(self) -> None:
        self._shelves.clear()
        self._spool = None
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _changes(self, spool: Spool) -> Changes:
        if not self._watching:
            return Changes()
        if self._watcher is None:
            folders = [spool.stage(stage) for stage in _WATCHED]
            if not all(folder.is_dir() for folder in folders):
                return Changes()
            self._watcher = Watcher(folders)
            return Changes.everything()
        return self._watcher.wait(0)


class _Shelf:
    """The rows of one stage."""

    def __init__(self, spool: Spool, stage: Stage) -> None:
        self._spool = spool
        self._stage = stage
        self._folder = spool.stage(stage)
        self._rows: StageIndex[Stamp, Row] = StageIndex(self._stamp, self._read)
        self._beyond: set[str] = set()
        self._listed: int | None = None
        self._looked = float("-inf")
        self._to_check: list[str] = []
        self._changed: set[str] = set()
        self._worked_on: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, changes: Changes) -> None:
        """Remember what the kernel told of, until the next look."""
        self._changed |= changes.within(self._folder)
        if changes.lost:
            self._looked = float("-inf")

    def look(self, now: float, held: Held, room: int) -> list[Row]:
        """Bring the rows up to date and return them; as many more may be kept as there is room."""
        first = not len(self._rows)
        if self._names_changed():
            self._list(room)
        if first:
            self._looked = now  # all that is there was read just now
        check = self._due(now)
        self._looked = now
        for name in check:
            if name in self._rows:
                self._rows.look(name)
        device = _device(self._folder)
        inodes = held.inodes(device) if device is not None else frozenset[int]()
        self._worked_on = {name for name, row in self._rows.items() if row.inode in inodes} if inodes else set()
        return [*self._rows.values(), *self._unkept()]

    def _names_changed(self) -> bool:
        """Tell whether entries may have come or gone since the last list."""
        if self._stage is Stage.STUDIES or self._beyond:
            return True  # what is in the folders of the studies does not change the stage's own
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            changed = 0
        before = self._listed
        # What changes again within the same tick leaves the same time: such a list does not count as one.
        self._listed = changed if abs(time.time_ns() - changed) > UNSETTLED_NS else None
        return changed != before

    def _list(self, room: int) -> None:
        """Take in what is new, as far as there is room, and drop what is gone."""
        names = dict.fromkeys(self._names())
        room += len(self._rows)
        self._rows.keep(names.keys())
        room -= len(self._rows)
        self._beyond = set()
        for name in [name for name in names if name not in self._rows]:
            if room <= 0:
                self._beyond.add(name)
            elif self._rows.look(name) is not None:
                room -= 1

    def _names(self) -> Iterator[str]:
        if self._stage is Stage.STUDIES:
            yield from (f"{study}/{task}" for study, task in self._spool.studies())
            return
        yield from (name for name in self._spool.names(self._stage) if self._stage is Stage.INCOMING or is_id(name))

    def _due(self, now: float) -> Iterable[str]:
        """Return what is looked at now."""
        passed = now - self._looked
        if len(self._rows) <= FEW or passed >= ROUND_SECONDS:
            self._changed, self._to_check = set(), []
            return list(self._rows)
        if not self._to_check:
            self._to_check = list(self._rows)
        share = max(1, int(len(self._rows) * passed / ROUND_SECONDS) + 1)
        due = {*self._to_check[-share:], *self._changed, *self._worked_on}
        del self._to_check[-share:]
        self._changed = set()
        return due

    def _stamp(self, name: str) -> Stamp | None:
        return settled_stamp(f"{self._folder}/{name}", self._stage)

    def _read(self, name: str, _stamp: Stamp | None, _before: Row | None) -> Row | None:
        return read_row(self._folder / name, self._stage)

    def _unkept(self) -> Iterator[Row]:
        for name in self._beyond:
            row = read_row(self._folder / name, self._stage)
            if row is not None:
                yield row


def _device(folder: Path) -> int | None:
    try:
        return os.stat(folder).st_dev
    except FileNotFoundError:
        return None
