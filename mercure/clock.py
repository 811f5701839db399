"""Clock: time as a parameter; services take a `Clock`, so that tests decide what the time is."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

OFFSET_FILE: Final = "MERCURE_CLOCK_OFFSET"
"""Names the file of seconds that the tests add to the wall clock: ``docs/reference/spool.md``, "A clock that is wrong".
The C++ twin is in ``getdcmtags/src/ids.cc``."""

_TIME_ERROR: Final = 5
"""adjtimex(2): the clock is not kept by anything."""

_last_offset = [0.0]


def wall_offset() -> float:
    """Return by how many seconds the tests put the wall clock wrong; 0 where nothing does.

    Read anew each time, so a running service meets a step as it would meet one of the machine's clock. A file that is
    missing means 0; of one that is no number, the last that was one holds.
    """
    path = os.environ.get(OFFSET_FILE)
    if not path:
        return 0.0
    try:
        with open(path, encoding="ascii") as reading, contextlib.suppress(ValueError):
            _last_offset[0] = float(reading.read(64))
    except OSError:
        _last_offset[0] = 0.0
    return _last_offset[0]


def wall_seconds() -> float:
    """Return the present as seconds since 1970, as `time.time` does, with the offset of the tests."""
    return time.time() + wall_offset()


def wall_now() -> datetime:
    """Return the present instant, aware, in UTC; every reading of the wall clock of this program is this one."""
    return datetime.now(UTC) + timedelta(seconds=wall_offset())


def kernel_synchronised() -> bool:
    """Ask the kernel whether the wall clock is synchronised (adjtimex(2)); true where it does not tell."""
    room = ctypes.create_string_buffer(512)  # more than struct timex; all zero: only ask
    try:
        state: int = ctypes.CDLL(None).adjtimex(room)
    except (OSError, AttributeError):
        return True
    return state != _TIME_ERROR


class Clock:
    """The machine's clocks: an aware UTC instant, and a monotonic count for durations."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return wall_now()

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""
        return time.monotonic()

    def synchronised(self) -> bool:
        """Return whether the time service says that the wall clock is right; True if there is none."""
        return kernel_synchronised()

    def boot(self) -> str:
        """Return which boot of the machine this is: within one, `monotonic` of all processes is the same clock."""
        return _boot_id()


@functools.cache
def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as reading:
            return reading.read().strip()
    except OSError:
        return ""


@dataclass
class ManualClock(Clock):
    """A clock that stands still until it is advanced (for tests and dry runs).

    Parameters
    ----------
    instant : datetime
        What `now` returns; aware.
    """

    instant: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    ticks: float = 1000.0
    boots: int = 0

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self.instant

    def monotonic(self) -> float:
        """Return the count that was set, in seconds."""
        return self.ticks

    def synchronised(self) -> bool:
        """Return True: there is no time service."""
        return True

    def boot(self) -> str:
        """Return the boot that was set."""
        return f"manual-{self.boots}"

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self.instant += timedelta(seconds=seconds)
        self.ticks += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does; the monotonic one does not notice."""
        self.instant += timedelta(seconds=seconds)

    def restart(self, *, off: float = 0.0) -> None:
        """Switch the machine off and on: the monotonic clock begins anew, the wall clock went on by `off` seconds."""
        self.boots += 1
        self.ticks = 1.0
        self.instant += timedelta(seconds=off)
