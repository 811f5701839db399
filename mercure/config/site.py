"""Site settings: what this place is called, its time zone, and whom to call."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from mercure.model import Model


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is not a time zone, use an IANA name such as 'Europe/Berlin'") from error
    return text


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Site(Model):
    """Where the router stands, for people: the status page, messages, off-peak hours. The machine's clock stays UTC."""

    name: Annotated[str, Field(max_length=100)] = ""
    """What the hospital or department is called: on the page and in messages. Empty: nothing."""
    timezone: TimeZone = "UTC"
    """Time zone of the page, of messages and of `off_peak`: an IANA name such as ``Europe/Berlin``."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Whom to ask about the router: a person, a group."""
    telephone: Annotated[str, Field(max_length=50, pattern=r"^[0-9+()/ .-]*$")] = ""
    """Telephone number of the contact."""
    language: Literal["auto", "en", "de"] = "auto"
    """Language of the page: ``auto``: as the browser asks for it, English otherwise."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)
