"""The outage of a module, as processors note it and people are shown it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from mercure.scheduling.outage import Outage

LONGEST_SECONDS: Final = 300.0
"""A module that cannot be run is looked at again after this time at the latest."""

Kind = Literal["runner", "image", "configuration"]


class ModuleOutage(Outage):
    """What is known of a module that cannot be run now."""

    kind: Kind

    def seconds_left(self, now: datetime) -> float:
        """Return for how many seconds the module is left alone."""
        return self.wait_left(LONGEST_SECONDS, now)
