"""The processor: hands tasks to modules, module by module, and results on."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import ModuleSettings, Retry
from mercure.config.processing import RunnerKind
from mercure.delivery.order import ORDER_SECONDS, Gate, first_routed
from mercure.delivery.policy import backoff
from mercure.delivery.queue import Queue
from mercure.event_details import Warned
from mercure.processing.attempt import Stepper
from mercure.processing.finish import Finisher
from mercure.processing.health import ModuleHealth
from mercure.processing.images import Images, Missing
from mercure.processing.slots import others_running, take_slot
from mercure.processing.worker import Lane, Worker
from mercure.runners import Runner, open_runner
from mercure.services.common import PAUSE_AFTER_ERROR, Context
from mercure.spool import Changes, Claim, Stage, Task, TaskError, load_task
from mercure.spool.ending import fail_task, put_aside_unreadable
from mercure.spool.task import Failure, Priority

SCAN_SECONDS: Final = 30.0
"""The whole of ``processing/`` is looked at this often, whatever inotify said."""

STOP_SECONDS: Final = 30.0
"""How long runs have to be stopped, or let go, after the service was told to end."""

SLOT_SECONDS: Final = 1.0
"""Wait for a slot that another processor holds."""

PERSISTENCE: Final = "persistence"
_RESTS: Final = Retry(first_seconds=5, cap_seconds=300)
_ADVICE: Final = "make room or mend the disk, or see the processor's log; it tries again by itself"
_log = logging.getLogger(__name__)


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
        self._queue = Queue(context.spool, self._unreadable, Stage.PROCESSING)
        self._gate = Gate(context.spool, self._queue, Stage.PROCESSING)
        self._workers: dict[str, Worker] = {}
        self._finished: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._resting: dict[str, float] = {}
        self._disturbances: dict[str, int] = {}
        self._images = Images(self._stopping, self._wake)
        self._runners: dict[RunnerKind, tuple[object, Runner]] = {}
        self._unserved: set[str] = set()
        self._next_scan = float("-inf")

    def watched(self) -> Iterable[Path]:
        """Wake up for new and changed tasks."""
        return [self._spool.stage(Stage.PROCESSING)]

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        self._collect()
        now = self._context.clock.monotonic()
        if now >= self._next_scan or changes.lost:
            self._queue.scan()
            self._next_scan = now + SCAN_SECONDS
        for name in changes.within(self._spool.stage(Stage.PROCESSING)):
            if not name.startswith("."):
                self._queue.look(name)
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        wait = min((until - now for until in self._resting.values()), default=float("inf"))
        for module in self._by_urgency():
            wait = min(wait, self._guarded(module))
        return max(0.0, min(wait, self._next_scan - now))

    def end(self) -> None:
        """Stop the runs that end with the service, and let go of those that do not; both are taken up again."""
        deadline = time.monotonic() + STOP_SECONDS
        for worker in list(self._workers.values()):
            if not worker.join(max(0.0, deadline - time.monotonic())):
                _log.warning("a run did not end in time and is left", extra={"task": worker.task})

    def _by_urgency(self) -> list[str]:
        """List the modules for which something waits: where this machine has few slots, urgent tasks come first."""
        heads = {module: next(self._queue.waiting(module), None) for module in self._queue.targets()}
        ranks: dict[Priority, int] = {"urgent": 0, "normal": 1, "offpeak": 2}
        return sorted(heads, key=lambda module: (ranks[head.priority], head.id) if (head := heads[module]) else (9, ""))

    def _collect(self) -> None:
        while not self._finished.empty():
            worker = self._finished.get()
            self._workers.pop(worker.task, None)
            rest = self._rest_after(worker)
            if rest:
                self._resting[worker.task] = self._context.clock.monotonic() + rest
            self._queue.look(worker.task)

    def _rest_after(self, worker: Worker) -> float:
        """Return for how many seconds a task is left alone; longer and longer while the spool itself refuses."""
        if worker.disturbed is None:
            self._disturbances.pop(worker.task, None)
            return worker.rest
        times = self._disturbances[worker.task] = self._disturbances.get(worker.task, 0) + 1
        if times == 1:
            text = f"task {worker.task} could not be processed: {worker.disturbed}"
            self._context.events.emit(Warned(text=text, advice=_ADVICE), task=worker.task)
        return backoff(_RESTS, times).total_seconds()

    def _guarded(self, module: str) -> float:
        """Serve one module; what goes wrong with it concerns the others nothing."""
        try:
            wait = self._serve(module)
        except OSError as error:
            _log.exception("a module cannot be served", extra={"name_of_module": module})
            if module not in self._unserved:
                text = f"module {module!r} cannot be served: {error}"
                self._context.events.emit(Warned(text=text, advice=_ADVICE))
            self._unserved.add(module)
            return PAUSE_AFTER_ERROR
        self._unserved.discard(module)
        return wait

    def _serve(self, module: str) -> float:
        """Start tasks of one module as far as there is room; return seconds until more may be possible."""
        if not module:
            return self._hand_on()
        settings = self._context.config.modules.get(module)
        if settings is None:
            self._moduleless(module)
            return SCAN_SECONDS
        if settings.disabled:
            return SCAN_SECONDS
        now, wait = self._context.clock.now(), SCAN_SECONDS
        routed = () if settings.order == "none" else self._gate.routed()
        for task, priority in self._queue.heads(module, settings.order):
            if task.id in self._workers or task.id in self._resting:
                continue
            due = self._due(task, priority, now)
            if due is None and first_routed(task, settings.order, routed):
                due = ORDER_SECONDS
            if due is None:
                due = self._start(task, module, settings)
                if due is not None:
                    return min(wait, due)
                continue
            wait = min(wait, due)
        return wait

    def _due(self, task: Task, priority: Priority, now: datetime) -> float | None:
        """Return seconds until a task may be tried; None for now."""
        if task.hold is not None:
            return SCAN_SECONDS
        if priority == "offpeak" and not self._context.config.off_peak.contains(now):
            return SCAN_SECONDS
        at = task.next_attempt
        return (at - now).total_seconds() if at is not None and at > now else None

    def _start(self, task: Task, module: str, settings: ModuleSettings) -> float | None:
        """Start one task on its module; return seconds to wait where nothing of the module can be started now."""
        runner = self._runner(settings.runner)
        if runner.local and sum(worker.local for worker in self._workers.values()) >= self._slots:
            return SCAN_SECONDS  # a worker that ends wakes the service
        health = ModuleHealth(self._spool, self._context.events, self._context.clock, module, settings.runner)
        outage = health.outage()
        left = outage.seconds_left(self._context.clock.now()) if outage else 0.0
        if left:
            return left
        ready = self._images.ask(settings, runner)
        if isinstance(ready, Missing):
            return health.failed(ready.kind, ready.text).seconds_left(self._context.clock.now())
        if not ready:
            return SCAN_SECONDS  # the end of the look wakes the service
        slot = take_slot(self._spool, module, settings.concurrency)
        if slot is None:
            return SLOT_SECONDS
        lane = Lane(self._stepper(module, settings, runner, health), slot, health, self._images)

        def may_start(current: Task) -> bool:
            addressed = current.model_copy(update={"target": module})
            others = lambda: others_running(self._spool, module, slot)  # noqa: E731 - asked only for long lines
            return self._gate.before(addressed, settings.order, others) is None

        self._work(Worker(self._finisher(), task.id, lane, settings, may_start, self._done))
        return None

    def _hand_on(self) -> float:
        """Take up tasks whose modules have all run: only their result is left to be handed on."""
        for task in self._queue.waiting(""):
            if task.id not in self._workers and task.id not in self._resting and task.hold is None:
                self._work(Worker(self._finisher(), task.id, None, ModuleSettings(), lambda _: True, self._done))
        return SCAN_SECONDS

    def _work(self, worker: Worker) -> None:
        self._workers[worker.task] = worker
        worker.start()

    def _finisher(self) -> Finisher:
        context = self._context
        return Finisher(self._spool, context.events, context.clock, context.config)

    def _stepper(self, module: str, settings: ModuleSettings, runner: Runner, health: ModuleHealth) -> Stepper:
        context = self._context
        return Stepper(
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

    def _done(self, worker: Worker) -> None:
        self._finished.put(worker)
        self._context.wake()

    def _moduleless(self, name: str) -> None:
        """Put the tasks of a module that is not configured (any more) aside, where a person sees them."""
        for task in self._queue.waiting(name):
            claim = None if task.id in self._workers else Claim.take(self._spool.entry(Stage.PROCESSING, task.id))
            if claim is None:
                continue
            with claim, contextlib.suppress(TaskError):  # the queue tells of one that cannot be read at its next look
                self._fail_moduleless(claim, load_task(claim.path), name)

    def _fail_moduleless(self, claim: Claim, task: Task, name: str) -> None:
        failure = Failure(
            stage=Stage.PROCESSING.value,
            reason=f"there is no module {name!r} in the configuration",
            advice="add the module again and retry the task, or discard it",
            at=self._context.clock.now(),
        )
        fail_task(self._spool, self._context.events, claim, task, failure)

    def _unreadable(self, name: str, reason: str) -> None:
        put_aside_unreadable(self._spool, self._context.events, Stage.PROCESSING, name, reason)
