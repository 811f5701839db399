"""Whether a module can be run: noted for all processors, told when it changes.

As for a target that is down: while its runner does not answer or its image is missing, no task is tried on the module
and none is to blame. It is looked at again after a wait that doubles, and everything goes on by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.config import Retry
from mercure.delivery.policy import backoff
from mercure.event_details import ModuleDown, ModuleUp
from mercure.events import EventWriter
from mercure.processing.module_outage import LONGEST_SECONDS, Kind, ModuleOutage
from mercure.spool import Spool, Stage

WAITS: Final = Retry(first_seconds=5, cap_seconds=LONGEST_SECONDS)
"""When a module that cannot be run is looked at again."""


def module_folder(spool: Spool, module: str) -> Path:
    """Return the folder in which the processors share what they know of a module."""
    return spool.stage(Stage.STATE) / "modules" / module


def read_outage(spool: Spool, module: str) -> ModuleOutage | None:
    """Read the outage of a module; None when it can be run, as far as is known."""
    try:
        return ModuleOutage.model_validate_json((module_folder(spool, module) / "outage.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


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
        now, known = self.clock.now(), self.outage()
        if known is not None and known.seconds_left(now):
            return known  # those that were tried side by side fail together: that is one failure, not many
        failures = (known.failures if known else 0) + 1
        until = now + backoff(WAITS, failures)
        since = known.since if known else now
        outage = ModuleOutage(since=since, failures=failures, until=until, kind=kind, error=error)
        folder = module_folder(self.spool, self.module)
        make_folder(folder)
        durable.write_file(folder / "outage.json", outage.model_dump_json().encode(), sync=False)
        if known is None or known.error != error:
            self.events.emit(ModuleDown(module=self.module, runner=self.runner, kind=kind, error=error, until=until))
        return outage

    def worked(self) -> None:
        """Note that the module can be run."""
        known = self.outage()
        if known is not None:
            durable.unlink(module_folder(self.spool, self.module) / "outage.json")
            self.events.emit(ModuleUp(module=self.module, since=known.since, failures=known.failures))


def make_folder(folder: Path) -> None:
    """Make a folder of `state` and the one above it, where they are missing."""
    for path in (folder.parent, folder):
        if not path.is_dir():
            durable.make_directory(path, sync=False)
