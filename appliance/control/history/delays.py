"""How long deliveries take, and what the spool holds by stage: figures for who watches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import ceil
from typing import Final

from appliance.control.api import traffic as api
from appliance.control.api.base import Nothing
from appliance.control.disk import quarantine_state
from appliance.control.history.search import reading
from appliance.control.registry import carries_out
from appliance.control.rows import LISTED_STAGES
from appliance.control.session import Session
from mercure.history.records import DeliveryTimes
from mercure.history.traffic import Traffic
from mercure.spool import Stage

_MOST: Final = 5000
"""So many of the last deliveries are looked at."""

_KEPT_AS: Final = {"delivered": "delivered", "processed": "delivered", "discarded": "discarded"}
"""What the states of finished tasks count as."""


@carries_out(api.DELAYS)
def delays(session: Session, wanted: api.DelaysOver) -> api.Delays:
    """Tell how long the deliveries of the last hours took.

    Raises
    ------
    ControlError
        The history cannot be asked; so for `disk`, too.
    """
    now = session.clock.now()
    with reading(session, Traffic) as traffic:
        found = traffic.deliveries(session.config.name, now - timedelta(hours=wanted.hours), _MOST)
    by_target: dict[str, list[DeliveryTimes]] = {}
    for each in found:
        by_target.setdefault(each.target, []).append(each)
    targets = sorted((_of(name, times) for name, times in by_target.items()), key=lambda it: (-it.whole.p95, it.name))
    whole = _of("", found) if found else None
    return api.Delays(time=now, hours=wanted.hours, all=whole, targets=tuple(targets), cut=len(found) == _MOST)


def _of(name: str, times: Sequence[DeliveryTimes]) -> api.TargetDelays:
    return api.TargetDelays(
        name=name,
        tasks=len(times),
        whole=_percentiles(_seconds(it, since_images=True) for it in times),
        waiting=_percentiles(max(0.0, _seconds(it, since_images=False) - it.sending) for it in times),
        sending=_percentiles(it.sending for it in times),
    )


def _seconds(times: DeliveryTimes, *, since_images: bool) -> float:
    """Return the seconds since the last image, or since the task was made; what is not known is left out."""
    begun = (times.received if since_images else None) or times.created or times.delivered
    return max(0.0, (times.delivered - begun).total_seconds())


def _percentiles(seconds: Iterable[float]) -> api.Percentiles:
    """Return the nearest ranks: times that there were, and nothing between them."""
    ordered = sorted(seconds)
    p50, p95 = (round(ordered[ceil(len(ordered) * share) - 1], 3) for share in (0.5, 0.95))
    return api.Percentiles(p50=p50, p95=p95)


@carries_out(api.DISK)
def disk(session: Session, wanted: Nothing) -> api.DiskUse:
    """Sum what the spool holds."""
    _ = wanted
    bytes_ = {"waiting": 0, "failed": 0, "delivered": 0, "discarded": 0}
    for row in session.rows(LISTED_STAGES):
        bytes_["failed" if row.stage is Stage.ERROR else "waiting"] += row.bytes
    with reading(session, Traffic) as traffic:
        for kept in traffic.kept(session.config.name):
            bytes_[_KEPT_AS[kept.state]] += kept.bytes
    return api.DiskUse(quarantine=quarantine_state(session).bytes, **bytes_)
