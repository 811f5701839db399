"""Exponential back-off: how long to wait after a failure, and whether the wait of a task is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mercure.config import Retry
    from mercure.spool import Task

PAUSE_AFTER_ERROR: Final = 5.0
"""Seconds before a service repeats a failed turn, or tries events again that the disk refused."""

_MOST_DOUBLINGS: Final = 40


@dataclass(frozen=True)
class Backoff:
    """Waits that double from the first to the longest.

    Parameters
    ----------
    first_seconds, cap_seconds : float
        The first wait and the longest one, in seconds.
    """

    first_seconds: float
    cap_seconds: float

    @classmethod
    def of(cls, retry: Retry) -> Backoff:
        """Return that of a target's settings."""
        return cls(retry.first_seconds, retry.cap_seconds)

    def seconds(self, failures: int) -> float:
        """Return the wait after the `failures`-th failure in a row."""
        doublings = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
        return min(self.cap_seconds, self.first_seconds * 2.0**doublings)

    def after(self, failures: int) -> timedelta:
        """Return the wait after the `failures`-th failure in a row."""
        return timedelta(seconds=self.seconds(failures))

    def longer(self, seconds: float) -> float:
        """Return the wait that follows one of so many seconds; the first one where there was none."""
        return min(self.cap_seconds, max(self.first_seconds, 2 * seconds))


def eligible_at(task: Task, longest_seconds: float, now: datetime) -> datetime | None:
    """Return when a task may be tried; None for at once.

    A time farther off than the longest wait comes from a clock that was set back: it is not believed.
    """
    at = task.next_attempt
    if at is None or at <= now or at - now > timedelta(seconds=longest_seconds):
        return None
    return at
