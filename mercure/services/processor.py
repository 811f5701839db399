"""The processor: hands tasks to modules, module by module, and results on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mercure.config import ModuleSettings
from mercure.config.processing import RunnerKind
from mercure.model import Priority
from mercure.processing.finish import Finisher
from mercure.processing.module_health import ModuleHealth, module_slots
from mercure.processing.module_images import ImageMissing, ModuleImages
from mercure.processing.step_attempt import StepExecutor
from mercure.processing.step_worker import RunPermit, StepWorker
from mercure.runners import Runner, open_runner
from mercure.scheduling.backoff import eligible_at
from mercure.scheduling.queue import SCAN_SECONDS
from mercure.scheduling.stage_loop import StageLoop
from mercure.services.common import Context
from mercure.spool import Stage, Task

SLOT_SECONDS: Final = 1.0
"""Wait for a slot that another processor holds."""

PERSISTENCE: Final = "persistence"


class Processor(StageLoop[StepWorker, ModuleSettings]):
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    stage = Stage.PROCESSING
    kind = "module"
    removed_advice = "add the module again and retry the task, or discard it"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._persistence = context.root.path / PERSISTENCE
        self._images = ModuleImages(self._stopping, self._wake)
        self._runners: dict[RunnerKind, tuple[object, Runner]] = {}

    def configured(self) -> Mapping[str, ModuleSettings]:
        """Return the modules of the configuration."""
        return self._context.config.modules

    def waiting_for(self) -> list[str]:
        """List the modules for which something waits: where this machine has few slots, urgent tasks come first."""
        heads = {module: next(self._queue.waiting(module), None) for module in self._queue.targets()}
        ranks: dict[Priority, int] = {"urgent": 0, "normal": 1, "offpeak": 2}
        return sorted(heads, key=lambda module: (ranks[head.priority], head.id) if (head := heads[module]) else (9, ""))

    def _serve(self, name: str) -> float:
        return super()._serve(name) if name else self._hand_on()

    def serve(self, name: str, settings: ModuleSettings) -> float:
        """Start tasks of one module as far as there is room; return seconds until more may be possible."""
        now, wait = self._context.clock.now(), SCAN_SECONDS
        heads = self._queue.heads(name, settings.order)
        for task, due in self._due(heads, settings, lambda task: eligible_at(task, settings.retry_seconds, now), now):
            if due is not None:
                wait = min(wait, due)
                continue
            blocked = self._start(task, name, settings)
            if blocked is not None:
                return min(wait, blocked)
        return wait

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
            persistence=self._persistence,
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
