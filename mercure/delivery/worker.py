"""One task on its way to one target, in a thread of its own: a target that hangs holds up nobody else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mercure.delivery.attempt import Deliverer
from mercure.delivery.breaker import Breaker
from mercure.delivery.policy import eligible_at
from mercure.event_details import TargetDown, TargetUp
from mercure.spool import Claim, Stage, TaskError, load_task
from mercure.spool.task import COUNTED_KINDS
from mercure.targets import Trouble

PAUSE_WHEN_TAKEN: Final = 1.0
"""Seconds to rest when somebody else has the task."""

_log = logging.getLogger(__name__)


@dataclass
class Worker:
    """Delivers one task.

    Parameters
    ----------
    deliverer : Deliverer
        For the task's target.
    slot : Claim
        A slot of the target; freed at the end.
    task : str
        The task's id.
    probe : bool
        The target was down: ask it first whether it is back, and burn no attempt if it is not.
    done : callable
        Called at the end, from the thread.
    """

    deliverer: Deliverer
    slot: Claim
    task: str
    probe: bool
    done: Callable[[Worker], None]
    rest: float = 0.0
    """Seconds for which the task should be left alone: nothing about it was decided."""
    disturbed: str | None = None
    """What kept it from being tried; neither the target nor the task is to blame, as far as is known."""
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Begin. The thread is a daemon: a file system that hangs for ever must not keep the service from ending."""
        self._thread = threading.Thread(target=self._run, name=f"deliver {self.task}", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end; tell whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._deliver()
        except Exception as error:  # noqa: BLE001 - whatever one task does, the others go on
            _log.exception("a delivery was disturbed", extra={"task": self.task})
            self.disturbed = f"{type(error).__name__}: {error}"
        finally:
            self.slot.release()
            self.done(self)

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
            now = deliverer.clock.now()
            if task.hold or task.target != deliverer.name or eligible_at(task, deliverer.settings.retry, now):
                self.rest = PAUSE_WHEN_TAKEN  # it was changed since the queue looked
                return
            if self.probe and not self._is_back():
                return
            trouble = deliverer.attempt(claim, task)
            self._note(trouble)

    def _is_back(self) -> bool:
        check = self.deliverer.target.check()
        if not check.ok:
            self._note(Trouble("unreachable", check.text))
        return check.ok

    def _note(self, trouble: Trouble | None) -> None:
        """Let the breaker know what was learned of the target."""
        deliverer = self.deliverer
        breaker = Breaker(deliverer.spool, deliverer.name)
        if trouble is None or trouble.kind in COUNTED_KINDS:
            if not deliverer.stopping():
                ended = breaker.worked()
                if ended is not None:
                    up = TargetUp(target=deliverer.name, since=ended.since, failures=ended.failures)
                    deliverer.events.emit(up)
            return
        outage, new = breaker.failed(trouble, deliverer.settings.retry, deliverer.clock.now())
        if new:
            down = TargetDown(target=deliverer.name, kind=trouble.kind, error=trouble.text, until=outage.until)
            deliverer.events.emit(down)
