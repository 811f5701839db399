"""``notifications.*``."""

from __future__ import annotations

from appliance.control import notifications
from appliance.control.api import notifications as api
from appliance.control.verbs import Asked, carries_out


@carries_out(api.LIST)
def list_(asked: Asked, wanted: api.ListNotifications) -> api.Notifications:
    """List channels and messages."""
    return notifications.list_notifications(asked.session, wanted)


@carries_out(api.TEST)
def test(asked: Asked, wanted: api.TestChannel) -> api.ChannelTested:
    """Send a test message."""
    return notifications.test_channel(asked.session, wanted.channel, wanted.settings)


@carries_out(api.RETRY)
def retry(asked: Asked, wanted: api.SomeMessages) -> api.MessagesChanged:
    """Try messages again."""
    return notifications.retry(asked.session, wanted)


@carries_out(api.DISCARD)
def discard(asked: Asked, wanted: api.SomeMessages) -> api.MessagesChanged:
    """Remove messages."""
    return notifications.discard(asked.session, wanted)
