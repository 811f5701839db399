"""Site settings: the time zone of the place."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from mercure.model import Model


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is not a time zone, use an IANA name such as 'Europe/Berlin'") from error
    return text


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Site(Model):
    """Where the router stands. The machine's clock stays UTC."""

    timezone: TimeZone = "UTC"
    """Time zone of `off_peak`, and of the day and its hours in what is told of senders: an IANA name such as
    ``Europe/Berlin``."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)
