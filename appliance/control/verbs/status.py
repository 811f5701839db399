"""``status.get``, ``alerts.*``, ``whoami``."""

from __future__ import annotations

from appliance.control.alerts import monitor
from appliance.control.alerts.health import current_alerts, status
from appliance.control.api import status as api
from appliance.control.api.base import Nothing
from appliance.control.errors import ControlError
from appliance.control.verbs import Asked, carries_out, table
from mercure import __version__


@carries_out(api.GET)
def get(asked: Asked, wanted: Nothing) -> api.Status:
    """Look at everything."""
    return status(asked.session)


@carries_out(api.ALERTS)
def alerts(asked: Asked, wanted: Nothing) -> api.Alerts:
    """List what a person should look at."""
    return current_alerts(asked.session)


@carries_out(api.ACKNOWLEDGE)
def acknowledge(asked: Asked, wanted: api.AcknowledgeAlert) -> api.Alert:
    """Note that somebody knows of an alert."""
    session, now = asked.session, asked.session.clock.now()
    if wanted.until is not None and wanted.until <= now:
        raise ControlError("invalid", "the end of the acknowledgement lies in the past", "name a later time, or none")
    known = api.Acknowledgement(by=session.user, at=now, until=wanted.until, comment=wanted.comment)
    return monitor.acknowledge(session, wanted.key, None if wanted.withdraw else known)


@carries_out(api.WHO_AM_I)
def whoami(asked: Asked, wanted: Nothing) -> api.WhoAmI:
    """Tell who asks, and what he may."""
    caller = asked.caller
    return api.WhoAmI(
        user=caller.user,
        uid=caller.uid,
        role=caller.role,
        node=asked.session.config.name,
        root=str(asked.session.root.path),
        version=__version__,
        verbs=tuple(name for name, bound in table().items() if caller.may(bound.verb.role)),
    )
