"""The dispatcher: hands waiting tasks to workers, target by target."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import Retry, TargetSettings
from mercure.config.models import Order
from mercure.delivery.attempt import Deliverer
from mercure.delivery.health import Health
from mercure.delivery.order import ORDER_SECONDS, Gate, first_routed
from mercure.delivery.policy import backoff, eligible_at
from mercure.delivery.probing import Prober
from mercure.delivery.queue import Queue
from mercure.delivery.routes import Leave, Route, Way, open_route
from mercure.delivery.worker import Worker
from mercure.event_details import Warned
from mercure.services.common import PAUSE_AFTER_ERROR, Context
from mercure.spool import Changes, Claim, Stage, Task, TaskError, load_task
from mercure.spool.ending import fail_task, put_aside_unreadable
from mercure.spool.task import Failure, Priority
from mercure.targets import Target, open_target

SCAN_SECONDS: Final = 30.0
"""The whole of ``outgoing/`` is looked at this often, whatever inotify said."""

STOP_SECONDS: Final = 30.0
"""How long deliveries have to end after the service was told to stop."""

_ADVICE: Final = "make room or mend the disk, or see the dispatcher's log; it tries again by itself"
_log = logging.getLogger(__name__)


class Dispatcher:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spool = context.spool
        self._queue = Queue(context.spool, self._unreadable)
        self._workers: dict[str, Worker] = {}
        self._finished: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._resting: dict[str, float] = {}
        self._disturbances: dict[str, int] = {}
        self._unserved: set[str] = set()
        self._targets: dict[str, tuple[TargetSettings, Target]] = {}
        self._gate = Gate(context.spool, self._queue)
        self._prober = Prober(context.spool, self._health, self._open, self._wake)
        self._next_scan = float("-inf")

    def watched(self) -> Iterable[Path]:
        """Wake up for new and changed tasks."""
        return [self._spool.stage(Stage.OUTGOING)]

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        self._collect()
        now = self._context.clock.monotonic()
        if now >= self._next_scan or changes.lost:
            self._queue.scan()
            self._next_scan = now + SCAN_SECONDS
        for name in changes.within(self._spool.stage(Stage.OUTGOING)):
            if not name.startswith("."):
                self._queue.look(name)
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        wait = min((until - now for until in self._resting.values()), default=float("inf"))
        wait = min(wait, self._prober.turn(self._context.config.targets, self._context.clock.now()))
        for target in self._queue.targets():
            wait = min(wait, self._guarded(target))
        return max(0.0, min(wait, self._next_scan - now))

    def end(self) -> None:
        """Let the deliveries end; the images that were confirmed are on record, the rest is sent next time."""
        deadline = time.monotonic() + STOP_SECONDS
        for worker in list(self._workers.values()):
            if not worker.join(max(0.0, deadline - time.monotonic())):
                _log.warning("a delivery did not end in time and is left", extra={"task": worker.task})

    def _collect(self) -> None:
        while not self._finished.empty():
            worker = self._finished.get()
            self._workers.pop(worker.task, None)
            rest = self._rest_after(worker)
            if rest:
                self._resting[worker.task] = self._context.clock.monotonic() + rest
            self._queue.look(worker.task)

    def _rest_after(self, worker: Worker) -> float:
        """Return for how many seconds a task is left alone.

        Longer and longer while the spool itself refuses: what was sent cannot be written down then, and each attempt
        would send all of it again.
        """
        if worker.disturbed is None:
            self._disturbances.pop(worker.task, None)
            return worker.rest
        times = self._disturbances[worker.task] = self._disturbances.get(worker.task, 0) + 1
        if times == 1:
            text = f"task {worker.task} could not be tried: {worker.disturbed}"
            self._context.events.emit(Warned(text=text, advice=_ADVICE), task=worker.task)
        return backoff(worker.deliverer.settings.retry, times).total_seconds()

    def _guarded(self, name: str) -> float:
        """Serve one target; what goes wrong with it concerns the others nothing."""
        try:
            wait = self._serve(name)
        except OSError as error:
            _log.exception("a target cannot be served", extra={"target": name})
            if name not in self._unserved:
                text = f"target {name!r} cannot be served: {error}"
                self._context.events.emit(Warned(text=text, advice=_ADVICE))
            self._unserved.add(name)
            return PAUSE_AFTER_ERROR
        self._unserved.discard(name)
        return wait

    def _serve(self, name: str) -> float:
        """Start tasks of one target as far as it has room; return seconds until more may be possible."""
        settings = self._context.config.targets.get(name)
        if settings is None:
            self._targetless(name)
            return SCAN_SECONDS
        if settings.disabled:
            return SCAN_SECONDS
        now = self._context.clock.now()
        route = open_route(Way(self._spool, self._queue, self._context.config.targets, name, now))
        routed = () if settings.order == "none" else self._gate.routed()
        wait = SCAN_SECONDS
        for task, priority in self._queue.heads(name, settings.order):
            if task.id in self._workers or task.id in self._resting:
                continue
            due = self._due(task, priority, route.retry(task), now)
            if due is None and first_routed(task, settings.order, routed):
                due = ORDER_SECONDS
            if due is not None:
                wait = min(wait, due)
                continue
            answer = route.admit(task)
            if isinstance(answer, Leave):
                self._start(task, settings.order, answer, route)
                continue
            wait = min(wait, answer.seconds)
            if answer.everybody:
                break
        return wait

    def _due(self, task: Task, priority: Priority, retry: Retry, now: datetime) -> float | None:
        """Return seconds until a task may be tried; None for now."""
        if task.hold is not None:
            return SCAN_SECONDS
        if priority == "offpeak" and not self._context.config.off_peak.contains(now):
            return SCAN_SECONDS
        at = eligible_at(task, retry, now)
        return None if at is None else (at - now).total_seconds()

    def _start(self, task: Task, order: Order, leave: Leave, route: Route) -> None:
        def may_start(current: Task) -> bool:
            return self._gate.before(current, order, lambda: route.others_in_flight(leave)) is None

        worker = Worker(self.deliverer(leave), leave, task.id, task.target or "", may_start, self._done)
        self._workers[task.id] = worker
        if leave.group:
            self._queue.assign(task.id, leave.name)
        worker.start()

    def deliverer(self, leave: Leave) -> Deliverer:
        """Make what delivers by a leave."""
        context = self._context
        return Deliverer(
            spool=self._spool,
            events=context.events,
            clock=context.clock,
            name=leave.name,
            settings=leave.settings,
            target=self._open(leave.name, leave.settings),
            stopping=self._stopping,
            group=leave.group,
            members=leave.members,
        )

    def _wake(self) -> None:
        self._context.wake()

    def _stopping(self) -> bool:
        return bool(self._context.stop)

    def _health(self, name: str, settings: TargetSettings) -> Health:
        context = self._context
        return Health(self._spool, context.events, context.clock, name, settings.retry, self._stopping)

    def _done(self, worker: Worker) -> None:
        self._finished.put(worker)
        self._context.wake()

    def _open(self, name: str, settings: TargetSettings) -> Target:
        known = self._targets.get(name)
        if known is None or known[0] != settings:
            known = self._targets[name] = (settings, open_target(settings))
        return known[1]

    def _targetless(self, name: str) -> None:
        """Put the tasks of a target that is not configured (any more) aside, where a person sees them."""
        for task in self._queue.waiting(name):
            claim = None if task.id in self._workers else Claim.take(self._spool.entry(Stage.OUTGOING, task.id))
            if claim is None:
                continue
            with claim:
                self._fail_targetless(claim, name)

    def _fail_targetless(self, claim: Claim, name: str) -> None:
        try:
            current = load_task(claim.path)
        except TaskError:
            return  # the queue tells of it at its next look
        failure = Failure(
            stage=Stage.OUTGOING.value,
            reason=f"there is no target {name!r} in the configuration",
            advice="add the target again and retry the task, or reroute or discard it",
            at=self._context.clock.now(),
        )
        fail_task(self._spool, self._context.events, claim, current, failure)

    def _unreadable(self, name: str, reason: str) -> None:
        put_aside_unreadable(self._spool, self._context.events, Stage.OUTGOING, name, reason)
