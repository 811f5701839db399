"""Site settings: what may stand in them, and times by the clock of the site."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from mercure.config import Config
from mercure.config.models import OffPeak
from mercure.config.site import SiteSettings

WINTER, SUMMER = datetime(2026, 1, 15, 22, 40, 12, tzinfo=UTC), datetime(2026, 7, 15, 22, 40, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "instant", "text"),
    [
        ("UTC", WINTER, "2026-01-15 22:40:12 (UTC)"),
        ("Etc/UTC", WINTER, "2026-01-15 22:40:12 (UTC)"),
        ("Europe/Berlin", WINTER, "2026-01-15 23:40:12 (Europe/Berlin, CET)"),
        ("Europe/Berlin", SUMMER, "2026-07-16 00:40:12 (Europe/Berlin, CEST)"),
        ("Asia/Kolkata", WINTER, "2026-01-16 04:10:12 (Asia/Kolkata, IST)"),
        ("America/Sao_Paulo", WINTER, "2026-01-15 19:40:12 (America/Sao_Paulo, -03)"),
    ],
)
def test_an_instant_is_written_with_the_name_of_its_zone(zone: str, instant: datetime, text: str) -> None:
    assert SiteSettings(timezone=zone).clock_text(instant) == text


@pytest.mark.parametrize(
    ("settings", "call", "words"),
    [
        ({}, "", ""),
        ({"name": "St. Example"}, "", "St. Example"),
        ({"contact": " IT "}, "IT", "call IT"),
        ({"telephone": "4711"}, "4711", "call 4711"),
        ({"name": "S", "contact": "IT", "telephone": "+49 30 4711"}, "IT, +49 30 4711", "S; call IT, +49 30 4711"),
    ],
)
def test_whom_to_call(settings: dict[str, str], call: str, words: str) -> None:
    site = SiteSettings.model_validate(settings)
    assert (site.whom_to_call, site.in_words) == (call, words)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Berlin"},
        {"timezone": "../../etc/passwd"},
        {"language": "fr"},
        {"name": "a\nb"},
        {"contact": "a\x1b[2J"},
        {"contact": "\u202eTI"},
        {"telephone": "1" * 201},
    ],
)
def test_what_cannot_be_shown_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SiteSettings.model_validate(wrong)


def test_off_peak_hours_are_told_with_their_zone() -> None:
    night = {"start": "20:00", "end": "06:00"}
    config = Config.model_validate({"site": {"timezone": "Europe/Berlin"}, "off_peak": night})
    assert config.off_peak.contains(datetime(2026, 1, 15, 19, 0, tzinfo=UTC), config.site.timezone)
    assert not config.off_peak.contains(datetime(2026, 1, 15, 18, 59, tzinfo=UTC), config.site.timezone)
    assert config.off_peak.in_words(config.site.timezone) == "20:00 to 06:00 (Europe/Berlin)"
    assert OffPeak.model_validate({**night, "timezone": "Asia/Tokyo"}).in_words("UTC") == "20:00 to 06:00 (Asia/Tokyo)"
