"""Loop over the tasks that wait in a stage, by target or module: what dispatcher and processor have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from mercure.clock import Clock
from mercure.config import Config, ModuleSettings, TargetSettings
from mercure.events import EventWriter
from mercure.model import Priority
from mercure.scheduling.backoff import PAUSE_AFTER_ERROR
from mercure.scheduling.order import ORDER_SECONDS, OrderGuard, first_routed
from mercure.scheduling.queue import SCAN_SECONDS, TaskQueue
from mercure.scheduling.worker_pool import WorkerPool, WorkerT
from mercure.spool import Changes, Spool, Stage, Task
from mercure.spool.failed_tasks import put_aside_unreadable

SettingsT = TypeVar("SettingsT", TargetSettings, ModuleSettings)


class LoopContext(Protocol):
    """What a loop needs of `mercure.services.common.Context`."""

    clock: Clock
    wake: Callable[[], None]

    @property
    def stop(self) -> object:
        """Whether the service is ending."""

    @property
    def spool(self) -> Spool:
        """Where the stages are."""

    @property
    def events(self) -> EventWriter:
        """The writer of this process."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    def contained_turn(self, what: str, turn: Callable[[], float]) -> float | None:
        """Do a part of a turn; None when the disk refused."""


class StageLoop(Generic[WorkerT, SettingsT]):
    """Starts workers on the tasks of a stage.

    Parameters
    ----------
    context : LoopContext
        Spool, configuration, events, clock.
    lets_pass : callable, optional
        Tells of a task whether those behind it in its study need not wait for it any more.
    """

    stage: ClassVar[Stage]
    kind: ClassVar[str]
    """To what its tasks are addressed, in words."""
    removed_advice: ClassVar[str]
    """What to do about tasks for one that there is no more."""

    def __init__(self, context: LoopContext, lets_pass: Callable[[Task], bool] = lambda task: False) -> None:
        self._context = context
        self._spool = context.spool
        self._queue = TaskQueue(context.spool, self._unreadable, self.stage, lets_pass)
        self._guard = OrderGuard(context.spool, self._queue, self.stage)
        self._pool: WorkerPool[WorkerT] = WorkerPool(self._queue, context.events, context.clock, self._wake)

    def watched(self) -> Iterable[Path]:
        """Wake up for new and changed tasks."""
        return [self._spool.stage(self.stage)]

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        rested = self._pool.collect()
        wait = min(rested, self._queue.follow(changes, self._context.clock.monotonic()))
        for name in self.waiting_for():
            wait = min(wait, self._contained(name))
        return max(0.0, wait)

    def end(self) -> None:
        """Let the workers end."""
        self._pool.end()

    def waiting_for(self) -> list[str]:
        """List the targets or modules for which something waits, in the order in which they are served."""
        return self._queue.targets()

    def configured(self) -> Mapping[str, SettingsT]:
        """Return the targets or modules of the configuration."""
        raise NotImplementedError

    def serve(self, name: str, settings: SettingsT) -> float:
        """Start tasks of one target or module as far as it has room; return seconds until more may be possible."""
        raise NotImplementedError

    def _contained(self, name: str) -> float:
        """Serve one; what goes wrong with it concerns the others nothing."""
        wait = self._context.contained_turn(f"{self.kind} {name!r} cannot be served", lambda: self._serve(name))
        return PAUSE_AFTER_ERROR if wait is None else wait

    def _serve(self, name: str) -> float:
        settings = self.configured().get(name)
        if settings is None:
            reason = f"there is no {self.kind} {name!r} in the configuration"
            self._pool.fail_all(name, reason, self.removed_advice)
            return SCAN_SECONDS
        return SCAN_SECONDS if settings.disabled else self.serve(name, settings)

    def _due(
        self,
        heads: Iterable[tuple[Task, Priority]],
        settings: SettingsT,
        eligible: Callable[[Task], datetime | None],
        now: datetime,
    ) -> Iterator[tuple[Task, float | None]]:
        """Walk tasks, each with the seconds until it may be tried: None for now, no end for one that is worked on."""
        routed = () if settings.order == "none" else self._guard.routed()
        for task, priority in heads:
            if task.id in self._pool:
                yield task, float("inf")
                continue
            due = self._seconds_until(task, priority, eligible, now)
            if due is None and first_routed(task, settings.order, routed):
                due = ORDER_SECONDS
            yield task, due

    def _seconds_until(
        self, task: Task, priority: Priority, eligible: Callable[[Task], datetime | None], now: datetime
    ) -> float | None:
        if task.hold is not None:
            return SCAN_SECONDS
        config = self._context.config
        if priority == "offpeak" and not config.off_peak.contains(now, config.site.timezone):
            return SCAN_SECONDS
        at = eligible(task)
        return None if at is None else (at - now).total_seconds()

    def _wake(self) -> None:
        self._context.wake()  # looked up now: it is set when the loop begins

    def _stopping(self) -> bool:
        return bool(self._context.stop)

    def _unreadable(self, name: str, reason: str) -> None:
        put_aside_unreadable(self._spool, self._context.events, self.stage, name, reason)
