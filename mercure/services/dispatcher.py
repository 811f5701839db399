"""The dispatcher: hands waiting tasks to workers, target by target."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from mercure.config import Retry, TargetSettings
from mercure.config.models import Order
from mercure.delivery.acceptance import fruitless_attempts
from mercure.delivery.admission import Permit, Route, RouteContext, open_route
from mercure.delivery.attempt import Deliverer
from mercure.delivery.delivery_worker import DeliveryWorker
from mercure.delivery.destinations import Past
from mercure.delivery.health_probe import HealthProbe, TargetChanges
from mercure.delivery.policy import in_turn
from mercure.delivery.target_health import TargetHealth
from mercure.delivery.versions import Versions
from mercure.event_details import Warned
from mercure.scheduling.backoff import eligible_at
from mercure.scheduling.order import PASS_SECONDS, are_parts, lets_pass
from mercure.scheduling.queue import SCAN_SECONDS
from mercure.scheduling.stage_loop import StageLoop
from mercure.services.common import Context
from mercure.spool import Changes, Stage, Task, uptime
from mercure.targets import Target, open_target

PASS_LOOK_SECONDS: Final = 2.0


class Dispatcher(StageLoop[DeliveryWorker, TargetSettings]):
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    stage = Stage.OUTGOING
    kind = "target"
    removed_advice = "add the target again and retry the task, or reroute or discard it"

    def __init__(self, context: Context) -> None:
        super().__init__(context, self._lets_pass)
        self._passed: set[str] = set()
        self._targets: dict[str, tuple[TargetSettings, Target]] = {}
        self._past = Past(context.store)
        self._versions = Versions(context.spool, self.configured, self._past.destination)
        self._changed = TargetChanges()
        self._probe = HealthProbe(context.spool, self._health, self._open, self._wake)

    def configured(self) -> Mapping[str, TargetSettings]:
        """Return the targets of the configuration."""
        return self._context.config.targets

    def turn(self, changes: Changes) -> float:
        """Start what can be started; return when to look again."""
        for name, settings in self._changed.follow(self.configured(), self._context.clock.now()):
            self._health(name, settings).ask_now()
        wait = super().turn(changes)
        asked = {worker.permit.name for worker in self._pool if worker.permit.probe}
        return max(0.0, min(wait, self._probe.turn(self.configured(), self._context.clock.now(), asked)))

    def end(self) -> None:
        """Let the deliveries end; the images that were confirmed are on record, the rest is sent next time."""
        super().end()
        self._probe.end()

    def serve(self, name: str, settings: TargetSettings) -> float:
        """Start tasks of one target as far as it has room; return seconds until more may be possible."""
        now, wait = self._context.clock.now(), SCAN_SECONDS
        route = open_route(RouteContext(self._spool, self._queue, self.configured(), name, now))
        heads = in_turn(self._queue.heads(name, settings.order), now, self._fruitless(name, settings))
        for task, due in self._due(heads, settings, lambda task: self._eligible_at(task, route.retry(task)), now):
            if settings.order == "study" and task.attempts and len(self._queue.line(task, "study")) > 1:
                wait = min(wait, PASS_LOOK_SECONDS)  # those behind it may pass soon
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

    def _fruitless(self, name: str, settings: TargetSettings) -> int:
        """Count the attempts at a target, or the members of a group, since it last took an image."""
        return sum(fruitless_attempts(self._spool, member) for member in settings.leads_to() or (name,))

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
            if other < task.id and other not in self._passed and not are_parts(other, task.id, order):
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

    def _health(self, name: str, settings: TargetSettings) -> TargetHealth:
        context = self._context
        return TargetHealth(self._spool, context.events, context.clock, name, settings.retry)

    def _open(self, name: str, settings: TargetSettings) -> Target:
        known = self._targets.get(name)
        if known is None or known[0] != settings:
            known = self._targets[name] = (settings, open_target(settings))
        return known[1]
