"""A message tells from where it comes, whom to call, and times by the clock of the site; for machines they are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mercure.config import Config
from mercure.config.notifications import OCCASIONS, ChannelSettings, NotificationSettings, Occasion, Wording
from mercure.config.site import SiteSettings
from mercure.names import new_id
from mercure.notifications.message import Message, compose
from mercure.notifications.message_facts import MessageFacts

NOW = datetime(2026, 11, 30, 22, 40, 12, 345678, tzinfo=UTC)
SITE = SiteSettings(name="St. Example", timezone="Europe/Berlin", contact="IT service desk", telephone="4711")


def written(site: SiteSettings, occasion: Occasion = "alert_raised", wording: Any = None, **facts: Any) -> Message:
    told = MessageFacts(router="east", occasion=occasion, text="pacs is down", **facts)
    config = Config(site=site, notifications=NotificationSettings(templates=wording or {}))
    return compose("mail", ChannelSettings(), config, told, now=NOW, of=new_id(NOW))


def test_an_alert_is_told_by_the_clock_of_the_site() -> None:
    message = written(SITE, since="2026-11-30T21:05:00Z")
    assert message.text == (
        "pacs is down\n\n"
        "Router:   east, St. Example\n"
        "Time:     2026-11-30 23:40:12 (Europe/Berlin, CET)\n"
        "Since:    2026-11-30 22:05:00 (Europe/Berlin, CET)\n"
        "\nQuestions? Call IT service desk, 4711.\n"
    )


def test_without_a_site_it_is_utc_by_name_and_nobody_is_called() -> None:
    message = written(SiteSettings(), since="2026-11-30T21:05:00Z")
    assert "Time:     2026-11-30 22:40:12 (UTC)\n" in message.text
    assert "Since:    2026-11-30 21:05:00 (UTC)" in message.text
    assert "Router:   east\n" in message.text
    assert "Questions?" not in message.text


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_every_occasion_tells_whom_to_call(occasion: Occasion) -> None:
    text = written(SITE, occasion).text
    assert "Questions? Call IT service desk, 4711." in text
    assert "2026-11-30 23:40:12 (Europe/Berlin, CET)" in text
    assert "Questions? Call 4711." in written(SiteSettings(telephone="4711"), occasion).text
    assert "Questions? Call IT." in written(SiteSettings(contact="IT"), occasion).text


def test_what_machines_read_stays_utc() -> None:
    message = written(SITE, since="2026-11-30T21:05:00Z")
    assert (message.values["time"], message.values["since"]) == ("2026-11-30T22:40:12Z", "2026-11-30T21:05:00Z")
    assert message.values["local_received"] == ""
    assert message.created == NOW


def test_a_template_of_a_person_has_them_too() -> None:
    text = "{{ time }} {{ local_since }} {{ site }} {{ site_contact }} {{ site_telephone }}"
    message = written(SITE, wording={"alert_raised": Wording(text=text)}, since="2026-07-01T10:00:00Z")
    zone = "2026-07-01 12:00:00 (Europe/Berlin, CEST)"
    assert message.text == f"2026-11-30T22:40:12Z {zone} St. Example IT service desk 4711"
