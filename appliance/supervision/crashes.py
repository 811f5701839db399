"""Crash log of services: written by the crash listener, read by the service views.

A small file in ``run/``. It is a hint and not synced: after a power cut no service crashes in a loop yet.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from appliance.control.api.services import CRASH_LOOP
from mercure import durable
from mercure.model import Record

FILE_NAME: Final = "crashes.json"
WITHIN: Final = timedelta(minutes=5)
"""`appliance.control.api.services.CRASH_LOOP` ends within this time are a crash loop, however long the process lives
between two of them."""

_KEPT: Final = 10


class Crashes(Record):
    """The last unasked ends of each process, the oldest first, and how many there were since the router was started."""

    processes: dict[str, tuple[AwareDatetime, ...]] = {}
    ends: dict[str, int] = {}

    @classmethod
    def read(cls, run: Path) -> Crashes:
        """Read what is known in a root's ``run`` folder; nothing where nothing can be read."""
        try:
            return cls.model_validate_json((run / FILE_NAME).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def write(self, run: Path) -> None:
        """Write it for others."""
        durable.write_file(run / FILE_NAME, self.model_dump_json().encode(), sync=False)

    def recent(self, process: str, now: datetime) -> int:
        """Count the ends of a process within the time that counts."""
        return sum(now - WITHIN < time <= now for time in self.processes.get(process, ()))

    def looping(self, now: datetime) -> frozenset[str]:
        """Name the processes that are in a crash loop."""
        return frozenset(name for name in self.processes if self.recent(name, now) >= CRASH_LOOP)

    def with_end(self, process: str, now: datetime) -> Crashes:
        """Return it with one more end, and without those that do not count any more."""
        fresh = {
            name: tuple(time for time in times if now - WITHIN < time <= now) for name, times in self.processes.items()
        }
        fresh[process] = (*fresh.get(process, ()), now)[-_KEPT:]
        return Crashes(
            processes={name: times for name, times in fresh.items() if times},
            ends={**self.ends, process: self.ends.get(process, 0) + 1},
        )
