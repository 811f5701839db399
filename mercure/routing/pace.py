"""Pace of senders: one whose images often come late gets a longer release time.

A scanner that opens an association for each image is complete, for the router, after every one of them. What is learned
is kept in the spool, because the history may be unavailable: a hint in ``state/paces/``, one small file a sender,
replaced atomically and not synced. Losing one costs that it is learned again.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.config.completion import CompletionTimes
from mercure.model import Record
from mercure.spool import Spool, Stage, Task
from mercure.spool.hints import exclusive, remove_older

AGAIN: Final = 2
"""Late arrivals, each within the longest release time, after which the release time is lengthened."""

MARGIN: Final = 1.5
"""The release time is longer than the observed pauses by this factor."""

REMEMBERED: Final = timedelta(days=14)
"""Late arrivals that lie further apart are no habit."""

FORGOTTEN_AFTER: Final = 200
"""A longer release time is dropped after this many series in a row that would have been whole without it."""

KEPT_SECONDS: Final = 180 * 86400.0
"""A sender is forgotten this long after the last change of its pace."""

MOST_SENDERS: Final = 2000
_MOST_PAUSES: Final = 20
_MOST_SERIES: Final = 200
_MOST_IMAGES: Final = 5000
_WRITTEN_EVERY: Final = 20
"""Whole series are counted in memory, and every this many the count is written."""
_READ_AGAIN_SECONDS: Final = 5.0


Instants = Callable[[], Iterable[datetime]]


class Pause(Record):
    """A late arrival: when it came, and how long after the image before it."""

    at: AwareDatetime
    seconds: float


class SenderPace(Record):
    """What is known of a sender; ``seconds`` is its learned release time, 0 without one.

    ``whole`` counts the series in a row that would have been whole without it.
    """

    sender: str
    seconds: float = 0.0
    since: AwareDatetime | None = None
    pauses: tuple[Pause, ...] = ()
    whole: int = 0


@dataclass(frozen=True)
class ReleaseChange:
    """A release time that was learned, lengthened, or dropped (0)."""

    seconds: float
    before: float
    pause: float = 0.0


def after_late(pace: SenderPace, pause: float, now: datetime, times: CompletionTimes, longest: float) -> SenderPace:
    """Count a late arrival; return the new pace. Pure.

    The time follows the second longest of the pauses: one alone, of a sender that was cut off, is no habit.
    """
    recent = [known for known in pace.pauses if timedelta(0) <= now - known.at <= REMEMBERED]
    recent = [*recent, Pause(at=now, seconds=pause)][-_MOST_PAUSES:]
    update: dict[str, object] = {"pauses": tuple(recent), "whole": 0}
    if len(recent) >= AGAIN:
        usual = sorted(known.seconds for known in recent)[-AGAIN]
        wanted = min(float(math.ceil(usual * MARGIN)), longest)
        if wanted > max(pace.seconds, times.after_release_seconds):
            update |= {"seconds": wanted, "since": now}
    return pace.model_copy(update=update)


def after_series(pace: SenderPace, longest_pause: float, times: CompletionTimes) -> SenderPace:
    """Count a series that was not late; return the new pace. Pure."""
    if not pace.seconds:
        return pace
    if longest_pause > times.after_release_seconds:
        return pace.model_copy(update={"whole": 0}) if pace.whole else pace
    if pace.whole + 1 >= FORGOTTEN_AFTER:
        return SenderPace(sender=pace.sender)
    return pace.model_copy(update={"whole": pace.whole + 1})


@dataclass
class _Last:
    """The last images of a series that was taken once its associations had ended."""

    received: datetime
    instances: frozenset[str] | None


class Paces:
    """The paces of all senders.

    Parameters
    ----------
    spool : Spool
        In its ``state/paces/``.
    """

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._known: dict[str, tuple[float, SenderPace | None]] = {}
        self._series: OrderedDict[str, _Last] = OrderedDict()

    def lengthened(self, sender: str, times: CompletionTimes, longest: float) -> CompletionTimes:
        """Return the times of a sender with the release time that was learned of it."""
        if not sender or longest <= times.after_release_seconds:
            return times
        learned = min(self.of(sender).seconds, longest)
        if learned <= times.after_release_seconds:
            return times
        return times.model_copy(update={"after_release_seconds": learned})

    def of(self, sender: str) -> SenderPace:
        """Return the pace of a sender; another router may have updated it seconds ago."""
        now = self._clock.monotonic()
        read, pace = self._known.get(sender, (-math.inf, None))
        if pace is None or now - read >= _READ_AGAIN_SECONDS:
            found = pace_of(self._spool, sender)
            # The count of whole series is written rarely, and must not be lost by reading again.
            same = pace is not None and found.model_copy(update={"whole": pace.whole}) == pace
            pace = pace if same and pace is not None else found
            self._remember(sender, pace)
        return pace

    def note(
        self, task: Task, instances: Iterable[str], received: Instants, learning: Learning
    ) -> ReleaseChange | None:
        """Learn from a series that was taken for routing.

        Parameters
        ----------
        task : Task
            Its model, with the times of its images.
        instances : iterable of str
            The SOP Instance UIDs of its images.
        received : callable
            Returns the time of receipt of each image; called only if needed.
        learning : Learning
            What holds for its sender.

        Returns
        -------
        ReleaseChange or None
            The change to report.
        """
        pause = self._late_by(task, frozenset(instances), learning)
        before = self.of(learning.sender)
        if pause is not None and pause <= learning.longest:
            now = self._clock.now()
            after = after_late(before, pause, now, learning.times, learning.longest)
        else:
            longest_pause = max(pauses_of(received()), default=0.0) if before.seconds else 0.0
            after = after_series(before, longest_pause, learning.times)
        if after == before:
            return None
        self._remember(learning.sender, after)
        changed = after.seconds != before.seconds
        if changed or pause is not None or after.whole % _WRITTEN_EVERY == 0:
            with exclusive(folder(self._spool)):
                durable.write_file(_path(self._spool, learning.sender), after.model_dump_json().encode(), sync=False)
        return ReleaseChange(after.seconds, before.seconds, pause or 0.0) if changed else None

    def _late_by(self, task: Task, instances: frozenset[str], learning: Learning) -> float | None:
        """Return how long after the end of its series a part of it came; None if it is not late, or a repetition."""
        first, last = task.origin.first_received, task.origin.last_received
        if first is None or last is None:
            return None
        known = self._series.pop(learning.series, None)
        whole = instances | (known.instances or frozenset()) if known is not None else instances
        if task.reason == "released":
            self._series[learning.series] = _Last(last, whole if len(whole) <= _MOST_IMAGES else None)
            while len(self._series) > _MOST_SERIES:
                self._series.popitem(last=False)
        if known is None or (known.instances is not None and instances <= known.instances):
            return None
        pause = (first - known.received).total_seconds()
        return pause if pause > 0 else None

    def _remember(self, sender: str, pace: SenderPace) -> None:
        if len(self._known) >= MOST_SENDERS:
            self._known.clear()
        self._known[sender] = (self._clock.monotonic(), pace)


@dataclass(frozen=True)
class Learning:
    """What holds for the sender of a series.

    Parameters
    ----------
    sender : str
        Its name.
    series : str
        Names the series of one sender, patient and study.
    times : CompletionTimes
        As configured.
    longest : float
        The longest release time that may be learned, in seconds.
    """

    sender: str
    series: str
    times: CompletionTimes
    longest: float


def pauses_of(times: Iterable[datetime]) -> list[float]:
    """Return the seconds between each of some instants and the next."""
    return [(later - earlier).total_seconds() for earlier, later in pairwise(sorted(times))]


def pace_of(spool: Spool, sender: str) -> SenderPace:
    """Return what was learned of a sender; an empty pace if that cannot be read."""
    sender = sender.encode("utf-8", "backslashreplace").decode()
    try:
        found = SenderPace.model_validate_json(_path(spool, sender).read_bytes())
    except (OSError, ValidationError):
        return SenderPace(sender=sender)
    return found if found.sender == sender else SenderPace(sender=sender)


def folder(spool: Spool) -> Path:
    """Return where the hints are."""
    return spool.stage(Stage.STATE) / "paces"


def forget(spool: Spool, now: float) -> None:
    """Forget senders whose pace has not changed for long."""
    remove_older(folder(spool), KEPT_SECONDS, now, MOST_SENDERS)


def _path(spool: Spool, sender: str) -> Path:
    name = sender.encode("utf-8", "backslashreplace")
    return folder(spool) / f"{hashlib.sha256(name).hexdigest()[:32]}.json"
