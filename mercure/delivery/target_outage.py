"""The outage of a target, as dispatchers note it and people are shown it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime

from mercure.event_details.common import Try
from mercure.scheduling.outage import Outage

if TYPE_CHECKING:
    from mercure.config import Retry


FRESH_AT_ONCE: Final = 50
FRESH_SECONDS: Final = 1.0
"""Of tasks that were not tried in an outage so many are tried at once, the others one after this time."""


class TargetOutage(Outage, Try):
    """What is known of a target that does not take images now."""

    by_image: bool = False
    """It answers, and took no image: only an image that it takes shows that it is back."""
    tried: AwareDatetime | None = None
    """When it failed last."""

    def seconds_left(self, retry: Retry, now: datetime) -> float:
        """Return for how many seconds the target is left alone; 0 when it is to be asked whether it is back."""
        return self.wait_left(retry.cap_seconds, now)

    def pace(self, now: datetime, made: datetime) -> float:
        """Return for how many seconds a task, made at that time, waits that was not tried in this outage.

        Its images may be those that the target takes, so it does not wait for the others; where so many were tried
        already, one a second is enough. Where the target speaks of itself only what came since it did so last goes.
        """
        speaks_of_itself = self.kind == "unable"
        if not self.by_image or (speaks_of_itself and self.tried is not None and made <= self.tried):
            return float("inf")
        left = FRESH_SECONDS if speaks_of_itself or self.failures > FRESH_AT_ONCE else 0.0
        if self.tried is not None and left:
            left -= (now - self.tried).total_seconds()
        return min(max(left, 0.0), FRESH_SECONDS)
