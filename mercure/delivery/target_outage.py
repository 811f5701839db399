"""The outage of a target, as dispatchers note it and people are shown it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime

from mercure.event_details.common import Try

if TYPE_CHECKING:
    from mercure.config import Retry


FRESH_AT_ONCE: Final = 50
FRESH_SECONDS: Final = 1.0
"""Of tasks that were not tried in an outage so many are tried at once, the others one after this time."""


class TargetOutage(Try):
    """What is known of a target that does not take images now."""

    since: AwareDatetime
    failures: int
    until: AwareDatetime
    """When it is asked next."""
    error: str
    by_image: bool = False
    """It answers, and took no image: only an image that it takes shows that it is back."""
    tried: AwareDatetime | None = None
    """When it failed last."""

    def seconds_left(self, retry: Retry, now: datetime) -> float:
        """Return for how many seconds the target is left alone; 0 when it is to be asked whether it is back.

        A time farther off than any wait can be comes from a clock that was set back: it is not believed.
        """
        left = (self.until - now).total_seconds()
        return left if 0 < left <= retry.cap_seconds else 0.0

    def pace(self, now: datetime) -> float:
        """Return for how many seconds a task waits that was not tried in this outage.

        Its images may be those that the target takes, so it does not wait for the others: unless the target speaks of
        itself, or so many were tried that one a second is enough.
        """
        if not self.by_image or self.kind == "unable":
            return float("inf")
        left = FRESH_SECONDS if self.failures > FRESH_AT_ONCE else 0.0
        if self.tried is not None and left:
            left -= (now - self.tried).total_seconds()
        return min(max(left, 0.0), FRESH_SECONDS)
