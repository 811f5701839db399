"""The outage of a target, as dispatchers note it and people are shown it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime

from mercure.event_details import FailureKind
from mercure.model import Record

if TYPE_CHECKING:
    from mercure.config import Retry


class Outage(Record):
    """What is known of a target that does not take images now."""

    since: AwareDatetime
    failures: int
    until: AwareDatetime
    kind: FailureKind
    error: str

    def seconds_left(self, retry: Retry, now: datetime) -> float:
        """Return for how many seconds the target is left alone; 0 when it is to be asked whether it is back.

        A time farther off than any wait can be comes from a clock that was set back: it is not believed.
        """
        left = (self.until - now).total_seconds()
        return left if 0 < left <= retry.cap_seconds else 0.0
