"""``status.get``, ``alerts.list``, ``whoami``."""

from __future__ import annotations

from appliance.control.alerts import alerts_of
from appliance.control.api import status as api
from appliance.control.api.base import Nothing
from appliance.control.status import status
from appliance.control.verbs import Asked, carries_out, table
from mercure import __version__


@carries_out(api.GET)
def get(asked: Asked, wanted: Nothing) -> api.Status:
    """Look at everything."""
    return status(asked.session)


@carries_out(api.ALERTS)
def alerts(asked: Asked, wanted: Nothing) -> api.Alerts:
    """Derive what a person should look at."""
    return alerts_of(status(asked.session))


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
