"""The cleaner: removes what is finished and kept long enough, and repeats events that the history lacks.

It touches nothing that has still something before it, whatever the disk says: under pressure only what is delivered or
discarded goes before its time; when that is not enough, the receiver refuses, truthfully.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from mercure import durable
from mercure.clock import Clock
from mercure.config.models import Retention
from mercure.event_details import DiskSpace, QuarantineLeft, TaskRetired
from mercure.events import EventWriter
from mercure.history.database import HistoryError
from mercure.history.queries import RECORDED_AS, History
from mercure.names import derived_id, id_time
from mercure.retention.finished import (
    Finished,
    FinishedTasks,
    families,
    freed_bytes,
    has_whole_ledger,
    is_over,
    sync_outbox,
    tell_state,
)
from mercure.retention.kept import KeepGuard
from mercure.retention.nightly import NightlyVerify
from mercure.retention.scrub import ScrubThread
from mercure.routing import dry_run, habits, pace, seen_series
from mercure.routing.habits import Habits
from mercure.routing.task_ids import newest_id
from mercure.scheduling.backoff import Backoff
from mercure.services.common import Context
from mercure.spool import (
    TASK_STAGES,
    Changes,
    Claim,
    Spool,
    Stage,
    TaskError,
    Uptime,
    image_files,
    load_task,
    notices,
    quarantine,
    uptime,
    versions,
)
from mercure.spool.notices import forget_notices
from mercure.spool.versions import keep_delivered

HIDDEN_SECONDS: Final = 86400.0
"""Age at which an unclaimed hidden entry is removed."""

_STAGES: Final = (*TASK_STAGES, Stage.INCOMING, Stage.STUDIES, Stage.QUARANTINE, Stage.RECEIVING)


def clear_hidden(spool: Spool, clock: Clock) -> int:
    """Remove hidden folders that are old and unclaimed; return how many.

    They are links that were being made, or a task that was being removed: no image's only name.
    """
    cleared = 0
    lived = uptime(spool, clock)
    for stage in _STAGES:
        with os.scandir(spool.stage(stage)) as entries:
            hidden = [entry for entry in entries if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)]
        for entry in hidden:
            if _age(entry, lived) < HIDDEN_SECONDS:
                continue
            claim = Claim.take(spool.stage(stage) / entry.name)
            if claim is not None:
                with claim:
                    durable.remove_tree(claim.path)
                cleared += 1
    return cleared


def forget_series(spool: Spool, clock: Clock) -> int:
    """Forget the series whose last image came long ago; return how many."""
    folder = seen_series.folder(spool)
    if not folder.is_dir():
        return 0
    lived = uptime(spool, clock)
    with os.scandir(folder) as entries:
        old = [entry.path for entry in entries if _age(entry, lived) > seen_series.KEPT_SECONDS]
    for path in old:
        durable.unlink(folder / os.path.basename(path))
    return len(old)


def forget_versions(spool: Spool, clock: Clock) -> int:
    """Forget the versions of images of which nothing waits any more; return of how many series."""
    folder = versions.hints(spool)
    ages: dict[str, float] = {}
    if folder.is_dir():
        lived = uptime(spool, clock)
        with os.scandir(folder) as entries:
            ages = {entry.name: _age(entry, lived) for entry in entries}
    return versions.forget(spool, ages, seen_series.KEPT_SECONDS)


def _age(entry: os.DirEntry[str], lived: Uptime) -> float:
    """Return the seconds lived since an entry was changed; none for one that is being renamed in this moment."""
    try:
        return lived.age(entry.stat(follow_symlinks=False).st_mtime)
    except FileNotFoundError:
        return 0.0


RESERVE_BYTES: Final = 1024 * 1024


class Reserve:
    """Disk space kept for the cleaner itself: a file that is removed when the disk is full, and made again later.

    The cleaner must record what it removes before it does, on a full disk too.

    Parameters
    ----------
    spool : Spool
        The spool on that disk.
    """

    def __init__(self, spool: Spool) -> None:
        self._path = spool.stage(Stage.STATE) / "reserve"

    def keep(self) -> None:
        """Make the file, unless it is there.

        Raises
        ------
        OSError
            There is no room.
        """
        if not self._path.exists():
            # Noise, because a file system that compresses would keep no room for zeros.
            durable.write_file(self._path, os.urandom(RESERVE_BYTES))

    def give_up(self) -> None:
        """Remove the file."""
        if self._path.exists():
            durable.unlink(self._path)
            durable.sync_directory(self._path.parent)


TURN_SECONDS: Final = 60.0
RETELL_SECONDS: Final = 300.0
LONGEST_RETELL_SECONDS: Final = 86400.0
_RETELLS: Final = Backoff(RETELL_SECONDS, LONGEST_RETELL_SECONDS)
"""Events of a state that the history does not know are repeated after this time, which doubles up to this limit: the
history may only lag, and must not be flooded with repetitions."""

DAY_SECONDS: Final = 86400.0

AT_ONCE: Final = 100
"""Tasks claimed and removed together; each costs a file descriptor, and together they cost one sync."""

_DERIVE: Final = (Stage.ROUTING, Stage.PROCESSING)
"""Stages in which other tasks are derived from a task."""

_log = logging.getLogger(__name__)
States = Callable[[Sequence[str]], Mapping[str, str]]


def expire_quarantine(spool: Spool, events: EventWriter, lived: Uptime, seconds: float) -> int:
    """Remove the objects that came last so long ago; return how many.

    Parameters
    ----------
    spool, events : Spool and EventWriter
        Where, and where it is told.
    lived : Uptime
        By which ages are counted.
    seconds : float
        How long an object is kept.
    """
    old = [one for one in quarantine.entries(spool) if lived.age(one.last) > seconds]
    for one in old:
        claim = Claim.take(spool.entry(Stage.QUARANTINE, one.name))
        if claim is None:
            continue  # a person is looking after it
        with claim:
            told = QuarantineLeft(entry=one.name, reason=f"kept since {one.last:%Y-%m-%d %H:%M} UTC")
            events.emit(told, type="quarantine.expired", id=derived_id(one.name, "quarantine.expired"))
            events.sync()
            durable.remove_tree(claim.path)
    quarantine.forget_gone(spool)
    return len(old)


class Cleaner:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    states : callable, optional
        Returns what the history says of tasks, by id; the history of the configuration when absent.
    """

    def __init__(self, context: Context, states: States | None = None) -> None:
        self._context = context
        self._spool = context.spool
        self._states = states or self._ask_history
        self._finished = FinishedTasks(context.spool)
        self._reserve = Reserve(context.spool)
        self._recorded: set[tuple[str, Stage]] = set()
        self._repeated: dict[str, tuple[float, float]] = {}
        self._low = False
        self._away = False
        """The history cannot be queried."""
        self._synced = False
        """The events of all services before this turn are on stable storage."""
        self._doubted = ""
        self._verify = NightlyVerify(context.root, context.spool, context.clock, lambda: context.config)
        self._keeps = KeepGuard(context.spool, lambda: context.config.retention.keep_percent)
        self._scrub = ScrubThread(context.spool, context.events, context.clock, lambda: context.config.scrub)

    def watched(self) -> Iterable[Path]:
        """Nothing is urgent here."""
        return []

    def turn(self, changes: Changes) -> float:
        """Retire what is due, make room where it is short, clear what crashes left."""
        context = self._context
        with context.contained("what crashes left cannot be cleared"):
            clear_hidden(self._spool, context.clock)
        with context.contained("outlived objects of the quarantine cannot be removed"):
            self._expire_quarantine()
        with context.contained("outlived hints cannot be removed"):
            forget_series(self._spool, context.clock)
            forget_versions(self._spool, context.clock)
            lived = uptime(self._spool, context.clock)
            forget_notices(self._spool, lived.now_less_old(notices.KEPT.total_seconds()))
            Habits(self._spool).forget(lived.now_less_old(habits.KEPT_SECONDS))
            pace.forget(self._spool, lived.now_less_old(pace.KEPT_SECONDS).timestamp())
            dry_run.forget(self._spool, context.config.rehearsal.series)
        tasks = self._finished.scan()
        lived = uptime(self._spool, context.clock)
        self._keeps.look(tasks, lived)
        with context.contained("keeps that have ended cannot be removed"):
            self._keeps.end(context.events, lived, doubted=self._doubts(lived))
        known = self._confirmed(tasks)
        self._synced = False
        recorded = [task for task in tasks if known is None or (task.id, task.stage) in known]
        unknown = [task for task in tasks if known is not None and (task.id, task.stage) not in known]
        self._tell_again(unknown)
        removable = self._removable(recorded)
        with context.contained("finished tasks cannot be removed"):
            self._retire_expired(removable)
        with context.contained("no room can be made"):
            proven = [task for task in unknown if has_whole_ledger(self._spool.entry(task.stage, task.id))]
            self._relieve([*removable, *self._removable(proven)])
        self._scrub.turn()
        self._verify.turn()
        return TURN_SECONDS

    def end(self) -> None:
        """Stop the scrub and the proof; nothing else is in hand between turns."""
        self._scrub.end()
        self._verify.end()

    def _confirmed(self, tasks: Sequence[Finished]) -> set[tuple[str, Stage]] | None:
        """Return the tasks that the history knows in their stage; None if it cannot be queried."""
        present = {(task.id, task.stage) for task in tasks}
        self._recorded &= present
        unknown = [task for task in tasks if (task.id, task.stage) not in self._recorded]
        try:
            states = self._states([task.id for task in unknown]) if unknown else {}
        except HistoryError as error:
            if not self._away:
                _log.warning("the history cannot be asked: what goes is told to the outbox once more: %s", error)
            self._away = True
            return None
        self._away = False
        known = {(task.id, task.stage) for task in unknown if states.get(task.id) in RECORDED_AS[task.stage.value]}
        self._recorded |= known
        return self._recorded

    def _tell_again(self, tasks: Sequence[Finished]) -> None:
        """Emit the event of a state that the history does not know: a crash may have come between the two."""
        now = self._context.clock.monotonic()
        repeated = self._repeated
        self._repeated = {task.id: repeated[task.id] for task in tasks if task.id in repeated}
        for finished in tasks:
            at, wait = self._repeated.setdefault(finished.id, (now, RETELL_SECONDS))
            if at + wait > now:
                continue  # it was first seen, or its events repeated, not long ago
            self._repeated[finished.id] = (now, _RETELLS.longer(wait))
            directory = self._spool.entry(finished.stage, finished.id)
            try:
                task = load_task(directory)
            except (OSError, TaskError):
                continue
            tell_state(self._context.events, task, finished.stage, directory)

    def _removable(self, tasks: Sequence[Finished]) -> list[Finished]:
        """Return the tasks that may go, the longest finished first."""
        lived = uptime(self._spool, self._context.clock)
        found = [task for task in tasks if task.stage is not Stage.ERROR and not self._stays(task)]
        return sorted(found, key=lambda task: -lived.age(task.finished))

    def _retire_expired(self, tasks: Sequence[Finished]) -> None:
        """Retire what was kept long enough."""
        retention, lived = self._context.config.retention, uptime(self._spool, self._context.clock)
        if self._doubts(lived) or self._keeps.unreadable:
            return
        due = [task for task in tasks if lived.age(task.finished) > _kept_seconds(retention, task.stage)]
        self._retire(due, "retention")

    def _expire_quarantine(self) -> None:
        """Remove what could not be read and did not come again for long enough."""
        lived = uptime(self._spool, self._context.clock)
        if not self._doubts(lived):
            seconds = self._context.config.retention.quarantine_seconds
            expire_quarantine(self._spool, self._context.events, lived, seconds)

    def _doubts(self, lived: Uptime) -> bool:
        """Return whether the wall clock is not believed now: then nothing is retired for its age."""
        why = lived.doubt(newest=self._newest(), unsynchronised=not self._context.clock.synchronised())
        if why and why != self._doubted:
            _log.warning("nothing is removed for its age while the clock is doubted: %s", why)
        self._doubted = why
        return bool(why)

    def _newest(self) -> datetime | None:
        newest = newest_id(self._spool)
        return id_time(newest) if newest else None

    def _stays(self, task: Finished) -> bool:
        return self._keeps.holds(task.id) or self._has_parent(task)

    def _has_parent(self, task: Finished) -> bool:
        """Return whether the task that this one was derived from is still being worked on, and may look for it."""
        parent = task.parent
        return parent is not None and any(self._spool.entry(stage, parent).is_dir() for stage in _DERIVE)

    def _retire(self, tasks: Sequence[Finished], reason: Literal["retention", "pressure"]) -> None:
        for first in range(0, len(tasks), AT_ONCE):
            self._retire_together(tasks[first : first + AT_ONCE], reason)

    def _retire_together(self, tasks: Sequence[Finished], reason: Literal["retention", "pressure"]) -> None:
        with ExitStack() as stack:
            if not stack.enter_context(self._keeps.settled()):
                return  # a keep is being added just now: at the next turn
            claims = []
            for task in tasks:
                claim = None if self._keeps.holds(task.id) else Claim.take(self._spool.entry(task.stage, task.id))
                if claim is None:
                    continue
                stack.enter_context(claim)
                if (task.id, task.stage) not in self._recorded and not self._told_for_good(task, claim.path):
                    continue
                claims.append(claim)
                details = TaskRetired(stage=task.stage.value, images=len(image_files(claim.path)), reason=reason)
                # The event comes first: after the removal nothing is left from which it could be made again.
                self._context.events.emit(details, task=task.id, key="task.retired")
            if claims:
                self._context.events.sync()
            for claim in claims:
                self._keep_versions(claim.path)
                durable.remove_tree(claim.path)
                claim.release()

    def _told_for_good(self, finished: Finished, directory: Path) -> bool:
        """Tell the history, by the outbox, what it is not known to know of a task; False when the task must stay."""
        try:
            task = load_task(directory)
        except (OSError, TaskError):
            return False
        if not is_over(task, finished.stage, directory):
            return False
        if not self._synced:
            sync_outbox(self._spool)
            self._synced = True
        tell_state(self._context.events, task, finished.stage, directory)
        return True

    def _keep_versions(self, directory: Path) -> None:
        """Keep what is known of versions that still wait; of a task that cannot be read nothing is."""
        with suppress(TaskError):
            keep_delivered(self._spool, directory, load_task(directory))

    def _relieve(self, tasks: Sequence[Finished]) -> None:
        """Make room when there is too little: the longest finished first, and no more than needed.

        A task whose images are linked by one that still waits is kept: it would go for nothing.
        """
        floor = self._context.config.retention.pressure_free_bytes
        usage = shutil.disk_usage(self._spool.root)
        if usage.free >= floor:
            self._space(low=False, freed=0)
            self._reserve.keep()
            return
        before = usage.free
        self._reserve.give_up()
        for family in families(tasks):
            if freed_bytes([self._spool.entry(task.stage, task.id) for task in family]):
                self._retire(family, "pressure")
            if shutil.disk_usage(self._spool.root).free >= floor:
                break
        free = shutil.disk_usage(self._spool.root).free
        self._space(low=free < floor, freed=max(0, free - before))

    def _space(self, *, low: bool, freed: int) -> None:
        """Tell when the free space crosses its floor, and what was done about it."""
        if low == self._low and not freed:
            return
        self._low = low
        usage = shutil.disk_usage(self._spool.root)
        floor = self._context.config.retention.pressure_free_bytes
        details = DiskSpace(free_bytes=usage.free, total_bytes=usage.total, floor_bytes=floor, freed_bytes=freed)
        self._context.events.emit(details, type="disk.low" if low else "disk.ok")

    def _ask_history(self, tasks: Sequence[str]) -> Mapping[str, str]:
        with History.open(self._context.root, self._context.config) as history:
            return history.task_states(tasks)


def _kept_seconds(retention: Retention, stage: Stage) -> float:
    return retention.success_seconds if stage is Stage.SUCCESS else retention.discard_seconds
