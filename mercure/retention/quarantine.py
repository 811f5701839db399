"""Retention of the quarantine: what could not be read, was not acknowledged, and did not come again for long."""

from __future__ import annotations

from mercure import durable
from mercure.event_details import QuarantineLeft
from mercure.events import EventWriter
from mercure.names import derived_id
from mercure.spool import Claim, Spool, Stage, Uptime
from mercure.spool.quarantine import entries, forget_gone


def expire_quarantine(spool: Spool, events: EventWriter, lived: Uptime, seconds: float) -> int:
    """Remove the objects that came last so long ago; return how many.

    Parameters
    ----------
    spool, events : Spool and EventWriter
        Where, and where it is told.
    lived : Uptime
        By which ages are counted.
    seconds : float
        How long an object is kept.
    """
    old = [one for one in entries(spool) if lived.age(one.last) > seconds]
    for one in old:
        claim = Claim.take(spool.entry(Stage.QUARANTINE, one.name))
        if claim is None:
            continue  # a person is looking after it
        with claim:
            told = QuarantineLeft(entry=one.name, reason=f"kept since {one.last:%Y-%m-%d %H:%M} UTC")
            events.emit(told, type="quarantine.expired", id=derived_id(one.name, "quarantine.expired"))
            events.sync()
            durable.remove_tree(claim.path)
    forget_gone(spool)
    return len(old)
