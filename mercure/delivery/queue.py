"""What waits in ``outgoing/``, by target and in the order of delivery: an index in memory over the folder."""

from __future__ import annotations

import bisect
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mercure.names import is_id
from mercure.spool import Spool, Stage, Task, TaskError, load_task
from mercure.spool.task import PRIORITIES

_log = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class _Place:
    """A task's place among those of its target: urgent before normal before off-peak, then the oldest first."""

    rank: int
    id: str


@dataclass
class _Entry:
    signature: tuple[int, int]
    task: Task


@dataclass
class Queue:
    """The index.

    Parameters
    ----------
    spool : Spool
        Where ``outgoing/`` is.
    on_unreadable : callable
        Told of a task whose model cannot be read, with the reason.
    """

    spool: Spool
    on_unreadable: Callable[[str, str], None]
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _order: dict[str, list[_Place]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    def scan(self) -> None:
        """Look at the whole folder: one ``stat`` a task, and only what is new or changed is read."""
        names = {name for name in self.spool.names(Stage.OUTGOING) if is_id(name)}
        for gone in self._entries.keys() - names:
            self._forget(gone)
        for name in names:
            self.look(name)

    def look(self, name: str) -> None:
        """Look at one task again."""
        if not is_id(name):
            return
        directory = self.spool.entry(Stage.OUTGOING, name)
        try:
            status = os.stat(directory)
            signature = (status.st_ino, status.st_mtime_ns)
            known = self._entries.get(name)
            if known is not None and known.signature == signature:
                return
            task = load_task(directory)
        except FileNotFoundError:
            self._forget(name)
            return
        except TaskError as error:
            self._forget(name)
            self.on_unreadable(name, str(error))
            return
        self._forget(name)
        self._entries[name] = _Entry(signature, task)
        bisect.insort(self._order.setdefault(task.target or "", []), _place(task))

    def targets(self) -> list[str]:
        """List the targets for which something waits."""
        return [target for target, places in self._order.items() if places]

    def waiting(self, target: str) -> Iterator[Task]:
        """Walk the tasks of a target in the order of delivery; the index may change meanwhile."""
        for place in list(self._order.get(target, ())):
            entry = self._entries.get(place.id)
            if entry is not None:
                yield entry.task

    def _forget(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        places = self._order[entry.task.target or ""]
        index = bisect.bisect_left(places, _place(entry.task))
        if index < len(places) and places[index].id == name:
            del places[index]


def _place(task: Task) -> _Place:
    return _Place(PRIORITIES.index(task.priority), task.id)
