"""The status of a router, for tests of what is made of it."""

from __future__ import annotations

from datetime import UTC, datetime

from appliance.control.api.status import ConfigState, DiskState, HistoryState, Status


def empty_status() -> Status:
    """Return the status of a router with which all is well."""
    return Status(
        root="/srv", time=datetime(2026, 11, 21, tzinfo=UTC), running=True, services=(), stages=(), associations=0,
        outages=(), history=HistoryState(outbox_bytes=0, lag_seconds=0.0),
        config=ConfigState(revision=1, by_hand=False),
        disk=DiskState(path="/srv", free_bytes=9, total_bytes=9, refuse_below_bytes=1, clean_below_bytes=1),
    )  # fmt: skip
