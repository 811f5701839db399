"""Acceptance by a target: when it last took an image, failures of which nobody knows whose they are, its room.

In ``state/targets/NAME/``, shared by all dispatchers: the time of the folder ``taken``, and a small file as long as
anything else is known. Both are hints and not synced: without them a failure is counted later, and never sooner.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from mercure import durable
from mercure.delivery.target_breaker import read_outage, target_folder
from mercure.model import Record, read_state
from mercure.scheduling.backoff import Backoff
from mercure.spool import Spool
from mercure.spool.hints import exclusive, make_folders

NARROW_SECONDS: Final = 60.0
"""So long fewer tasks go at a time to a target that had no room; twice as long when that was too short."""

LONGEST_NARROW_SECONDS: Final = 3600.0

PATIENCE_SECONDS: Final = 5.0
"""So long an image that was not tried before may keep the last free slot waiting for its answer."""

SLOW_SECONDS: Final = 3600.0
"""So long it counts that a target took long for an image; it is then given twice that time."""

_NARROWS: Final = Backoff(NARROW_SECONDS, LONGEST_NARROW_SECONDS)


class Acceptance(Record):
    """What is known of a target besides its outages."""

    taken: AwareDatetime | None = None
    """When it last took an image."""
    doubts: int = 0
    """Attempts that failed since then, of which nobody knows whose trouble they are."""
    doubted: AwareDatetime | None = None
    """When the first of these began."""
    slots: int | None = None
    """It had no room for more tasks at a time than these."""
    narrow_until: AwareDatetime | None = None
    narrow_seconds: float = 0.0
    slowest: float = 0.0
    """Seconds that it took for an image, where these were many."""
    slow_at: AwareDatetime | None = None
    """When it took that image."""

    def room(self, concurrency: int, now: datetime) -> int:
        """Return how many tasks may go at a time; a time farther off than any wait comes from a clock set back."""
        until = self.narrow_until
        if self.slots is None or until is None or not now < until <= now + timedelta(seconds=LONGEST_NARROW_SECONDS):
            return concurrency
        return min(concurrency, self.slots)

    def patience(self, now: datetime) -> float:
        """Return how long the answer to an image may keep the last free slot: longer where the target is slow."""
        lately = self.slow_at is not None and abs(now - self.slow_at) < timedelta(seconds=SLOW_SECONDS)
        return max(PATIENCE_SECONDS, 2 * self.slowest if lately else 0.0)


def read_acceptance(spool: Spool, target: str) -> Acceptance:
    """Read what a target accepts."""
    known = read_state(_path(spool, target), Acceptance) or Acceptance()
    taken = last_taken(spool, target)
    return known if taken is None else known.model_copy(update={"taken": taken})


def fruitless_attempts(spool: Spool, target: str) -> int:
    """Count the attempts at a target since it last took an image, as far as is known: they may be its own trouble."""
    outage = read_outage(spool, target)
    failures = outage.failures if outage is not None and outage.by_image else 0
    return read_acceptance(spool, target).doubts + failures


def last_taken(spool: Spool, target: str) -> datetime | None:
    """Return when a target last took an image; None when it never did, as far as is known."""
    try:
        return datetime.fromtimestamp(os.stat(target_folder(spool, target) / "taken").st_mtime, UTC)
    except (FileNotFoundError, NotADirectoryError):
        return None


class AcceptanceBook:
    """The acceptance of one target, kept on disk.

    Parameters
    ----------
    spool : Spool
        Where its state is.
    target : str
        Its name.
    """

    def __init__(self, spool: Spool, target: str) -> None:
        self._spool, self._target = spool, target

    def took(self, now: datetime, slowest: float = 0.0) -> None:
        """Note that it took images, the slowest in so many seconds: whoever is in doubt is so no more."""
        folder = target_folder(self._spool, self._target)
        make_folders(folder.parent, folder, folder / "taken")
        os.utime(folder / "taken", (now.timestamp(), now.timestamp()))
        known = read_acceptance(self._spool, self._target)
        if known.doubts:
            self._change(lambda known: known.model_copy(update={"doubts": 0, "doubted": None}))
        if 2 * slowest > known.patience(now):
            self._change(lambda known: known.model_copy(update={"slowest": slowest, "slow_at": now}))

    def doubt(self, began: datetime) -> None:
        """Note a failure that may be its own or that of an image."""

        def change(known: Acceptance) -> Acceptance:
            return known.model_copy(update={"doubts": known.doubts + 1, "doubted": known.doubted or began})

        self._change(change)

    def narrow(self, slots: int, now: datetime) -> None:
        """Note that it has no room for more than so many tasks at a time."""

        def change(known: Acceptance) -> Acceptance:
            recently = known.narrow_until is not None and now < known.narrow_until + timedelta(seconds=NARROW_SECONDS)
            seconds = known.narrow_seconds
            if known.narrow_until is None or now >= known.narrow_until:
                seconds = _NARROWS.longer(seconds if recently else 0)
            until = now + timedelta(seconds=seconds)
            return known.model_copy(update={"slots": max(1, slots), "narrow_until": until, "narrow_seconds": seconds})

        self._change(change)

    def _change(self, change: Callable[[Acceptance], Acceptance]) -> None:
        path = _path(self._spool, self._target)
        with exclusive(path.parent):
            content = change(read_acceptance(self._spool, self._target)).model_dump_json(
                exclude={"taken"}, exclude_defaults=True
            )
            durable.write_file(path, content.encode(), sync=False)


def _path(spool: Spool, target: str) -> Path:
    return target_folder(spool, target) / "standing.json"
