"""Status of a target for display: the outage that keeps its tasks waiting, and when it last took an image."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mercure.config import TargetSettings
from mercure.delivery.acceptance import last_taken
from mercure.delivery.target_breaker import read_outage
from mercure.delivery.target_outage import TargetOutage
from mercure.spool import Spool


def outage_of(spool: Spool, name: str, targets: Mapping[str, TargetSettings]) -> TargetOutage | None:
    """Return the outage that keeps every task of a target waiting.

    Parameters
    ----------
    spool : Spool
        Where the breakers are.
    name : str
        A target or a group.
    targets : mapping of str to TargetSettings
        The targets of the configuration.

    Returns
    -------
    Outage or None
        A target's own; none of one that is disabled. A group's is that of the member which is asked first, once none
        of those in use is up.
    """
    settings = targets.get(name)
    if settings is not None and settings.disabled:
        return None  # nobody wants it to be up
    members = [member for member in settings.leads_to() if not targets[member].disabled] if settings else []
    outages = [read_outage(spool, member) for member in members or [name]]
    known = [outage for outage in outages if outage is not None]
    return min(known, key=lambda outage: outage.until) if len(known) == len(outages) else None


def taken_by(spool: Spool, name: str, targets: Mapping[str, TargetSettings]) -> datetime | None:
    """Return when a target, or any member of a group, last took an image; None when none ever did."""
    settings = targets.get(name)
    times = [last_taken(spool, other) for other in (settings.leads_to() if settings else ()) or (name,)]
    return max((time for time in times if time is not None), default=None)
