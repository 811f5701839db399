"""The dispatcher: hands waiting tasks to workers, target by target."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import Retry, TargetSettings
from mercure.config.models import Order
from mercure.delivery.admission import Permit, Route, RouteContext, open_route
from mercure.delivery.attempt import Deliverer
from mercure.delivery.changes import TargetChanges
from mercure.delivery.delivery_worker import DeliveryWorker
from mercure.delivery.destinations import Past
from mercure.delivery.health_probe import HealthProbe
from mercure.delivery.policy import in_turn
from mercure.delivery.target_health import TargetHealth
from mercure.delivery.versions import Versions
from mercure.event_details import Warned
from mercure.scheduling.backoff import eligible_at
from mercure.scheduling.order import ORDER_SECONDS, PASS_SECONDS, OrderGuard, first_routed, lets_pass
from mercure.scheduling.queue import SCAN_SECONDS, TaskQueue
from mercure.scheduling.worker_pool import WorkerPool
from mercure.services.common import PAUSE_AFTER_ERROR, Context
from mercure.spool import Changes, Stage, Task, uptime
from mercure.spool.failed_tasks import put_aside_unreadable
from mercure.spool.task import Priority
from mercure.targets import Target, open_target

PASS_LOOK_SECONDS: Final = 2.0


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
        self._queue = TaskQueue(context.spool, self._unreadable, lets_pass=self._lets_pass)
        self._passed: set[str] = set()
        self._pool: WorkerPool[DeliveryWorker] = WorkerPool(self._queue, context.events, context.clock, self._wake)
        self._targets: dict[str, tuple[TargetSettings, Target]] = {}
        self._past = Past(context.store)
        self._versions = Versions(context.spool, lambda: context.config.targets, self._past.destination)
        self._guard = OrderGuard(context.spool, self._queue)
        self._changed = TargetChanges()
        self._prober = HealthProbe(context.spool, self._health, self._open, self._wake)

    def watched(self) -> Iterable[Path]:
        """Wake up for new and changed tasks."""
        return [self._spool.stage(Stage.OUTGOING)]

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        for name, settings in self._changed.follow(self._context.config.targets, self._context.clock.now()):
            self._health(name, settings).ask_now()
        rested = self._pool.collect()
        wait = min(rested, self._queue.follow(changes, self._context.clock.monotonic()))
        for target in self._queue.targets():
            wait = min(wait, self._guarded(target))
        asked = {worker.permit.name for worker in self._pool if worker.permit.probe}
        wait = min(wait, self._prober.turn(self._context.config.targets, self._context.clock.now(), asked))
        return max(0.0, wait)

    def end(self) -> None:
        """Let the deliveries end; the images that were confirmed are on record, the rest is sent next time."""
        self._pool.end()
        self._prober.end()

    def _guarded(self, name: str) -> float:
        """Serve one target; what goes wrong with it concerns the others nothing."""
        wait = self._context.contained_turn(f"target {name!r} cannot be served", lambda: self._serve(name))
        return PAUSE_AFTER_ERROR if wait is None else wait

    def _serve(self, name: str) -> float:
        """Start tasks of one target as far as it has room; return seconds until more may be possible."""
        settings = self._context.config.targets.get(name)
        if settings is None:
            reason = f"there is no target {name!r} in the configuration"
            self._pool.fail_all(name, reason, "add the target again and retry the task, or reroute or discard it")
            return SCAN_SECONDS
        if settings.disabled:
            return SCAN_SECONDS
        now = self._context.clock.now()
        route = open_route(RouteContext(self._spool, self._queue, self._context.config.targets, name, now))
        routed = () if settings.order == "none" else self._guard.routed()
        wait = SCAN_SECONDS
        for task, priority in in_turn(self._queue.heads(name, settings.order), now):
            if settings.order == "study" and task.attempts and len(self._queue.line(task, "study")) > 1:
                wait = min(wait, PASS_LOOK_SECONDS)  # those behind it may pass soon
            if task.id in self._pool:
                continue
            due = self._due(task, priority, route.retry(task), now)
            if due is None and first_routed(task, settings.order, routed):
                due = ORDER_SECONDS
            if due is not None:
                wait = min(wait, due)
                continue
            answer = route.admit(task)
            if isinstance(answer, Permit):
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
        at = self._eligible_at(task, retry)
        return None if at is None else (at - now).total_seconds()

    def _eligible_at(self, task: Task, retry: Retry) -> datetime | None:
        """Tell when a task may be tried: at once where the target was changed since it was tried last."""
        if self._changed.since(task):
            return None
        return eligible_at(task, retry.cap_seconds, self._context.clock.now())

    def _start(self, task: Task, order: Order, permit: Permit, route: Route) -> None:
        def may_start(current: Task) -> bool:
            if self._guard.before(current, order, lambda: route.others_in_flight(permit)) is not None:
                return False
            self._tell_passed(current, order)
            return True

        def due(current: Task) -> datetime | None:
            return self._eligible_at(current, permit.settings.retry)

        worker = DeliveryWorker(
            task.id, self.deliverer(permit, order), permit, task.target or "", may_start, self._versions, due
        )
        if permit.group:
            self._queue.assign(task.id, permit.name)
        self._pool.begin(worker)

    def _lets_pass(self, task: Task) -> bool:
        return lets_pass(task, uptime(self._spool, self._context.clock).age)

    def _tell_passed(self, task: Task, order: Order) -> None:
        """Tell, once, of series that a later one of their study goes before."""
        for other in self._queue.line(task, order):
            if other < task.id and other not in self._passed:
                self._passed.add(other)
                text = (
                    f"task {other} was not taken for {PASS_SECONDS:.0f} s: what came after it in its study goes first"
                )
                advice = f"find out at {task.target!r} why it is not taken, then retry, reroute or discard it"
                self._context.events.emit(Warned(text=text, advice=advice), task=other, key="order.passed")

    def deliverer(self, permit: Permit, order: Order = "none") -> Deliverer:
        """Make what delivers by a permit."""
        context = self._context
        return Deliverer(
            spool=self._spool,
            events=context.events,
            clock=context.clock,
            name=permit.name,
            settings=permit.settings,
            target=self._open(permit.name, permit.settings),
            stopping=self._stopping,
            group=permit.group,
            counted=permit.counted,
            past=self._past.destination,
            is_alone=lambda task: self._queue.is_alone(task, permit.name, order),
        )

    def _wake(self) -> None:
        self._context.wake()

    def _stopping(self) -> bool:
        return bool(self._context.stop)

    def _health(self, name: str, settings: TargetSettings) -> TargetHealth:
        context = self._context
        return TargetHealth(self._spool, context.events, context.clock, name, settings.retry)

    def _open(self, name: str, settings: TargetSettings) -> Target:
        known = self._targets.get(name)
        if known is None or known[0] != settings:
            known = self._targets[name] = (settings, open_target(settings))
        return known[1]

    def _unreadable(self, name: str, reason: str) -> None:
        put_aside_unreadable(self._spool, self._context.events, Stage.OUTGOING, name, reason)
