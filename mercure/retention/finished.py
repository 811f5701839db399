"""The finished tasks in the spool: an index in memory, so that a turn of the cleaner reads only what is new."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.names import id_time
from mercure.spool import Spool, Stage, TaskError, image_files, load_task

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


def families(tasks: Iterable[Finished]) -> list[list[Finished]]:
    """Put tasks that were derived from the same one together; the families keep the order of their first members."""
    found: dict[str, list[Finished]] = {}
    for task in tasks:
        found.setdefault(task.parent or task.id, []).append(task)
    return list(found.values())


def freed_bytes(directories: Sequence[Path]) -> int:
    """Return how many bytes are freed when all these tasks are removed; 0 for those that are gone.

    An image that another task links to takes its room until the last link goes.
    """
    links: Counter[int] = Counter()
    found: dict[int, os.stat_result] = {}
    for directory in directories:
        try:
            for image in image_files(directory):
                status = os.stat(directory / image.name)
                links[status.st_ino] += 1
                found[status.st_ino] = status
        except FileNotFoundError:
            continue
    return sum(status.st_size for inode, status in found.items() if links[inode] >= status.st_nlink)
