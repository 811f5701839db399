"""How often a dear look is made by whoever looks every second: so seldom that it takes little of a processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

from mercure.clock import Clock

T = TypeVar("T")

SHARE: Final = 0.003
"""The part of a processor that each kind of look may take."""

LONGEST_SECONDS: Final = 60.0
"""What was seen is never older than this."""

_FREE_SECONDS: Final = 0.003
"""A look that takes less may be made each time."""


class Pace:
    """Makes looks as often as they cost little, and else gives what was seen the last time.

    Parameters
    ----------
    clock : Clock
        Where the time comes from.
    cost : callable
        Tells the processor time that this thread has used, in seconds.
    """

    def __init__(self, clock: Clock, cost: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._cost = cost
        self._seen: dict[str, tuple[object, float]] = {}

    def look(self, what: str, make: Callable[[], T]) -> T:
        """Look at something, or return what was seen of it shortly ago.

        Parameters
        ----------
        what : str
            A name for it.
        make : callable
            Looks.
        """
        now = self._clock.monotonic()
        seen, again = self._seen.get(what, (None, now))
        if now < again:
            return cast(T, seen)
        begun = self._cost()
        found = make()
        cost = self._cost() - begun
        wait = 0.0 if cost < _FREE_SECONDS else min(LONGEST_SECONDS, cost / SHARE)
        self._seen[what] = found, now + wait
        return found
