"""What an attempt or a question teaches about a target: noted at its breaker, told when it changes something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mercure.clock import Clock
from mercure.config import Retry
from mercure.delivery.breaker import Breaker
from mercure.event_details import TargetDown, TargetUp
from mercure.events import EventWriter
from mercure.spool import Spool
from mercure.spool.task import COUNTED_KINDS
from mercure.targets import Target, Trouble


@dataclass(frozen=True)
class Health:
    """The health of one target, as all dispatchers know it.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    name : str
        The target's name.
    retry : Retry
        Its settings: when to ask again.
    stopping : callable
        Tells whether the service is ending.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    name: str
    retry: Retry
    stopping: Callable[[], bool]

    def is_back(self, target: Target) -> bool:
        """Ask a target that was down; only a failure is noted, success is for whoever uses it to find out."""
        check = target.check()
        if not check.ok:
            self.note(Trouble("unreachable", check.text))
        return check.ok

    def note(self, trouble: Trouble | None) -> None:
        """Let the breaker know how an attempt ended."""
        if trouble is not None and trouble.kind in ("local", "altered"):
            return  # it never came as far as the target
        breaker = Breaker(self.spool, self.name)
        if trouble is None or trouble.kind in COUNTED_KINDS:
            if not self.stopping():
                ended = breaker.worked()
                if ended is not None:
                    self.events.emit(TargetUp(target=self.name, since=ended.since, failures=ended.failures))
            return
        outage, new = breaker.failed(trouble, self.retry, self.clock.now())
        if new:
            down = TargetDown(target=self.name, kind=trouble.kind, error=trouble.text, until=outage.until)
            self.events.emit(down)
