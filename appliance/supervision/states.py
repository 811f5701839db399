"""States of a supervised process, in our words."""

from __future__ import annotations

from typing import Final, Literal

State = Literal["stopped", "starting", "running", "retrying", "stopping", "ended", "failed", "unknown"]

OF_SUPERVISOR: Final[dict[str, State]] = {
    "STOPPED": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "BACKOFF": "retrying",
    "STOPPING": "stopping",
    "EXITED": "ended",
    "FATAL": "failed",
    "UNKNOWN": "unknown",
}
"""supervisor's words and ours."""

AT_REST: Final[frozenset[State]] = frozenset({"stopped", "ended", "failed", "unknown"})
"""States in which there is no process and none is about to be."""
