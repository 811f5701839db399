"""Order of dispatch: the tasks of one study, or all of a target, one after the other in the order received.

"Received" is the order of the task ids: the moment at which the router found the series complete. No dispatcher leads
the others. Each may start a task only when, looked at afresh *while it holds the task's claim*, none stands before it
and none of its line is in flight. Two that look at the same time both hold a claim, so the later one to look sees the
other's (``docs/decisions/0060-order-without-a-coordinator.md``).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from mercure.config import TargetSettings
from mercure.config.models import Order
from mercure.event_details import FailureKind, Identity
from mercure.names import is_id, time_part
from mercure.spool import Spool, Stage, Task, TaskError, image_files, is_locked, load_division, load_task
from mercure.spool.images import by_file, read_lines, text

ORDER_SECONDS: Final = 0.25
"""Wait before a task that must not start yet is looked at again, when nothing else wakes the dispatcher: what it waits
for may be in ``routing/``, which no dispatcher watches."""


PASS_SECONDS: Final = 60.0
"""A series that its target does not take keeps those behind it in its study waiting for so long, and no longer."""

_NOT_TAKEN: Final[tuple[FailureKind | None, ...]] = ("refused", "aborted", "local")
_MAYBE_NOT_TAKEN: Final[tuple[FailureKind | None, ...]] = ("timeout", "unable")
"""What a target says or does that may be its own trouble, unless it was shown that it takes others."""


def lets_pass(task: Task, age: Callable[[datetime], float]) -> bool:
    """Tell whether those behind a task in its study need not wait for it any more.

    Parameters
    ----------
    task : Task
        Its model.
    age : callable
        Tells how long ago an instant was, of the time lived through.
    """
    first, last = task.first_attempt, task.attempts[-1].kind if task.attempts else None
    blamed = last in _MAYBE_NOT_TAKEN and (task.refusals > 0 or task.doubtful)
    not_taken = last in _NOT_TAKEN or blamed
    return first is not None and not_taken and task.hold is None and age(first) >= PASS_SECONDS


class Orderable(Protocol):
    """What of a task says where it stands: a `Task`, or what somebody keeps of it."""

    @property
    def id(self) -> str:
        """The task's id."""

    @property
    def target(self) -> str | None:
        """Where it goes."""

    @property
    def identity(self) -> Identity:
        """Whose images these are."""


_LINES: Final[dict[Order, Callable[[Orderable], str]]] = {
    "none": lambda task: f"task {task.id}",
    # Without a UID nobody can say what belongs together: each such task is a study of its own.
    "study": lambda task: f"study {task.identity.StudyInstanceUID or task.id}",
    "received": lambda task: "all",
}
"""What tasks of a target stand in one line, by the target's order: those for which this text is the same."""

_KEPT: Final[tuple[Order, ...]] = ("study", "received")
"""Orders whose lines are kept for every target, whatever its own: settings change while tasks wait."""


