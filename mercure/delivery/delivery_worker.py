"""Delivery worker: one task to one target, in a thread of its own, so that a hung target blocks only that thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from mercure.delivery.admission import Permit
from mercure.delivery.attempt import Deliverer
from mercure.delivery.versions import Versions
from mercure.scheduling.backoff import Backoff
from mercure.scheduling.order import ORDER_SECONDS
from mercure.scheduling.worker_pool import TaskWorker
from mercure.spool import Claim, Stage, Task, TaskError, load_task, nudge, save_task

PAUSE_WHEN_TAKEN: Final = 1.0
"""Seconds to rest when somebody else has the task."""

_BUSY: Final = Backoff(1, 8)
"""Seconds to rest when the target has no room for one more association."""


@dataclass
class DeliveryWorker(TaskWorker):
    """Delivers one task.

    Parameters
    ----------
    deliverer : Deliverer
        For whoever takes the task.
    permit : Permit
        Its slot is freed at the end.
    target : str
        Whom the task is addressed to: the target that takes it, or the group of which that is a member.
    may_start : callable
        Checks the task's model under its claim: whether it is its turn.
    versions : Versions
        Says whether it is its turn among other versions of its images.
    due : callable, optional
        Tells when the task may be tried; None for now.
    """

    doing: ClassVar = "deliver"

    deliverer: Deliverer
    permit: Permit
    target: str
    may_start: Callable[[Task], bool]
    versions: Versions
    due: Callable[[Task], datetime | None] = lambda task: None
    _taken: int = 0

    def work(self) -> None:
        """Deliver the task, if it is still to be."""
        try:
            self._deliver()
        finally:
            self.permit.settle(self._taken)

    def let_go(self) -> None:
        """Free the slot of the target."""
        self.permit.slot.release()

    def pause(self, disturbances: int) -> float:
        """Return the seconds until the next try, as the target's settings have it."""
        return Backoff.of(self.deliverer.settings.retry).seconds(disturbances)

    def _deliver(self) -> None:
        deliverer = self.deliverer
        claim = Claim.take(deliverer.spool.entry(Stage.OUTGOING, self.task))
        if claim is None:
            self.rest = PAUSE_WHEN_TAKEN  # another dispatcher, or a person, has it
            return
        with claim:
            try:
                task = load_task(claim.path)
            except (TaskError, FileNotFoundError):
                return  # the queue tells of it at its next look
            permit = self.permit
            if task.hold or task.target != self.target or self.due(task) is not None:
                self.rest = PAUSE_WHEN_TAKEN  # it was changed since the queue looked
                return
            if not (permit.holds(task) and self.may_start(task)):
                self.rest = ORDER_SECONDS
                return
            if permit.probe and not deliverer.health.ask(deliverer.target):
                return
            self._attempt(claim, task)

    def _attempt(self, claim: Claim, task: Task) -> None:
        deliverer, permit = self.deliverer, self.permit
        member = permit.name if deliverer.group else None
        if task.member != member:
            # On record before the first image leaves: after a crash nobody else knows who may have it already.
            task = task.model_copy(update={"member": member})
            save_task(claim.path, task)
            nudge(claim.path)
        with self.versions.turn(claim, task, deliverer.settings.destination()) as turn:
            if turn is None:
                self.rest = ORDER_SECONDS
                return
            trouble = deliverer.attempt(claim, task, turn, one_first=permit.one_first, patience=permit.patience)
        if trouble is not None and trouble.kind == "busy":
            self.rest = busy_pause(load_task(claim.path))
        self._taken = task.images if trouble is None else _confirmed(claim, task)


def busy_pause(task: Task) -> float:
    """Return the seconds until a task is offered again to a target that had no room for it: longer each time."""
    times = 0
    for attempt in reversed(task.attempts):
        if attempt.kind != "busy":
            break
        times += 1
    return _BUSY.seconds(times)


def _confirmed(claim: Claim, before: Task) -> int:
    """Return how many images the attempt that just failed got through."""
    after = load_task(claim.path)
    return after.attempts[-1].confirmed if after.attempts_made > before.attempts_made else 0
