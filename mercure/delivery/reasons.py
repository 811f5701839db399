"""Why nothing goes to a target just now, for those who show it to people."""

from __future__ import annotations

from collections.abc import Mapping

from mercure.config import TargetSettings
from mercure.delivery.breaker import read_outage
from mercure.delivery.outage import Outage
from mercure.spool import Spool


def outage_of(spool: Spool, name: str, targets: Mapping[str, TargetSettings]) -> Outage | None:
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
        A target's own. A group's is that of the member which is asked first, once none of those in use is up.
    """
    settings = targets.get(name)
    members = [member for member in settings.leads_to() if not targets[member].disabled] if settings else []
    outages = [read_outage(spool, member) for member in members or [name]]
    known = [outage for outage in outages if outage is not None]
    return min(known, key=lambda outage: outage.until) if len(known) == len(outages) else None
