"""Queue of the tasks that wait in a stage, by target or module, in the order of work: an index over the folder."""

from __future__ import annotations

import bisect
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mercure.config.models import Order
from mercure.model import PRIORITIES, Priority
from mercure.names import is_id
from mercure.scheduling.order import OrderingIndex, are_parts
from mercure.scheduling.stage_index import FolderStamp, StageIndex, folder_stamp, task_stamps
from mercure.spool import Changes, Spool, Stage, Task, TaskError, load_task

SCAN_SECONDS: Final = 30.0
"""The whole folder is looked at this often, whatever inotify said."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class _Place:
    """A task's place among those of its target: urgent before normal before off-peak, then the oldest first."""

    rank: int
    id: str


class TaskQueue(StageIndex[FolderStamp, Task]):
    """The index; safe for threads.

    Parameters
    ----------
    spool : Spool
        Where the stages are.
    on_unreadable : callable
        Told of a task whose model cannot be read, with the reason; it must not raise.
    stage : Stage
        What waits where; tasks are addressed to targets, and in ``processing/`` to modules.
    lets_pass : callable, optional
        Tells of a task whether those behind it in its study need not wait for it any more.
    """

    def __init__(
        self,
        spool: Spool,
        on_unreadable: Callable[[str, str], None],
        stage: Stage = Stage.OUTGOING,
        lets_pass: Callable[[Task], bool] = lambda task: False,
    ) -> None:
        super().__init__(self._stamp_of, self._read_task)
        self.spool, self.on_unreadable, self.stage, self.lets_pass = spool, on_unreadable, stage, lets_pass
        self._order: dict[str, list[_Place]] = {}
        self._lines = OrderingIndex()
        self._images: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._next_scan = float("-inf")

    def follow(self, changes: Changes, now: float) -> float:
        """Look at what is known to have changed, and from time to time at all; return seconds until the next scan.

        Parameters
        ----------
        changes : Changes
            What is known to have changed since the last call: a hint.
        now : float
            Monotonic time in seconds.
        """
        if now >= self._next_scan or changes.lost:
            self.scan()
            self._next_scan = now + SCAN_SECONDS
        for name in changes.within(self.spool.stage(self.stage)):
            self.look(name)
        return self._next_scan - now

    def scan(self) -> None:
        """Look at the whole folder: one ``stat`` a task, and only what is new or changed is read."""
        with self._lock:
            self.compare(task_stamps(self.spool.stage(self.stage), self._entries))

    def look(self, name: str) -> Task | None:
        """Look at one task again."""
        if not is_id(name):
            return None
        with self._lock:
            return super().look(name)

    def _stamp_of(self, name: str) -> FolderStamp | None:
        try:
            return folder_stamp(self.spool.entry(self.stage, name))
        except OSError:
            return None

    def _read_task(self, name: str, _stamp: FolderStamp | None, _before: Task | None) -> Task | None:
        try:
            task = load_task(self.spool.entry(self.stage, name))
        except FileNotFoundError:
            return None
        except (TaskError, OSError) as error:
            self.on_unreadable(name, str(error))
            return None
        # The name of the folder is the truth, whatever somebody copied into it.
        update: dict[str, str | None] = {} if task.id == name else {"id": name}
        if self.stage is Stage.PROCESSING:
            update["target"] = task.module
        return task.model_copy(update=update) if update else task

    def targets(self) -> list[str]:
        """List the targets for which something waits."""
        return [target for target, places in list(self._order.items()) if places]

    def waiting(self, target: str) -> Iterator[Task]:
        """Walk the tasks of a target in the order of delivery; the index may change meanwhile."""
        for place in list(self._order.get(target, ())):
            task = self.get(place.id)
            if task is not None:
                yield task

    def heads(self, target: str, order: Order) -> Iterator[tuple[Task, Priority]]:
        """Walk the tasks of a target that no other goes before, in the order of delivery.

        Each comes with the highest priority in its line: what waits behind it can be no earlier than it, so an urgent
        series takes those before it along.
        """
        met: set[str] = set()
        for task in self.waiting(target):
            if len(met) >= self._lines.count(target, order):
                return
            line = self._lines.of(task, order)
            if line and line[0] not in met:
                met.add(line[0])
                yield from ((head, task.priority) for head in self._heads_of(list(line), order))

    def _heads_of(self, line: Sequence[str], order: Order) -> Iterator[Task]:
        """Walk the first task of a line, those behind it that may pass, and the other parts of its series."""
        first = ""
        for name in line:
            task = self.get(name)
            if task is None or (first and not are_parts(first, name, order)):
                return
            yield task
            if not first and (order != "study" or not self.lets_pass(task)):
                first = name

    def before(self, task: Task, order: Order) -> str | None:
        """Return the first task in the line of `task` that stands before it and does not let it pass."""
        with self._lock:
            ids = [name for name in self._lines.of(task, order) if name < task.id]
            found = [(name, self.get(name)) for name in ids]
        passes = order == "study"
        return next((name for name, other in found if not (passes and other and self.lets_pass(other))), None)

    def line(self, task: Task, order: Order) -> Sequence[str]:
        """List the ids of the line in which a task stands, by a target's order; see `mercure.scheduling.order`."""
        with self._lock:
            return list(self._lines.of(task, order))

    def images_for(self, name: str) -> int:
        """Count the images that wait for a target or group, or that a member of a group was asked to take."""
        return self._images[name]

    def is_alone(self, task: Task, name: str, order: Order) -> bool:
        """Tell whether no other task may go to who has `task`: its group or target, or the member `name`."""
        with self._lock:
            behind = {task.id, *self._lines.of(task, order)}
            others = (place for target in {task.target or "", name} for place in self._order.get(target, ()))
            tasks = (self.get(place.id) for place in others if place.id not in behind)
            return not any(other is not None and other.hold is None for other in tasks)

    def assign(self, name: str, member: str | None) -> None:
        """Note which member of a group is being asked to take a task; at the next look its model decides again."""
        with self._lock:
            task = self.get(name)
            if task is not None:
                self.put(name, None, task.model_copy(update={"member": member}))

    def put(self, name: str, stamp: FolderStamp | None, entry: Task) -> None:
        """Note a task, and where it stands."""
        super().put(name, stamp, entry)
        bisect.insort(self._order.setdefault(entry.target or "", []), _place(entry))
        self._lines.add(entry)
        self._images[_bound_for(entry)] += entry.images

    def drop(self, name: str) -> Task | None:
        """Forget a task, and where it stood."""
        task = super().drop(name)
        if task is not None:
            self._lines.remove(task)
            self._images[_bound_for(task)] -= task.images
            places = self._order[task.target or ""]
            index = bisect.bisect_left(places, _place(task))
            if index < len(places) and places[index].id == name:
                del places[index]
        return task


def _bound_for(task: Task) -> str:
    return task.member or task.target or ""


def _place(task: Task) -> _Place:
    # What a person sends again goes behind all that comes by itself.
    return _Place(PRIORITIES.index(task.priority) if task.resent is None else len(PRIORITIES), task.id)
