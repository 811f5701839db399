"""``subscribe``."""

from __future__ import annotations

from appliance.control.api import streams as api
from appliance.control.rpc.streams import HEARTBEAT_SECONDS
from appliance.control.services import logs
from appliance.control.verbs import Asked, carries_out


@carries_out(api.SUBSCRIBE)
def subscribe(asked: Asked, wanted: api.Subscribe) -> api.Subscribed:
    """Say what will come; the connection sends it."""
    for name in wanted.logs:
        logs.log_files(asked.session, name)
    return api.Subscribed(topics=wanted.topics, heartbeat_seconds=HEARTBEAT_SECONDS)
