"""The processor: hands tasks to modules, module by module, and results on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import ModuleSettings
from mercure.config.processing import RunnerKind
from mercure.processing.finish import Finisher
from mercure.processing.module_health import ModuleHealth, module_slots
from mercure.processing.module_images import ImageMissing, ModuleImages
from mercure.processing.step_attempt import StepExecutor
from mercure.processing.step_worker import RunPermit, StepWorker
from mercure.runners import Runner, open_runner
from mercure.scheduling.backoff import eligible_at
from mercure.scheduling.order import ORDER_SECONDS, OrderGuard, first_routed
from mercure.scheduling.queue import SCAN_SECONDS, TaskQueue
from mercure.scheduling.worker_pool import WorkerPool
from mercure.services.common import PAUSE_AFTER_ERROR, Context
from mercure.spool import Changes, Stage, Task
from mercure.spool.failed_tasks import put_aside_unreadable
from mercure.spool.task import Priority

SLOT_SECONDS: Final = 1.0
"""Wait for a slot that another processor holds."""

PERSISTENCE: Final = "persistence"


class Processor:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spool = context.spool
        self._queue = TaskQueue(context.spool, self._unreadable, Stage.PROCESSING)
        self._guard = OrderGuard(context.spool, self._queue, Stage.PROCESSING)
        self._pool: WorkerPool[StepWorker] = WorkerPool(self._queue, context.events, context.clock, self._wake)
        self._images = ModuleImages(self._stopping, self._wake)
        self._runners: dict[RunnerKind, tuple[object, Runner]] = {}

    def watched(self) -> Iterable[Path]:
        """Wake up for new and changed tasks."""
        return [self._spool.stage(Stage.PROCESSING)]

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        rested = self._pool.collect()
        wait = min(rested, self._queue.follow(changes, self._context.clock.monotonic()))
        for module in self._by_urgency():
            wait = min(wait, self._guarded(module))
        return max(0.0, wait)

    def end(self) -> None:
        """Stop the runs that end with the service, and let go of those that do not; both are taken up again."""
        self._pool.end()

    def _by_urgency(self) -> list[str]:
        """List the modules for which something waits: where this machine has few slots, urgent tasks come first."""
        heads = {module: next(self._queue.waiting(module), None) for module in self._queue.targets()}
        ranks: dict[Priority, int] = {"urgent": 0, "normal": 1, "offpeak": 2}
        return sorted(heads, key=lambda module: (ranks[head.priority], head.id) if (head := heads[module]) else (9, ""))

    def _guarded(self, module: str) -> float:
        """Serve one module; what goes wrong with it concerns the others nothing."""
        wait = self._context.contained_turn(f"module {module!r} cannot be served", lambda: self._serve(module))
        return PAUSE_AFTER_ERROR if wait is None else wait

    def _serve(self, module: str) -> float:
        """Start tasks of one module as far as there is room; return seconds until more may be possible."""
        if not module:
            return self._hand_on()
        settings = self._context.config.modules.get(module)
        if settings is None:
            reason = f"there is no module {module!r} in the configuration"
            self._pool.fail_all(module, reason, "add the module again and retry the task, or discard it")
            return SCAN_SECONDS
        if settings.disabled:
            return SCAN_SECONDS
        now, wait = self._context.clock.now(), SCAN_SECONDS
        routed = () if settings.order == "none" else self._guard.routed()
        for task, priority in self._queue.heads(module, settings.order):
            if task.id in self._pool:
                continue
            due = self._due(task, priority, settings.retry_seconds, now)
            if due is None and first_routed(task, settings.order, routed):
                due = ORDER_SECONDS
            if due is None:
                due = self._start(task, module, settings)
                if due is not None:
                    return min(wait, due)
                continue
            wait = min(wait, due)
        return wait

    def _due(self, task: Task, priority: Priority, longest: float, now: datetime) -> float | None:
        """Return seconds until a task may be tried; None for now."""
        if task.hold is not None:
            return SCAN_SECONDS
        if priority == "offpeak" and not self._context.config.off_peak.contains(now):
            return SCAN_SECONDS
        at = eligible_at(task, longest, now)
        return None if at is None else (at - now).total_seconds()

    def _start(self, task: Task, module: str, settings: ModuleSettings) -> float | None:
        """Start one task on its module; return seconds to wait where nothing of the module can be started now."""
        runner = self._runner(settings.runner)
        if runner.local and sum(worker.local for worker in self._pool) >= self._slots:
            return SCAN_SECONDS  # a worker that ends wakes the service
        health = ModuleHealth(self._spool, self._context.events, self._context.clock, module, settings.runner)
        outage = health.outage()
        left = outage.seconds_left(self._context.clock.now()) if outage else 0.0
        if left:
            return left
        ready = self._images.ask(settings, runner)
        if isinstance(ready, ImageMissing):
            return health.failed(ready.kind, ready.text).seconds_left(self._context.clock.now())
        if not ready:
            return SCAN_SECONDS  # the end of the look wakes the service
        slots = module_slots(self._spool, module)
        slot = slots.take(settings.concurrency)
        if slot is None:
            return SLOT_SECONDS
        permit = RunPermit(self._stepper(module, settings, runner, health), slot, health, self._images)

        def may_start(current: Task) -> bool:
            addressed = current.model_copy(update={"target": module})
            others = lambda: slots.taken(besides=slot) > 0  # noqa: E731 - asked only for long lines
            return self._guard.before(addressed, settings.order, others) is None

        self._pool.begin(StepWorker(task.id, self._finisher(), permit, settings, may_start))
        return None

    def _hand_on(self) -> float:
        """Take up tasks whose modules have all run: only their result is left to be handed on."""
        for task in self._queue.waiting(""):
            if task.id not in self._pool and task.hold is None:
                self._pool.begin(StepWorker(task.id, self._finisher(), None, ModuleSettings(), lambda _: True))
        return SCAN_SECONDS

    def _finisher(self) -> Finisher:
        context = self._context
        return Finisher(self._spool, context.events, context.clock, context.config)

    def _stepper(self, module: str, settings: ModuleSettings, runner: Runner, health: ModuleHealth) -> StepExecutor:
        context = self._context
        return StepExecutor(
            spool=self._spool,
            events=context.events,
            clock=context.clock,
            config=context.config,
            name=module,
            settings=settings,
            runner=runner,
            health=health,
            persistence=context.root.path / PERSISTENCE,
            stopping=self._stopping,
        )

    @property
    def _slots(self) -> int:
        return self._context.config.processing.slots

    def _runner(self, kind: RunnerKind) -> Runner:
        shared = self._context.config.processing
        known = self._runners.get(kind)
        if known is None or known[0] != shared:
            known = self._runners[kind] = (shared, open_runner(kind, shared))
        return known[1]

    def _wake(self) -> None:
        self._context.wake()

    def _stopping(self) -> bool:
        return bool(self._context.stop)

    def _unreadable(self, name: str, reason: str) -> None:
        put_aside_unreadable(self._spool, self._context.events, Stage.PROCESSING, name, reason)
