"""The finished tasks in the spool: an index in memory, so that a turn of the cleaner reads only what is new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mercure.names import id_time
from mercure.spool import Spool, Stage, TaskError, load_task

FINISHED_STAGES: Final = (Stage.SUCCESS, Stage.DISCARD, Stage.ERROR)


@dataclass(frozen=True)
class Finished:
    """A task that has nothing before it, or waits for a person.

    Parameters
    ----------
    id : str
        The task.
    stage : Stage
        ``success``, ``discard`` or ``error``.
    finished : datetime
        Since when.
    parent : str or None
        The task that it was derived from.
    """

    id: str
    stage: Stage
    finished: datetime
    parent: str | None


@dataclass
class FinishedTasks:
    """The index.

    Parameters
    ----------
    spool : Spool
        Where the tasks are.
    """

    spool: Spool
    _known: dict[tuple[Stage, str], tuple[tuple[int, int], Finished]] = field(default_factory=dict)

    def scan(self) -> list[Finished]:
        """Look at the finished stages; return their tasks, the longest finished first."""
        found: dict[tuple[Stage, str], tuple[tuple[int, int], Finished]] = {}
        for stage, name, signature in self._entries():
            known = self._known.get((stage, name))
            if known is not None and known[0] == signature:
                found[stage, name] = known
                continue
            task = self._read(stage, name)
            if task is not None:
                found[stage, name] = (signature, task)
        self._known = found
        return sorted((task for _, task in found.values()), key=lambda task: (task.finished, task.id))

    def _entries(self) -> Iterator[tuple[Stage, str, tuple[int, int]]]:
        for stage, name in self.spool.tasks(FINISHED_STAGES):
            try:
                status = os.stat(self.spool.entry(stage, name))
            except FileNotFoundError:
                continue
            yield stage, name, (status.st_ino, status.st_mtime_ns)

    def _read(self, stage: Stage, name: str) -> Finished | None:
        try:
            task = load_task(self.spool.entry(stage, name))
        except FileNotFoundError:
            return None
        except TaskError:
            # Not readable, so never removed: a person must look at it. `mercure verify` names it.
            return None
        return Finished(name, stage, task.finished or id_time(name), task.parent)
