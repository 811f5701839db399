"""Completion of a series.

A series can grow as long as an association that brought images of it is open; then its quiet time decides. Once all of
them have ended, a short grace is enough. Both are counted on the monotonic clock. The arrival
of the last image is the folder's own time, bounded by what this process saw: never before its last look, and not if the
wall clock was set since. So a step of the wall clock completes nothing early.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.config import Config
from mercure.config.completion import CompletionTimes
from mercure.names import is_id
from mercure.routing.arrivals import Arrivals, times_of
from mercure.routing.pace import Paces
from mercure.routing.units import sender_of
from mercure.scheduling.stage_index import FolderStamp, StageIndex
from mercure.spool import Spool, Stage, TagRecord, is_locked, uptime
from mercure.spool.images import text
from mercure.spool.task import IMAGE_SUFFIX

COUNT_SECONDS: Final = 0.5
"""A series whose number of images is known beforehand is counted this often."""

CLOCK_SECONDS: Final = 1.0
"""A wall clock that gained or lost more than this between two looks was set."""

MAX_LINE_BYTES: Final = 4 * 1024 * 1024

LINES_SUFFIX = ".jsonl"
"""A file ``<association>.jsonl`` in a series says that the association brought images of it."""


@dataclass(frozen=True)
class Due:
    """A series that is complete.

    Parameters
    ----------
    name : str
        Its folder in ``incoming/``.
    reason : str
        ``quiet``, ``released`` or ``count``.
    signature : tuple of int
        State of the folder on which this rests; any image changes it.
    """

    name: str
    reason: str
    signature: tuple[int, int]


@dataclass
class _Seen:
    """What is known of a series that may still grow."""

    signature: tuple[int, int]
    changed: float
    content: _Content
    looked: float
    released: float | None = None


_SenderKey = tuple[str, str]
"""Calling AE title and address."""


@dataclass(frozen=True)
class _Content:
    """What a look into a series folder shows."""

    images: int = 0
    associations: tuple[str, ...] = ()
    sent_by: dict[str, _SenderKey] = field(default_factory=dict)
    """Who opened each association, as far as a tag line tells."""
    firsts: dict[_SenderKey, TagRecord] = field(default_factory=dict)
    """One tag line of each sender."""

    @property
    def one_of_each(self) -> tuple[TagRecord, ...]:
        """One tag line of each sender; an empty one while there is none."""
        return tuple(self.firsts.values()) or ({},)


def folder_signature(directory: Path) -> tuple[int, int] | None:
    """Return what changes with every image that lands in a series folder; None when no folder is there."""
    try:
        status = os.stat(directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return (status.st_ino, status.st_mtime_ns) if stat.S_ISDIR(status.st_mode) else None


class CompletionTracker:
    """Watches the series in ``incoming/`` and tells which are complete.

    Parameters
    ----------
    paces : Paces, optional
        Which senders have learned a longer release time.
    """

    def __init__(self, spool: Spool, clock: Clock, paces: Paces | None = None) -> None:
        self._spool = spool
        self._clock = clock
        self._paces = paces or Paces(spool, clock)
        self._series: StageIndex[FolderStamp, _Seen] = StageIndex(self._signature, self._see)
        self._now = 0.0
        self._arrivals: dict[str, Arrivals] = {}
        self.unreadable: dict[str, OSError] = {}
        """Series that could not be looked at by the last `due`, and why; the others do not wait for them."""
        self._difference: float | None = None
        self._clock_was_set = False

    def due(self, config: Config, names: Iterable[str]) -> tuple[list[Due], float]:
        """Look at all series.

        Parameters
        ----------
        config : Config
            With the times that hold now, and the senders.
        names : iterable of str
            The entries of ``incoming/``.

        Returns
        -------
        list of Due
            The complete ones, longest complete first; of those that are so since one moment, by their last images.
        float
            Seconds until the next one may be complete, if nothing changes; infinite when none is waiting.
        """
        present = set(names)
        self._series.keep(present)
        for gone in self._arrivals.keys() - present:
            del self._arrivals[gone]
        now = self._clock.monotonic()
        self._notice_clock(now)
        ready: list[tuple[float, int, Due]] = []
        wait = float("inf")
        self.unreadable = {}
        for name in present:
            try:
                seen = self._look(name, now)
            except OSError as error:
                self.unreadable[name] = error
                continue
            if seen is None:
                continue
            times = [self._times(config, first) for first in seen.content.one_of_each]
            at, reason, counted = _due_for_all(seen, times, config, partial(self._arrivals_of, name))
            if at <= now and self._is_as_seen(name, seen):
                self._arrivals.pop(name, None)
                # Series that one association brought end together: of these, the one that was whole first goes first.
                ready.append((at, seen.signature[1], Due(name, reason, seen.signature)))
                continue
            wait = min(wait, max(0.0, at - now), COUNT_SECONDS if counted else float("inf"))
        return [due for _, _, due in sorted(ready, key=lambda item: item[:2])], wait

    def arriving_studies(self, config: Config) -> set[str | None]:
        """Return the studies of the series that may still grow, as of the last `due`; None is one unknown yet."""
        found: set[str | None] = set()
        for name in self._series:
            arrivals = self._arrivals_of(name)
            arrivals.look(config)
            found |= arrivals.studies or {None}
        return found

    def _times(self, config: Config, record: TagRecord) -> CompletionTimes:
        """Return the times that hold for the sender of an image, as configured or as learned."""
        sender = sender_of(config, record)
        longest = config.longest_release(text(record, "SenderAET"), sender)
        return self._paces.lengthened(sender, times_of(config, record), longest)

    def _arrivals_of(self, name: str) -> Arrivals:
        known = self._arrivals.get(name)
        if known is None:
            known = self._arrivals[name] = Arrivals(self._spool.entry(Stage.INCOMING, name))
        return known

    def _is_as_seen(self, name: str, seen: _Seen) -> bool:
        """Look once more who brought images: where times of files are coarse, one may have come just after a look."""
        content = _content(self._spool.entry(Stage.INCOMING, name), seen.content)
        as_seen = content.associations == seen.content.associations
        seen.content = content
        return as_seen

    def _look(self, name: str, now: float) -> _Seen | None:
        first, self._now = name not in self._series, now
        seen = self._series.look(name)
        if seen is None:
            return None
        seen.looked = now
        if any_open(self._spool, seen.content.associations):
            seen.released = None
            if first:
                seen.changed = now  # ignore its age while it can still grow: the clock may have been wrong until now
        elif seen.released is None:
            # At the first look at a folder the end of its associations is unknown. Its age is known, so a router that
            # was away does not make an old series wait once more.
            seen.released = seen.changed if first else now
        return seen

    def _signature(self, name: str) -> FolderStamp | None:
        return folder_signature(self._spool.entry(Stage.INCOMING, name))

    def _see(self, name: str, signature: FolderStamp | None, before: _Seen | None) -> _Seen | None:
        """Look into a series folder that is new or has changed; None when no folder is there."""
        if signature is None:
            return None
        earliest = before.looked if before is not None else float("-inf")
        changed = max(earliest, self._now - self._age(signature))
        content = _content(self._spool.entry(Stage.INCOMING, name), before.content if before else _Content())
        return _Seen(signature, changed, content, self._now)

    def _age(self, signature: tuple[int, int]) -> float:
        """Return for how long a folder has been as it is, in seconds lived; 0 when the wall clock cannot tell."""
        if self._clock_was_set:
            return 0.0
        return uptime(self._spool, self._clock).age(signature[1] / 1e9)

    def _notice_clock(self, now: float) -> None:
        """Notice whether the wall clock was set since the last look."""
        difference = self._clock.now().timestamp() - now
        self._clock_was_set = self._difference is not None and abs(difference - self._difference) > CLOCK_SECONDS
        self._difference = difference


def any_open(spool: Spool, associations: Iterable[str]) -> bool:
    """Return whether any of the associations can still send."""
    receiving = spool.stage(Stage.RECEIVING)
    return any(is_locked(receiving / association) for association in associations if is_id(association))


def _content(directory: Path, before: _Content) -> _Content:
    """Look into a folder; what an earlier look found of an association still holds, for it has one sender."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        return _Content()
    associations = sorted(name.removesuffix(LINES_SUFFIX) for name in names if name.endswith(LINES_SUFFIX))
    sent_by: dict[str, _SenderKey] = {}
    firsts: dict[_SenderKey, TagRecord] = {}
    for association in associations:
        key = before.sent_by.get(association)
        record = before.firsts[key] if key else _first_line(directory / f"{association}{LINES_SUFFIX}")
        if record:
            sent_by[association] = _sender_key(record)
            firsts.setdefault(sent_by[association], record)
    images = sum(name.endswith(IMAGE_SUFFIX) for name in names)
    return _Content(images=images, associations=tuple(associations), sent_by=sent_by, firsts=firsts)


def _sender_key(record: TagRecord) -> _SenderKey:
    return text(record, "SenderAET"), text(record, "SenderAddress")


def _first_line(path: Path) -> TagRecord:
    try:
        with open(path, "rb") as file:
            value = json.loads(file.readline(MAX_LINE_BYTES))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _due_for_all(
    seen: _Seen, times: Sequence[CompletionTimes], config: Config, arrivals: Callable[[], Arrivals]
) -> tuple[float, str, bool]:
    """Return when a series is or will be complete, by what, and whether its images are counted.

    Where several senders brought images of it, the last by whose times it is complete decides.
    """
    counted = any(each.expected_images is not None for each in times)
    if counted and arrivals().all_expected(config):
        return seen.changed, "count", counted
    return (*max(_due_at(seen, each) for each in times), counted)


def _due_at(seen: _Seen, times: CompletionTimes) -> tuple[float, str]:
    """Return when a series is or will be complete by the times of one sender, and by what."""
    quiet = seen.changed + times.quiet_seconds
    if seen.released is None:
        return quiet, "quiet"
    released = max(seen.released, seen.changed) + times.after_release_seconds
    return (released, "released") if released < quiet else (quiet, "quiet")
