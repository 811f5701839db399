"""When a series is complete.

A series can grow as long as an association that brought images of it is open; then its quiet time decides. Once all of
them have ended, a short grace is enough. Both are counted on the monotonic clock from what this process saw, so a step
of the wall clock completes nothing early.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mercure.clock import Clock
from mercure.config.models import Completion
from mercure.spool import Spool, Stage, is_locked

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
        ``quiet`` or ``released``.
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
    associations: tuple[str, ...]
    released: float | None = None
    watched: bool = False


def folder_signature(directory: Path) -> tuple[int, int] | None:
    """Return what changes with every image that lands in a series folder; None when it is not there."""
    try:
        status = os.stat(directory)
    except FileNotFoundError:
        return None
    return (status.st_ino, status.st_mtime_ns)


class CompletionTracker:
    """Watches the series in ``incoming/`` and tells which are complete.

    Parameters
    ----------
    spool : Spool
        Where they are.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def due(self, settings: Completion, names: Iterable[str]) -> tuple[list[Due], float]:
        """Look at all series.

        Parameters
        ----------
        settings : Completion
            The times that hold now.
        names : iterable of str
            The entries of ``incoming/``.

        Returns
        -------
        list of Due
            The complete ones, longest complete first.
        float
            Seconds until the next one may be complete, if nothing changes; infinite when none is waiting.
        """
        present = set(names)
        for name in self._seen.keys() - present:
            del self._seen[name]
        now = self._clock.monotonic()
        ready: list[tuple[float, Due]] = []
        wait = float("inf")
        for name in present:
            seen = self._look(name, now)
            if seen is None:
                continue
            at, reason = _due_at(seen, settings)
            if at <= now:
                ready.append((at, Due(name, reason, seen.signature)))
            else:
                wait = min(wait, at - now)
        return [due for _, due in sorted(ready, key=lambda item: item[0])], wait

    def _look(self, name: str, now: float) -> _Seen | None:
        directory = self._spool.entry(Stage.INCOMING, name)
        signature = folder_signature(directory)
        if signature is None:
            self._seen.pop(name, None)
            return None
        seen = self._seen.get(name)
        if seen is None or seen.signature != signature:
            changed = now if seen is not None else now - self._age(signature)
            watched = seen is not None
            seen = self._seen[name] = _Seen(signature, changed, _associations(directory), watched=watched)
        if self._open(seen.associations):
            seen.released = None
        elif seen.released is None:
            # On the first look at a folder nobody knows when its associations ended. Its age is known, so a router that
            # was away does not make an old series wait once more.
            seen.released = now if seen.watched else seen.changed
        seen.watched = True
        return seen

    def _age(self, signature: tuple[int, int]) -> float:
        """Return for how long a folder seen for the first time has been as it is, in seconds, by the wall clock."""
        return max(0.0, self._clock.now().timestamp() - signature[1] / 1e9)

    def _open(self, associations: Iterable[str]) -> bool:
        receiving = self._spool.stage(Stage.RECEIVING)
        return any(is_locked(receiving / association) for association in associations)


def _associations(directory: Path) -> tuple[str, ...]:
    try:
        with os.scandir(directory) as entries:
            return tuple(sorted(e.name.removesuffix(LINES_SUFFIX) for e in entries if e.name.endswith(LINES_SUFFIX)))
    except FileNotFoundError:
        return ()


def _due_at(seen: _Seen, settings: Completion) -> tuple[float, str]:
    quiet = seen.changed + settings.quiet_seconds
    if seen.released is None:
        return quiet, "quiet"
    released = max(seen.released, seen.changed) + settings.after_release_seconds
    return (released, "released") if released < quiet else (quiet, "quiet")
