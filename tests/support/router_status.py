"""A status in which all is well, for tests of what the control service makes of a worse one."""

from __future__ import annotations

from datetime import UTC, datetime

from appliance.control.api.services import ProcessState, ServiceState
from appliance.control.api.status import ConfigState, DiskState, HistoryState, StageState, Status
from mercure.spool.layout import Stage

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DISK = DiskState(path="/x", free_bytes=10**12, total_bytes=10**13, refuse_below_bytes=10**9, clean_below_bytes=10**10)
WELL = Status(
    root="/x",
    time=NOW,
    running=True,
    services=(ServiceState(name="router", configured=1, processes=(ProcessState(name="router_00", state="running"),)),),
    stages=tuple(StageState(stage=stage, count=0) for stage in Stage),
    associations=0,
    outages=(),
    disk=DISK,
    history=HistoryState(outbox_bytes=0, lag_seconds=0.0),
    config=ConfigState(revision=1, by_hand=False),
)
