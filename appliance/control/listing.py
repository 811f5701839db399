"""What waits in the spool: every series and task that has something before it, or waits for a person."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from appliance.control.api.queue import Queue, QueueEntry, State
from appliance.control.locks import Held
from appliance.control.session import Session
from mercure.delivery.breaker import read_outage
from mercure.delivery.order import waits_for
from mercure.delivery.outage import Outage
from mercure.event_details import Identity
from mercure.names import id_time, is_id
from mercure.spool import Spool, Stage, Task, TaskError, image_files, load_task

LISTED_STAGES: Final = (
    Stage.INCOMING,
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.ERROR,
)
"""Where something waits, in the order of a task's life."""

_STATE_OF_STAGE: Final[Mapping[Stage, State]] = {
    Stage.INCOMING: "arriving",
    Stage.ROUTING: "deciding",
    Stage.STUDIES: "collecting",
    Stage.ERROR: "failed",
    Stage.DISCARD: "discarded",
}


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted; empty: all.

    Parameters
    ----------
    stages : frozenset of Stage
        In one of these.
    target : str or None
        For this target.
    states : frozenset of str
        In one of these states.
    """

    stages: frozenset[Stage] = frozenset()
    target: str | None = None
    states: frozenset[State] = frozenset()

    def fits(self, entry: QueueEntry) -> bool:
        """Tell whether an entry is wanted."""
        return (self.target is None or entry.target == self.target) and (not self.states or entry.state in self.states)


def list_queue(session: Session, wanted: Filter = Filter(), *, limit: int = 0) -> Queue:
    """List what waits.

    Parameters
    ----------
    session : Session
        Where.
    wanted : Filter
        Which.
    limit : int
        At most so many, the oldest first; 0: all.
    """
    tasks: list[Task] = []
    entries = list(_entries(session, wanted.stages or LISTED_STAGES, tasks))
    found = sorted(
        (entry for entry in _with_lines(session, entries, tasks) if wanted.fits(entry)),
        key=lambda entry: (entry.created, entry.id),
    )
    return Queue(total=len(found), entries=tuple(found[:limit] if limit else found))


def _with_lines(session: Session, entries: Iterable[QueueEntry], tasks: Iterable[Task]) -> Iterator[QueueEntry]:
    """Say of a task that it waits for another, where its target takes one after the other."""
    targets = session.config.targets
    before = waits_for(tasks, {name: target for name, target in targets.items() if target.order != "none"})
    for entry in entries:
        waits = entry.id in before and entry.state == "waiting"
        yield entry.model_copy(update={"waits_for": before[entry.id]}) if waits else entry


def _entries(session: Session, stages: Iterable[Stage], outgoing: list[Task]) -> Iterator[QueueEntry]:
    """Describe what is in some stages, and collect the tasks of ``outgoing/``."""
    spool, now, held = session.spool, session.clock.now(), Held()

    @cache
    def outage(target: str) -> Outage | None:
        return read_outage(spool, target)

    for stage in stages:
        for path in _directories(spool, stage):
            kept = outgoing if stage is Stage.OUTGOING else None
            entry = _series(path, now) if stage is Stage.INCOMING else _task(path, stage, now, kept)
            if entry is None:
                continue
            if entry.target and entry.state in {"waiting", "retrying"}:
                entry = _with_outage(entry, outage(entry.target))
            if entry.state in {"waiting", "retrying"} and path in held:
                entry = entry.model_copy(update={"state": "running"})
            yield entry


def _directories(spool: Spool, stage: Stage) -> Iterator[Path]:
    if stage is Stage.STUDIES:
        yield from (spool.stage(stage) / study / task for study, task in spool.studies())
        return
    for name in spool.names(stage):
        if stage is Stage.INCOMING or is_id(name):
            yield spool.entry(stage, name)


def _series(path: Path, now: datetime) -> QueueEntry | None:
    """Describe a series that still arrives: since when is known from its oldest image."""
    try:
        images = image_files(path)
        begun = min((image.modified_ns for image in images), default=os.stat(path).st_mtime_ns)
    except FileNotFoundError:
        return None  # the router took it just now
    created = datetime.fromtimestamp(begun / 1e9, UTC)
    return QueueEntry(
        id=path.name,
        stage=Stage.INCOMING,
        state="arriving",
        created=created,
        age_seconds=_age(created, now),
        images=len(images),
        bytes=sum(image.bytes for image in images),
        identity=Identity(SeriesInstanceUID=path.name),
    )


def _task(path: Path, stage: Stage, now: datetime, kept: list[Task] | None) -> QueueEntry | None:
    try:
        task = load_task(path)
    except FileNotFoundError:
        return None  # it moved on just now
    except TaskError as error:
        return _unreadable(path, stage, str(error), now)
    if kept is not None:
        kept.append(task)
    return entry_of(task, stage, now)


def _unreadable(path: Path, stage: Stage, error: str, now: datetime) -> QueueEntry:
    created = id_time(path.name)
    state: State = "deciding" if stage is Stage.ROUTING else "failed"
    text = "" if stage is Stage.ROUTING else error  # the router is about to write the model
    return QueueEntry(
        id=path.name, stage=stage, state=state, created=created, age_seconds=_age(created, now), error=text
    )


def entry_of(task: Task, stage: Stage, now: datetime) -> QueueEntry:
    """Describe a task that stands in a stage, without what others know of it (its target's outage, its claim)."""
    state = _STATE_OF_STAGE.get(stage)
    if state is None:
        state = "held" if task.hold else "retrying" if task.next_attempt and task.next_attempt > now else "waiting"
    last = task.attempts[-1].error if task.attempts else None
    return QueueEntry(
        id=task.id,
        stage=stage,
        state=state,
        created=task.created,
        age_seconds=_age(task.created, now),
        action=task.action,
        target=task.target,
        module=task.module,
        priority=task.priority,
        images=task.images,
        bytes=task.bytes,
        attempts=task.attempts_made,
        next_attempt=task.next_attempt if state == "retrying" else None,
        error=(task.failure.reason if task.failure else last) or "",
        held_by=task.hold.by if task.hold else None,
        late=task.late,
        identity=task.identity,
    )


def _with_outage(entry: QueueEntry, outage: Outage | None) -> QueueEntry:
    """Say of a task that its target takes nothing at the moment: no attempt of its own would tell."""
    if outage is None:
        return entry
    return entry.model_copy(update={"state": "retrying", "error": outage.error, "next_attempt": outage.until})


def _age(created: datetime, now: datetime) -> float:
    return max(0.0, round((now - created).total_seconds(), 3))
