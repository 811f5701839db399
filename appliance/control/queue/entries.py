"""What waits in the spool: every series and task that has something before it, or waits for a person."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from appliance.control.api import queue as api
from appliance.control.api.queue import SHAPE_SECONDS, CauseCount, ListQueue, Order, Queue, QueueEntry, ShapeRow
from appliance.control.disk import kept_now
from appliance.control.locks import Held
from appliance.control.registry import carries_out
from appliance.control.rows import LISTED_STAGES, Row, row_of
from appliance.control.session import Session
from appliance.presentation.causes import Cause
from appliance.presentation.states import QUEUE, QueueState
from mercure.config import TargetSettings
from mercure.delivery.target_outage import TargetOutage
from mercure.delivery.target_status import outage_of
from mercure.scheduling.order import waits_for
from mercure.spool import Stage, Task, Uptime, uptime
from mercure.spool.keeps import Keep, read_keeps

_RANKS: Final = {state: look.rank for state, look in QUEUE.items()}
"""What needs a person comes first."""

_OF_ROW: Final = tuple(field.name for field in fields(Row) if field.name in QueueEntry.model_fields)
"""What an entry shows as the row has it: a new fact is a field of both."""

ALL: Final = ListQueue()
"""Everything, the oldest first."""

_URGENCY: Final = {"urgent": 0, "normal": 1, "offpeak": 2}

Placed = tuple[Row, QueueState]
"""A row and the state in which it is now."""


@dataclass
class Now:
    """What is known beside the rows: the time, what somebody works on, and which targets take nothing.

    Parameters
    ----------
    session : Session
        Where.
    held : Held
        What somebody works on.
    """

    session: Session
    held: Held
    time: datetime = field(init=False)
    _outages: dict[str, TargetOutage | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Look at the clock once."""
        self.time = self.session.clock.now()

    @cached_property
    def _inodes(self) -> frozenset[int]:
        root = self.session.spool.root
        return self.held.inodes(root.stat().st_dev) if root.exists() else frozenset()

    def outage(self, target: str | None) -> TargetOutage | None:
        """Return why nothing goes to a target just now."""
        if target is None:
            return None
        if target not in self._outages:
            self._outages[target] = outage_of(self.session.spool, target, self.session.config.targets)
        return self._outages[target]

    def state(self, row: Row) -> QueueState:
        """Tell in which state an entry is."""
        if row.state is not None:
            return row.state
        if row.inode in self._inodes:
            return "running"
        if (row.next_attempt is not None and row.next_attempt > self.time) or self.outage(row.target) is not None:
            return "retrying"
        return "waiting"

    @cached_property
    def _lived(self) -> Uptime:
        return uptime(self.session.spool, self.session.clock)

    @cached_property
    def _keeps(self) -> tuple[tuple[Keep, ...], frozenset[str]]:
        """The keeps in force, and the tasks that do not fit under their ceiling."""
        keeps = read_keeps(self.session.spool).in_force(self._lived)
        return keeps, kept_now(self.session, keeps).beyond

    def _removal(self, row: Row) -> dict[str, object]:
        """Tell when what is kept is removed: after its retention, or when the last keep of it ends."""
        if row.finished is None:
            return {}
        retention = self.session.config.retention
        kept = retention.success_seconds if row.stage is Stage.SUCCESS else retention.discard_seconds
        left = max(0.0, kept - self._lived.age(row.finished))
        keeps, beyond = self._keeps
        mine = [keep for keep in keeps if keep.covers(row)] if row.id not in beyond else []
        last = max(mine, key=lambda keep: keep.seconds_left(self._lived), default=None)
        if last is None:
            return {"seconds_left": round(left, 3)}
        return {"seconds_left": round(max(left, last.seconds_left(self._lived)), 3), "kept_until": last.until}

    def cause(self, row: Row) -> Cause | None:
        """Say whose problem it is that an entry does not go on; a target that is down counts before what was tried."""
        outage = self.outage(row.target) if row.state is None else None
        return row.cause if outage is None else outage.kind

    def entry(self, row: Row, state: QueueState, waits: str | None) -> QueueEntry:
        """Describe an entry as it is shown."""
        outage = self.outage(row.target) if row.state is None else None
        due = outage.until if outage is not None else row.next_attempt
        now: dict[str, object] = {
            "state": state,
            "age_seconds": _age(row, self.time),
            "next_attempt": due if row.state is None and due is not None and due > self.time else None,
            "error": row.error if outage is None else outage.error,
            "cause": self.cause(row),
            "waits_for": waits if state == "waiting" else None,
            **self._removal(row),
        }
        return QueueEntry.model_validate({name: getattr(row, name) for name in _OF_ROW} | now)


def list_queue(session: Session, wanted: ListQueue = ALL) -> Queue:
    """List what waits, as asked: which entries, in which order, and which page of them."""
    held = Held()
    rows = session.index.rows(session.spool, tuple(dict.fromkeys(wanted.stages)) or LISTED_STAGES, held)
    now = Now(session, held)
    placed: list[Placed] = [(row, now.state(row)) for row in rows]
    found = _sorted([item for item in placed if _fits(item, wanted)] if _filters(wanted) else placed, wanted)
    if wanted.text:
        found = list(_containing(found, wanted.text, now))
    end = wanted.offset + wanted.limit if wanted.limit else None
    page = found[wanted.offset : end]
    before = _lines(session, rows, page)
    entries = (now.entry(row, state, before.get(row.id)) for row, state in page)
    return Queue(
        total=len(found),
        in_queue=len(rows),
        entries=tuple(_with_progress(session, entry) for entry in entries) if wanted.progress else tuple(entries),
        shape=tuple(_shape(placed, now.time)) if wanted.shape else (),
        causes=tuple(_causes(placed, now)) if wanted.shape else (),
    )