class OrderingIndex:
    """Index of the order: the ids of the tasks that go one after another, by target, order and line."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, Order], dict[str, list[str]]] = {}

    def add(self, task: Task) -> None:
        """Put a task into its lines."""
        for order in _KEPT:
            lines = self._lines.setdefault((task.target or "", order), {})
            bisect.insort(lines.setdefault(_LINES[order](task), []), task.id)

    def remove(self, task: Task) -> None:
        """Take a task, as it was added, out of its lines."""
        for order in _KEPT:
            lines, name = self._lines[task.target or "", order], _LINES[order](task)
            ids = lines[name]
            del ids[bisect.bisect_left(ids, task.id)]
            if not ids:
                del lines[name]

    def of(self, task: Task, order: Order) -> Sequence[str]:
        """List the line in which a task stands, itself included."""
        if order == "none":
            return [task.id]
        return self._lines.get((task.target or "", order), {}).get(_LINES[order](task), ())

    def count(self, target: str, order: Order) -> float:
        """Count the lines of a target; without an order there is no end of them."""
        return float("inf") if order == "none" else len(self._lines.get((target, order), ()))


@dataclass(frozen=True)
class Predecessor:
    """What a task has to wait for.

    Parameters
    ----------
    task : str
        The id of the task before it.
    why : str
        ``waits``: it goes first, whatever it waits for itself; ``in flight``: it is being delivered; ``routing``: the
        router has not decided yet what becomes of it.
    """

    task: str
    why: Literal["waits", "in flight", "routing"]

    def __str__(self) -> str:
        return f"waits for task {self.task} ({_WHY[self.why]})"


_WHY: Final = {
    "waits": "received before it",
    "in flight": "being delivered",
    "routing": "received before it, and still in routing",
}


class OrderedQueue(Protocol):
    """What ordered dispatch needs of `mercure.scheduling.queue.TaskQueue`."""

    def scan(self) -> None:
        """Look at the whole stage."""

    def line(self, task: Task, order: Order) -> Sequence[str]:
        """List the line in which a task stands."""

    def before(self, task: Task, order: Order) -> str | None:
        """Return the first task in the line of `task` that stands before it and does not let it pass."""


Routed = Sequence[tuple[str, frozenset[str] | None]]
"""What is in ``routing/``: ids, and the studies of each as `studies_in` says."""


@dataclass
class OrderGuard:
    """Guard of the order: says whether it is a task's turn.

    Parameters
    ----------
    spool : Spool
        Where the stages are.
    queue : OrderedQueue
        The index over the stage; it is brought up to date here.
    stage : Stage
        Where the tasks stand that are put in order.
    """

    spool: Spool
    queue: OrderedQueue
    stage: Stage = Stage.OUTGOING
    _studies: dict[str, frozenset[str]] = field(default_factory=dict)

    def before(
        self, task: Task, order: Order, others_in_flight: Callable[[], bool] = lambda: True
    ) -> Predecessor | None:
        """Look at the spool afresh; return what goes before `task`, or None when it may start.

        The caller holds the claim on `task` and starts it only on None. ``routing/`` comes first: what leaves it while
        this looks is in ``outgoing/`` by then.

        Parameters
        ----------
        task : Task
            Its model, read under the claim.
        order : str
            Its target's.
        others_in_flight : callable
            Tells whether any other task of the target may be in flight; False saves asking for each in a long line.

        Raises
        ------
        OSError
            The spool cannot be read.
        """
        if order == "none":
            return None
        routed = first_routed(task, order, self.routed())
        if routed is not None:
            return routed
        # All of it, at one stat a task. To look only at new names and at the task's own line was tried, and misses a
        # task that another process has just put into the line: by a reroute, or from one module of a chain to the next.
        self.queue.scan()
        first = self.queue.before(task, order)
        if first is not None and not are_parts(first, task.id, order):
            return Predecessor(first, "waits")
        line = self.queue.line(task, order)
        # One that was received later can be under way when this one came back from error/.
        for other in line if len(line) > 1 and others_in_flight() else ():
            if other != task.id and is_locked(self.spool.entry(self.stage, other)):
                return Predecessor(other, "in flight")
        return None

    def routed(self) -> Routed:
        """Look at ``routing/``."""
        names = [name for name in self.spool.names(Stage.ROUTING) if is_id(name)]
        known = self._studies
        studies = [known.get(name) or studies_in(self.spool.entry(Stage.ROUTING, name)) for name in names]
        self._studies = {name: study for name, study in zip(names, studies, strict=True) if study}
        return list(zip(names, studies, strict=True))


def are_parts(one: str, other: str, order: Order) -> bool:
    """Tell whether two tasks of a study are parts of one divided series, which the router took at one moment.

    No order is promised between them. Images with one UID in both have an order of their own, and if it were the other
    way round, each part would wait for the other for ever.
    """
    return order == "study" and time_part(one) == time_part(other)


def first_routed(task: Task, order: Order, routed: Routed) -> Predecessor | None:
    """Return what was received before `task`, may stand in its line, and is not routed yet."""
    study = task.identity.StudyInstanceUID
    if order == "none" or (order == "study" and not study):
        return None
    for name, studies in routed:
        in_line = order == "received" or studies is None or study in studies
        # At the same microsecond only the derived ids could decide, so the router is waited for.
        if name != task.parent and time_part(name) <= time_part(task.id) and in_line:
            return Predecessor(name, "routing")
    return None


def studies_in(directory: Path) -> frozenset[str] | None:
    """Find out to which studies the images in a folder of ``routing/`` belong.

    Until its ``task.json`` or ``division.json`` is there, the receiver's tag lines say it, and for a collected study
    its series.

    Returns
    -------
    frozenset of str or None
        The UIDs, none when the folder is gone or its images have none, None when it cannot be told yet.
    """
    division = load_division(directory)
    if division is not None:
        return division.studies - {""}
    try:
        return frozenset({load_task(directory).identity.StudyInstanceUID}) - {""}
    except FileNotFoundError:
        return frozenset()
    except TaskError:
        pass
    try:
        return _by_tag_lines(directory)
    except FileNotFoundError:
        return frozenset()


def _by_tag_lines(directory: Path) -> frozenset[str] | None:
    """Read the studies of all images; None when some image has no line."""
    names = [path.name for path in directory.iterdir()]
    records = [line for name in names if name.endswith(".jsonl") for line in read_lines(directory / name)]
    described = by_file(records, [image.name for image in image_files(directory)])
    members = [studies_in(directory / name) for name in names if is_id(name)]
    if len(described) < len(image_files(directory)) or None in members or not (described or members):
        return None
    found = {text(record, "StudyInstanceUID") for record in described.values()}
    return frozenset(found.union(*filter(None, members)) - {""})


def waits_for(tasks: Iterable[Orderable], targets: Mapping[str, TargetSettings]) -> dict[str, str]:
    """Tell which of the tasks in ``outgoing/`` wait only because of their target's order, and for which task.

    Parameters
    ----------
    tasks : iterable of Orderable
        All of them.
    targets : mapping of str to TargetSettings
        The targets of the configuration.

    Returns
    -------
    dict of str to str
        By task id the id of the one right before it in its line.
    """
    last: dict[tuple[str, str], str] = {}
    found = {}
    for task in sorted(tasks, key=lambda item: item.id):
        settings = targets.get(task.target or "")
        if settings is None:
            continue
        line = (task.target or "", _LINES[settings.order](task))
        if line in last:
            found[task.id] = last[line]
        last[line] = task.id
    return found
