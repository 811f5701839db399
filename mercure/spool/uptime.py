"""Uptime: the time that the box has lived through; ages are counted by it, so no step of the clock ages anything.

A counter of seconds goes on while the machine runs, whatever the wall clock says, and stands while it is off. Beside it
is noted what the wall clock showed, in stretches in which both went on side by side. So an instant that the wall clock
once showed can be turned into a count, and the age of what happened then is a difference of counts: never more than
the time that really passed. The file is ``state/clock/uptime.json`` (``docs/reference/spool.md``, "Time lived
through").
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.model import Record
from mercure.spool.hints import unless_busy
from mercure.spool.layout import Spool, Stage

NOTE_SECONDS: Final = 60.0
"""The counter is written down this often, by whichever service comes first; so much a power cut may take from it."""

STEP_SECONDS: Final = 2.0
"""A wall clock that gained or lost more than this against the monotonic one, beyond `_SLEW` of the time, was set."""

_SLEW: Final = 0.002
"""How much faster or slower NTP and a bad crystal make a wall clock go."""

LONG_OFF_SECONDS: Final = 86400.0
"""A machine that was off for longer than this, as its wall clock has it, may have a wall clock that is wrong."""

STEP_BOUND_SECONDS: Final = 3600.0
"""Nothing is retired within this time after a step."""

LONG_BOUND_SECONDS: Final = 86400.0
"""Nor within this time after a step while something speaks against the wall clock."""

EARLIEST: Final = datetime(2025, 11, 1, tzinfo=UTC)
"""There was no such program before: a wall clock that shows less is wrong."""

MOST_STRETCHES: Final = 128
"""Stretches kept; what is older counts as from the beginning of the first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What the clocks of the machine show at one instant."""

    boot: str
    monotonic: float
    wall: float

    @classmethod
    def of(cls, clock: Clock) -> Reading:
        """Read the clocks."""
        return cls(clock.boot(), clock.monotonic(), clock.now().timestamp())


class Stretch(Record):
    """A time in which the wall clock was not set: at count `lived_from` it showed `wall_from` (seconds since 1970)."""

    lived_from: float
    lived_to: float
    wall_from: float
    wall_to: float

    def shows(self, wall: float) -> bool:
        """Return whether the wall clock showed an instant in this time."""
        return self.wall_from <= wall <= self.wall_to

    def lived_at(self, wall: float) -> float:
        """Return the count at an instant that the wall clock `shows`."""
        length = self.wall_to - self.wall_from
        part = (wall - self.wall_from) / length if length else 1.0
        return self.lived_from + part * (self.lived_to - self.lived_from)

    def wall_at(self, lived: float) -> float:
        """Return what the wall clock showed at a count within this time."""
        length = self.lived_to - self.lived_from
        part = (lived - self.lived_from) / length if length else 1.0
        return self.wall_from + part * (self.wall_to - self.wall_from)


class Uptime(Record):
    """The counter, and what the wall clock showed beside it.

    Parameters
    ----------
    boot, monotonic
        Which boot of the machine it was written in, and its monotonic clock then.
    stretches : tuple of Stretch
        The oldest first; the last one goes on.
    stepped : float, optional
        The count at the last step of the wall clock; None: none was seen.
    """

    version: Literal[1] = 1
    boot: str
    monotonic: float
    stretches: tuple[Stretch, ...]
    stepped: float | None = None

    @classmethod
    def begin(cls, now: Reading) -> Uptime:
        """Begin to count: what happened before is as old as this."""
        stretch = Stretch(lived_from=0.0, lived_to=0.0, wall_from=now.wall, wall_to=now.wall)
        return cls(boot=now.boot, monotonic=now.monotonic, stretches=(stretch,))

    @property
    def lived(self) -> float:
        """The count of now."""
        return self.stretches[-1].lived_to

    @property
    def _wall(self) -> float:
        return self.stretches[-1].wall_to

    def gone_on_to(self, now: Reading) -> Uptime:
        """Count on.

        The time that the machine was off, or asleep, is not counted: only the wall clock could tell how long it was.
        """
        same_boot = now.boot == self.boot and now.monotonic >= self.monotonic
        passed = now.monotonic - self.monotonic if same_boot else 0.0
        gained = now.wall - self._wall - passed
        if same_boot and abs(gained) <= STEP_SECONDS + _SLEW * passed:
            return self._noted(now, self._longer(passed, now.wall), stepped=self.stepped)
        is_step = same_boot or not 0 <= gained <= LONG_OFF_SECONDS
        lived = self.lived + passed
        # When within the elapsed time the clock was set is unknown: either reading may hold for any of it.
        before = self._longer(passed, self._wall + passed)
        after = Stretch(lived_from=self.lived, lived_to=lived, wall_from=now.wall - passed, wall_to=now.wall)
        return self._noted(now, (*before, after), stepped=lived if is_step else self.stepped)

    def _longer(self, passed: float, wall: float) -> tuple[Stretch, ...]:
        last = self.stretches[-1]
        return (*self.stretches[:-1], last.model_copy(update={"lived_to": last.lived_to + passed, "wall_to": wall}))

    def _noted(self, now: Reading, stretches: tuple[Stretch, ...], *, stepped: float | None) -> Uptime:
        return Uptime(boot=now.boot, monotonic=now.monotonic, stretches=stretches[-MOST_STRETCHES:], stepped=stepped)

    def lived_at(self, wall: float) -> float:
        """Return the count at an instant of the wall clock; the latest one where it may have been shown more than once.

        An instant that was shown in no stretch is taken for the beginning of the first one that began later.
        """
        shown = [stretch.lived_at(wall) for stretch in self.stretches if stretch.shows(wall)]
        if shown:
            return max(shown)
        return next((stretch.lived_from for stretch in self.stretches if stretch.wall_from > wall), self.lived)

    def age(self, instant: datetime | float) -> float:
        """Return for how many seconds the box has lived since an instant (aware, or in seconds since 1970)."""
        wall = instant.timestamp() if isinstance(instant, datetime) else instant
        return max(0.0, self.lived - self.lived_at(wall))

    def instant_before(self, seconds: float) -> datetime:
        """Return what the wall clock showed when the box had lived so much less than now.

        Before the counter began the wall clock is taken to have been right, as when it began.
        """
        wanted = self.lived - seconds
        first = self.stretches[0]
        wall = first.wall_from - (first.lived_from - wanted)
        for stretch in self.stretches:
            if stretch.lived_from <= wanted:
                wall = stretch.wall_at(min(wanted, stretch.lived_to))
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=max(0.0, wall))

    def now_less_old(self, seconds: float) -> datetime:
        """Return the "now" from which to subtract so many seconds, to find what has been lived through for as long."""
        return self.instant_before(seconds) + timedelta(seconds=seconds)

    def doubt(self, *, newest: datetime | None = None, unsynchronised: bool = False) -> str:
        """Tell why the wall clock is not believed now; empty when it is.

        Parameters
        ----------
        newest : datetime, optional
            The latest instant that the wall clock is known to have shown: of the newest id in the spool.
        unsynchronised : bool
            Whoever keeps the clock says that it is not right. Alone that is no ground: without a time server nothing
            would ever be retired, and ages do not need a clock that is right.
        """
        now = datetime.fromtimestamp(self._wall, UTC)
        if now < EARLIEST:
            return f"it shows {now:%Y-%m-%d}, before this program was made"
        since = float("inf") if self.stepped is None else self.lived - self.stepped
        if since < STEP_BOUND_SECONDS:
            return "it was set a short time ago"
        began = self.stretches[0].lived_from == 0 and self.lived < LONG_BOUND_SECONDS
        if (since < LONG_BOUND_SECONDS or began) and newest is not None and now < newest - timedelta(minutes=1):
            return f"it shows {now:%Y-%m-%d %H:%M}, and the newest task in the spool is of {newest:%Y-%m-%d %H:%M}"
        if since < LONG_BOUND_SECONDS and unsynchronised:
            return "it was set, and nothing keeps it right"
        return ""


def uptime(spool: Spool, clock: Clock) -> Uptime:
    """Return the time lived through as of now, and write it down when that is due.

    Nobody waits while another service writes it down: that is a sync, and the count is known without it. A disk that
    refuses the file costs accuracy after the next restart, and stops nothing. A file that is missing or cannot be read
    is begun anew: everything is then as old as that.
    """
    folder = spool.stage(Stage.STATE) / "clock"
    path, now = folder / "uptime.json", Reading.of(clock)
    known = _read(path)
    if known is not None and not _is_due(known, now):
        return known.gone_on_to(now)
    found = (known or Uptime.begin(now)).gone_on_to(now)
    try:
        with unless_busy(folder) as alone:
            if not alone:
                return found
            now = Reading.of(clock)
            known = _read(path)
            found = (known or Uptime.begin(now)).gone_on_to(now)
            durable.write_file(path, found.model_dump_json(indent=1).encode())
    except OSError:
        _log.warning("the time lived through cannot be written down", exc_info=True)
    return found


def _is_due(known: Uptime, now: Reading) -> bool:
    if known.boot != now.boot or not 0 <= now.monotonic - known.monotonic < NOTE_SECONDS:
        return True
    return len(known.gone_on_to(now).stretches) != len(known.stretches)


def _read(path: Path) -> Uptime | None:
    try:
        found = Uptime.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        _log.warning("the time lived through cannot be read and is counted anew: %s", path, exc_info=True)
        return None
    return found if found.stretches else None
