"""The outage of a module, as processors note it and people are shown it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure.model import Record

LONGEST_SECONDS: Final = 300.0
"""A module that cannot be run is looked at again after this time at the latest."""

Kind = Literal["runner", "image", "configuration"]


class ModuleOutage(Record):
    """What is known of a module that cannot be run now."""

    since: AwareDatetime
    failures: int
    until: AwareDatetime
    kind: Kind
    error: str

    def seconds_left(self, now: datetime) -> float:
        """Return for how many seconds the module is left alone.

        A time farther off than any wait can be comes from a clock that was set back: it is not believed.
        """
        left = (self.until - now).total_seconds()
        return left if 0 < left <= LONGEST_SECONDS else 0.0
