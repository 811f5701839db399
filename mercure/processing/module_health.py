"""Whether a module can be run: noted for all processors, told when it changes.

As for a target that is down: while its runner does not answer or its image is missing, no task is tried on the module
and none is to blame. It is looked at again after a wait that doubles, and everything goes on by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.event_details import ModuleDown, ModuleUp
from mercure.events import EventWriter
from mercure.processing.module_outage import LONGEST_SECONDS, Kind, ModuleOutage
from mercure.scheduling.backoff import Backoff
from mercure.scheduling.circuit_breaker import CircuitBreaker, together
from mercure.scheduling.slots import Slots
from mercure.spool import Spool, Stage

WAITS: Final = Backoff(5, LONGEST_SECONDS)
"""When a module that cannot be run is looked at again."""


def module_folder(spool: Spool, module: str) -> Path:
    """Return the folder in which the processors share what they know of a module."""
    return spool.stage(Stage.STATE) / "modules" / module


def read_outage(spool: Spool, module: str) -> ModuleOutage | None:
    """Read the outage of a module; None when it can be run, as far as is known."""
    return module_breaker(spool, module).outage()


def module_breaker(spool: Spool, module: str) -> CircuitBreaker[ModuleOutage]:
    """Return the circuit breaker of a module."""
    return CircuitBreaker(module_folder(spool, module) / "outage.json", ModuleOutage)


def module_slots(spool: Spool, module: str) -> Slots:
    """Return the slots of a module: how many runs it has at a time, over all processors."""
    return Slots(module_folder(spool, module), digits=4)


@dataclass(frozen=True)
class ModuleHealth:
    """The health of one module.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    module, runner : str
        Its name, and by what it is run.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    module: str
    runner: str

    def outage(self) -> ModuleOutage | None:
        """Return what is known of the outage."""
        return read_outage(self.spool, self.module)

    def failed(self, kind: Kind, error: str) -> ModuleOutage:
        """Note that the module could not be run."""
        now = self.clock.now()
        breaker = module_breaker(self.spool, self.module)
        outage, known = breaker.open(now, together(now, WAITS), kind=kind, error=error)
        if known is None or known.error != outage.error:
            down = ModuleDown(module=self.module, runner=self.runner, kind=kind, error=error, until=outage.until)
            self.events.emit(down)
        return outage

    def worked(self) -> None:
        """Note that the module can be run."""
        known = module_breaker(self.spool, self.module).close()
        if known is not None:
            self.events.emit(ModuleUp(module=self.module, since=known.since, failures=known.failures))
