"""Circuit breaker: while something is down nothing is tried on it, but from time to time, later and later.

Its state is a small file, shared by all processes. It is a hint and not synced: without it the next attempt finds out
again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from mercure import durable
from mercure.model import read_state
from mercure.scheduling.backoff import Backoff
from mercure.scheduling.outage import Outage
from mercure.spool.hints import exclusive

OutageT = TypeVar("OutageT", bound=Outage)
Until = Callable[[OutageT | None, int], datetime | None]
"""Says when to try again, from what is known and the number of failures with this one; None for a failure that does
not count."""


class CircuitBreaker(Generic[OutageT]):
    """The breaker of one target, module or channel.

    Parameters
    ----------
    path : Path
        The file of its state; the folder is made when it is needed.
    model : type
        What the file holds.
    """

    def __init__(self, path: Path, model: type[OutageT]) -> None:
        self._path, self._model = path, model

    def outage(self) -> OutageT | None:
        """Return what is known of the outage; None while it is closed: all is well, as far as is known."""
        return read_state(self._path, self._model)

    def open(self, now: datetime, until: Until[OutageT], **facts: object) -> tuple[OutageT, OutageT | None]:
        """Note a failure; return the outage, and what was known of it before.

        Parameters
        ----------
        now : datetime
            Aware instant.
        until : callable
            See `Until`; `together` is what most want.
        **facts
            The other fields of the outage.
        """
        with exclusive(self._path.parent):
            known = self.outage()
            failures = known.failures + 1 if known is not None else 1
            at = until(known, failures)
            if known is not None and at is None:
                return known, known
            since = known.since if known is not None else now
            outage = self._model.model_validate({"since": since, "failures": failures, "until": at, **facts})
            self._write(outage)
            return outage, known

    def close(self, ends: Callable[[OutageT], bool] = lambda outage: True) -> OutageT | None:
        """Note that it works; return the outage that this ends, of those that `ends` says are ended by it."""
        known = self.outage()
        if known is None or not ends(known):
            return None  # nearly always: no lock for that
        with exclusive(self._path.parent):
            known = self.outage()
            if known is None or not ends(known):
                return None
            self._remove()
            return known

    def try_at(self, when: datetime, which: Callable[[OutageT], bool]) -> None:
        """Try again at an instant, in an outage for which `which` holds."""
        with exclusive(self._path.parent):
            known = self.outage()
            if known is not None and which(known):
                self._write(known.model_copy(update={"until": when}))

    def _write(self, outage: OutageT) -> None:
        durable.write_file(self._path, outage.model_dump_json().encode(), sync=False)

    def _remove(self) -> None:
        durable.unlink(self._path)


def together(now: datetime, backoff: Backoff) -> Until[Outage]:
    """Count those that are tried side by side and fail together as one failure, not as many."""

    def until(known: Outage | None, failures: int) -> datetime | None:
        if known is not None and known.wait_left(backoff.cap_seconds, now):
            return None
        return now + backoff.after(failures)

    return until
