"""``mercure channels``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from appliance.cli.common import json_option, root_option, show, watch_option
from appliance.cli.entries import add_entry_commands
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.cli.text import table


@click.group(cls=OrderedGroup)
@root_option
def channels() -> None:
    """See and change the channels to people: e-mail and webhooks. `mercure notifications test` tries one."""


@channels.command("list")
@watch_option
@root_option
@json_option("appliance.control.api.configuration:SettingsFound")
def list_() -> None:
    """List the channels, and where each sends to."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.configuration.GET, api.configuration.GetSettings(place="notifications.channels"))
    content = ask(api.configuration.SHOW).mercure.content.get("notifications", {}).get("channels", {})
    show(found, lambda: table(["CHANNEL", "KIND", "STATE", "TO"], _rows(content)))


def _rows(content: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, settings in content.items():
        to = ", ".join(settings["recipients"]) if "recipients" in settings else str(settings.get("url", ""))
        yield name, str(settings["kind"]), "disabled" if settings.get("disabled") else "", to


add_entry_commands(channels, "channels")
