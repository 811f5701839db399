"""Who asks, and what the role allows."""

from __future__ import annotations

from appliance.control.api import status as api
from appliance.control.api.base import Nothing
from appliance.control.registry import Asked, carries_out_for_caller, table
from mercure import __version__


@carries_out_for_caller(api.WHO_AM_I)
def whoami(asked: Asked, wanted: Nothing) -> api.WhoAmI:
    """Say who asks, at which router, and which verbs the role allows."""
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