carries_out(api.LIST)(list_queue)


def _with_progress(session: Session, entry: QueueEntry) -> QueueEntry:
    """Add how many images of a running task its target has confirmed."""
    target = session.config.targets.get(entry.target or "")
    if entry.state != "running" or target is None:
        return entry
    directory = session.spool.entry(entry.stage, entry.id)
    confirmed = session.index.progress.confirmed(directory, _places_of(target, entry.target or "", session))
    return entry.model_copy(update={"confirmed": min(confirmed, entry.images)})


def _places_of(target: TargetSettings, name: str, session: Session) -> frozenset[str]:
    """Return where images of a target may be: of a group the places of its members."""
    targets = session.config.targets
    return frozenset(targets[it].destination() for it in target.leads_to() or (name,) if it in targets)


def entry_of(task: Task, stage: Stage, session: Session) -> QueueEntry:
    """Describe one task that stands in a stage, without its claim and what it waits behind."""
    now, row = Now(session, Held("")), row_of(task, stage)
    return now.entry(row, now.state(row), None)


def _filters(wanted: ListQueue) -> bool:
    return wanted.target is not None or bool(wanted.states)


def _fits(item: Placed, wanted: ListQueue) -> bool:
    row, state = item
    return (wanted.target is None or row.target == wanted.target) and (not wanted.states or state in wanted.states)


def _containing(found: list[Placed], text: str, now: Now) -> Iterator[Placed]:
    """Yield what contains a text, in itself or in what its state says; with ``!`` before it, the others."""
    inverse = text.startswith("!")
    needle = text.removeprefix("!").casefold()
    states = {state for state in _RANKS if needle in state}
    down = {target for target in {row.target for row, _ in found} if _told(now.outage(target), needle)}
    for item in found:
        row, state = item
        there = needle in row.text or state in states or (row.target in down and row.state is None)
        if there is not inverse:
            yield item


def _told(outage: TargetOutage | None, needle: str) -> bool:
    return outage is not None and needle in outage.error.casefold()


_KEYS: Final[dict[Order, Callable[[Placed], Any]]] = {
    "state": lambda item: _RANKS[item[1]],
    "target": lambda item: item[0].target or item[0].module or "",
    "images": lambda item: item[0].images,
    "exam": lambda item: (item[0].identity.PatientID, item[0].identity.StudyDescription),
    "priority": lambda item: _URGENCY[item[0].priority],
    "attempts": lambda item: item[0].attempts,
    "error": lambda item: item[0].error,
}


def _sorted(found: list[Placed], wanted: ListQueue) -> list[Placed]:
    """Sort by age, and then (keeping that order among equals) by what is asked for."""
    by_age = wanted.sort == "age"
    found = sorted(found, key=lambda item: (item[0].begun, item[0].id), reverse=by_age and wanted.backwards)
    return found if by_age else sorted(found, key=_KEYS[wanted.sort], reverse=wanted.backwards)


def _lines(session: Session, rows: Iterable[Row], page: Iterable[Placed]) -> dict[str, str]:
    """Say of the tasks of a page which one each waits for, where its target takes one after the other."""
    targets = session.config.targets
    asked = {row.target for row, state in page if state == "waiting"}
    ordered = {name: target for name, target in targets.items() if name in asked and target.order != "none"}
    if not ordered:
        return {}
    return waits_for((row for row in rows if row.stage is Stage.OUTGOING and row.target in ordered), ordered)


def _shape(placed: Iterable[Placed], now: datetime) -> Iterator[ShapeRow]:
    """Count ages by what is waited for."""
    counts: dict[str, list[int]] = {}
    oldest: dict[str, float] = {}
    instant = now.timestamp()
    for row, state in placed:
        name = row.target or row.module or f"({state})"
        age = instant - row.begun
        if name not in counts:
            counts[name], oldest[name] = [0] * (len(SHAPE_SECONDS) + 1), 0.0
        counts[name][bisect_right(SHAPE_SECONDS, age)] += 1
        oldest[name] = max(oldest[name], age)
    for name in sorted(counts, key=lambda name: (-oldest[name], name)):
        yield ShapeRow(name=name, counts=tuple(counts[name]), oldest_seconds=round(oldest[name], 3))


def _causes(placed: Iterable[Placed], now: Now) -> Iterator[CauseCount]:
    """Count what does not go on, by cause and place."""
    counts: Counter[tuple[Cause, str]] = Counter()
    for row, _ in placed:
        cause = now.cause(row)
        if cause is not None:
            counts[cause, row.target or row.module or ""] += 1
    for (cause, name), number in counts.most_common():
        yield CauseCount(cause=cause, name=name, count=number)


def _age(row: Row, now: datetime) -> float:
    return max(0.0, round((now - row.created).total_seconds(), 3))
