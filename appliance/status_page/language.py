"""Language of a page: which one its reader gets, and how texts, numbers, times and the zone are said in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from appliance.presentation.figures import duration
from appliance.presentation.phrases import count
from appliance.status_page.texts import LANGUAGES, TEXTS

DEFAULT: Final = next(iter(LANGUAGES))
_MOST_ACCEPTED: Final = 500
"""Characters of ``Accept-Language`` that are read."""

_ORDER: Final = tuple(LANGUAGES)
_WEIGHT: Final = re.compile(r"q=([01](\.\d{1,3})?)")


@dataclass(frozen=True)
class Moment:
    """An instant as it is shown: how long ago, by the clock on the wall, and for machines."""

    ago: str
    clock: str
    iso: str


@dataclass(frozen=True)
class Words:
    """Everything that the page says, in one language and by one clock.

    Parameters
    ----------
    language : str
        A tag of `LANGUAGES`.
    zone : tzinfo
        The time zone of the site.
    """

    language: str = DEFAULT
    zone: tzinfo = UTC

    def __call__(self, key: str, **values: object) -> str:
        """Return a text, with the values in it.

        Raises
        ------
        KeyError
            There is no such text, or it wants other values.
        """
        return TEXTS[key][_ORDER.index(self.language)].format(**values)

    @staticmethod
    def key(key: str, otherwise: str) -> str:
        """Return a key if there is a text of it, or else the other one."""
        return key if key in TEXTS else otherwise

    def plural(self, number: int, key: str) -> str:
        """Return a number with its word, by the rows ``….one`` and ``….many``."""
        return self(f"{key}.one" if number == 1 else f"{key}.many", count=count(number))

    def duration(self, seconds: float) -> str:
        """Return a duration in one unit."""
        number, _, unit = duration(seconds).partition(" ")
        return f"{number} {self(f'unit.{unit}')}"

    def local(self, instant: datetime) -> datetime:
        """Return an instant by the clock on the wall of the site."""
        return instant.astimezone(self.zone)

    def weekday(self, instant: datetime) -> str:
        """Return the short name of the day of the week on which an instant is."""
        return self(f"day.{self.local(instant).weekday()}")

    def day(self, instant: datetime) -> str:
        """Return the day of a month on which an instant is."""
        return self.local(instant).strftime(self("date.day"))

    def clock(self, instant: datetime, now: datetime) -> str:
        """Return when something was by the clock on the wall of the site, with the day where it is not today."""
        local, today = self.local(instant), self.local(now)
        if local.date() == today.date():
            return f"{local:%H:%M}"
        return local.strftime(self("date" if local.year == today.year else "date.year"))

    def moment(self, instant: datetime | None, now: datetime) -> Moment | None:
        """Say when something was, in the time zone of the site."""
        if instant is None:
            return None
        seconds = (now - instant).total_seconds()
        time = self.duration(abs(seconds))
        ago = self("ago", time=time) if seconds >= 0 else self("in", time=time)
        return Moment(ago=ago, clock=self.clock(instant, now), iso=instant.isoformat(timespec="seconds"))


def language_of(chosen: str, accepted: str, usual: str | None = None) -> str:
    """Return the language of a reader.

    Parameters
    ----------
    chosen : str
        What a link asked for; it counts first.
    accepted : str
        ``Accept-Language`` of the browser (RFC 9110, 12.5.4).
    usual : str, optional
        The language of the site; it counts before that of the browser, which is often just how it was installed.
    """
    for tag in (chosen, usual):
        if tag in LANGUAGES:
            return tag
    wanted: list[tuple[float, str]] = []
    for part in accepted[:_MOST_ACCEPTED].split(","):
        tag, _, weight = part.strip().partition(";")
        found = _WEIGHT.fullmatch(weight.strip())
        wanted.append((float(found[1]) if found else 1.0, tag.partition("-")[0].strip().lower()))
    known = [(weight, tag) for weight, tag in wanted if tag in LANGUAGES and weight > 0]
    return max(known, key=lambda item: item[0])[1] if known else DEFAULT
