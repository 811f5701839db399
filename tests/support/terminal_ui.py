"""The terminal UI over a control service at a time that stands still."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from mercure.clock import Clock
from tui.router_client import RouterClient

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


Serve = Callable[..., AbstractContextManager[RouterClient]]


Plays = Callable[..., None]


class StandingClock(Clock):
    """It is always noon; durations are real."""

    def now(self) -> datetime:
        """Return noon."""
        return NOW
