"""Site settings: where the router stands, whom people call about it, and by which clock times are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from mercure.model import Model
from mercure.printable import one_line


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is not a time zone, use an IANA name such as 'Europe/Berlin'") from error
    return text


def _one_line(text: str) -> str:
    plain = text.strip()
    if one_line(plain) != plain:
        raise ValueError("it stands on the page and in messages: one line, without control characters or wide gaps")
    return plain


TimeZone = Annotated[str, AfterValidator(_time_zone)]
ShownText = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
"""A text that strangers read, on one line."""


class SiteSettings(Model):
    """Where the router stands, and whom people call. The machine's clock stays UTC, and so does all that is stored."""

    name: ShownText = ""
    """Name of the site, such as ``St. Example, Radiology``: on the status page, in messages and in `mercure status`."""
    timezone: TimeZone = "UTC"
    """Time zone of the status page, of times in messages to people, of `off_peak`, and of the day and its hours in what
    is told of senders: an IANA name such as ``Europe/Berlin``."""
    contact: ShownText = ""
    """Whom people call about the router, such as ``IT service desk``: on the status page and in messages."""
    telephone: ShownText = ""
    """Their telephone number, shown beside `contact`."""
    language: Literal["en", "de"] | None = None
    """Language of the status page, for who chooses none on the page itself; absent: that of the reader's browser."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    def zone_name(self, instant: datetime) -> str:
        """Name the time zone: ``Europe/Berlin, CET``, or its short name alone where it has no other."""
        short = instant.astimezone(self.zone).tzname() or self.timezone
        return short if self.timezone in (short, "Etc/UTC", "Etc/GMT") else f"{self.timezone}, {short}"

    def clock_text(self, instant: datetime) -> str:
        """Write an instant by the clock on the wall here, with the name of the zone."""
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M:%S} ({self.zone_name(instant)})"

    @property
    def in_words(self) -> str:
        """Name of the site, and whom to call; empty where nothing is known."""
        return "; ".join(filter(None, (self.name, f"call {self.whom_to_call}" if self.whom_to_call else "")))

    @property
    def whom_to_call(self) -> str:
        """Whom to call, by which number; empty where neither is known."""
        return ", ".join(filter(None, (self.contact, self.telephone)))
