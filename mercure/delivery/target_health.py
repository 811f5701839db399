"""Health of a target: attempts and probes note what they find at its breaker; a change is an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mercure.clock import Clock
from mercure.config import Retry
from mercure.delivery.acceptance import AcceptanceBook
from mercure.delivery.target_breaker import TargetBreaker
from mercure.delivery.target_outage import TargetOutage
from mercure.event_details import TargetDown, TargetUp
from mercure.events import EventWriter
from mercure.spool import Spool
from mercure.targets import Target, Trouble


@dataclass(frozen=True)
class TargetHealth:
    """The health of one target, as all dispatchers know it.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    name : str
        The target's name.
    retry : Retry
        Its settings: when to ask again.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    name: str
    retry: Retry

    def ask(self, target: Target) -> bool:
        """Ask a target that was down whether it is back, and note what it says."""
        check = target.check()
        if check.ok:
            self.answered()
        else:
            self.failed(Trouble("unreachable", check.text))
        return check.ok

    def took(self, slowest: float = 0.0) -> None:
        """Note that the target took images, the slowest in so many seconds."""
        AcceptanceBook(self.spool, self.name).took(self.clock.now(), slowest)
        self._ended(self._breaker.worked())

    def answered(self) -> None:
        """Note that it answers, whatever it said."""
        self._ended(self._breaker.answered())

    def ask_now(self) -> None:
        """Note that it may be back: it is used at once, or given one image if that is what it did not take."""
        self._ended(self._breaker.ask_now(self.clock.now()))

    def failed(self, trouble: Trouble, *, by_image: bool = False) -> None:
        """Note that it could not be used."""
        outage, new = self._breaker.failed(trouble, self.retry, self.clock.now(), by_image=by_image)
        if new:
            down = TargetDown(target=self.name, kind=trouble.kind, error=trouble.text, until=outage.until)
            self.events.emit(down)

    def doubt(self, began: datetime) -> None:
        """Note a failure, of an attempt that began then, that may be its own or that of an image."""
        self.answered()
        AcceptanceBook(self.spool, self.name).doubt(began)

    def full(self, slots: int) -> None:
        """Note that it has no room for more than so many tasks at a time, for a while."""
        AcceptanceBook(self.spool, self.name).narrow(slots, self.clock.now())

    @property
    def _breaker(self) -> TargetBreaker:
        return TargetBreaker(self.spool, self.name)

    def _ended(self, outage: TargetOutage | None) -> None:
        if outage is not None:
            self.events.emit(TargetUp(target=self.name, since=outage.since, failures=outage.failures))
