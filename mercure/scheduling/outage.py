"""Outage: what is known of a target, module or channel that does not work now. Light, for those who only show it."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime

from mercure.model import Record


class Outage(Record):
    """A service of others that does not work now."""

    since: AwareDatetime
    failures: int
    until: AwareDatetime
    """When it is tried next."""
    error: str

    def wait_left(self, longest_seconds: float, now: datetime) -> float:
        """Return for how many seconds it is left alone; 0 when it is to be tried again.

        A time farther off than the longest wait comes from a clock that was set back: it is not believed.
        """
        left = (self.until - now).total_seconds()
        return left if 0 < left <= longest_seconds else 0.0
