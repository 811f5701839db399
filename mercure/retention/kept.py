"""What is kept for a person beyond its retention, the ceiling of all of it together, and the guard of the cleaner.

What was there when a keep was made fits under the ceiling: that is checked then. What comes later and does not fit is
not kept: the tasks that were taken first stay, so no image that comes takes its room from one that is kept already.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from mercure.event_details import KeepChanged
from mercure.events import EventWriter
from mercure.names import derived_id
from mercure.retention.finished import Finished
from mercure.spool import Spool, Stage, Uptime, image_files
from mercure.spool.keeps import Keep, KeepableTask, Keeps, read_keeps, remove_keep, settled_keeps

_log = logging.getLogger(__name__)


class StoredTask(KeepableTask, Protocol):
    """A task and where it is."""

    @property
    def stage(self) -> Stage:
        """Where."""

    @property
    def bytes(self) -> int:
        """Of its images."""


StoredT = TypeVar("StoredT", bound=StoredTask)


@dataclass(frozen=True)
class KeptTasks:
    """What is kept.

    Parameters
    ----------
    tasks : frozenset of str
        The tasks that stay.
    beyond : frozenset of str
        Those that a person wants kept and that do not fit under the ceiling: their retention holds.
    bytes : int
        Of all of these, each image once however many tasks hold it.
    """

    tasks: frozenset[str] = frozenset()
    beyond: frozenset[str] = frozenset()
    bytes: int = 0


def ceiling(spool: Spool, percent: float) -> int:
    """Return how many bytes may be kept at most: a part of the disk of the spool."""
    return int(shutil.disk_usage(spool.root).total * percent / 100)


def covered(tasks: Iterable[StoredT], keeps: Iterable[Keep]) -> list[StoredT]:
    """Return the tasks that keeps stand for, in the order in which they were taken."""
    keeps = list(keeps)
    return sorted((task for task in tasks if any(keep.covers(task) for keep in keeps)), key=lambda task: task.id)


def kept_tasks(spool: Spool, tasks: Sequence[StoredTask], most: int) -> KeptTasks:
    """Divide covered tasks into what is kept and what does not fit under the ceiling of `most` bytes."""
    kept: set[str] = set()
    beyond: set[str] = set()
    total = 0
    met: set[int] = set()
    for task in tasks:
        total += _more_bytes(spool.entry(task.stage, task.id), met)
        (kept if total <= most else beyond).add(task.id)
    return KeptTasks(frozenset(kept), frozenset(beyond), total)


def kept_at_once(spool: Spool, tasks: Sequence[StoredTask], most: int) -> frozenset[str]:
    """Return the tasks that stay; the images are looked at only where that can matter."""
    if sum(task.bytes for task in tasks) <= most:
        return frozenset(task.id for task in tasks)
    return kept_tasks(spool, tasks, most).tasks


def _more_bytes(directory: Path, met: set[int]) -> int:
    """Return the bytes of the images of a task that no task before it holds too."""
    total = 0
    try:
        for image in image_files(directory):
            inode = os.stat(directory / image.name).st_ino
            total += 0 if inode in met else image.bytes
            met.add(inode)
    except FileNotFoundError:
        pass  # it was removed, or moved on, in this moment
    return total


def told(keep: Keep, by: str = "") -> KeepChanged:
    """Return the event of a keep that was added or removed by somebody, or has ended."""
    return KeepChanged(
        keep=keep.id,
        by=by,
        reason=keep.reason,
        until=keep.until,
        task=keep.task,
        study=keep.study,
        patient=keep.patient,
    )


class KeepGuard:
    """Tells the cleaner what it must not remove, whatever the reason.

    Parameters
    ----------
    spool : Spool
        Where.
    percent : callable
        Returns the part of the disk that may be kept at most.
    """

    def __init__(self, spool: Spool, percent: Callable[[], float]) -> None:
        self._spool = spool
        self._percent = percent
        self._keeps = Keeps()
        self._tasks: Sequence[Finished] = ()
        self._lived: Uptime | None = None
        self._kept: frozenset[str] = frozenset()

    @property
    def unreadable(self) -> bool:
        """Whether a keep cannot be read: then nothing is removed for its age, since it may be what is kept."""
        return bool(self._keeps.unreadable)

    def look(self, tasks: Sequence[Finished], lived: Uptime) -> None:
        """Look at the keeps, and at what they keep of some tasks."""
        self._tasks, self._lived = tasks, lived
        self._read(read_keeps(self._spool))

    def holds(self, task: str) -> bool:
        """Return whether a task is kept."""
        return task in self._kept

    @contextmanager
    def settled(self) -> Iterator[bool]:
        """Let no keep be added for the length of the block, and know all; False when one is just being added."""
        with settled_keeps(self._spool) as alone:
            keeps = read_keeps(self._spool) if alone else self._keeps
            if keeps != self._keeps:
                self._read(keeps)
            yield alone

    def end(self, events: EventWriter, lived: Uptime, *, doubted: bool) -> None:
        """Remove the keeps that have ended, and tell it; none while the clock is doubted."""
        over = [keep for keep in self._keeps.keeps if keep.seconds_left(lived) <= 0]
        if doubted or not over:
            return
        with settled_keeps(self._spool) as alone:
            for keep in over if alone else ():
                about = keep.task or None
                events.emit(told(keep), type="keep.ended", task=about, id=derived_id(keep.id, "keep.ended"))
                events.sync()
                remove_keep(self._spool, keep.id)

    def _read(self, keeps: Keeps) -> None:
        if keeps.unreadable and keeps.unreadable != self._keeps.unreadable:
            names = ", ".join(keeps.unreadable)
            _log.warning("nothing is removed for its age, because a keep cannot be read: %s", names)
        self._keeps = keeps
        in_force = keeps.in_force(self._lived) if self._lived is not None else keeps.keeps
        found = covered((task for task in self._tasks if task.stage is not Stage.ERROR), in_force)
        self._kept = kept_at_once(self._spool, found, ceiling(self._spool, self._percent())) if found else frozenset()
