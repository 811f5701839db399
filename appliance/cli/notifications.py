"""``mercure notifications``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show, watch_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.cli.text import table
from appliance.presentation.figures import short_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.notifications import ChannelReport, ChannelTested, MessageReport, Notifications

_STATES = {"queue": "waits", "sent": "sent", "given_up": "GIVEN UP"}


@click.group(cls=OrderedGroup)
@root_option
def notifications() -> None:
    """See the messages to people, test a channel, try again."""


@notifications.command()
@click.argument("channels", metavar="[CHANNEL]...", nargs=-1)
@root_option
@json_option(tested="appliance.control.api.notifications:ChannelTested")
def test(channels: tuple[str, ...]) -> None:
    """Send a test message by some channels, or by all, at once and past the queue.

    Exit code 0: every channel took it; 1: not so, or there is none.
    """
    from appliance.control import api  # noqa: PLC0415

    names = channels or tuple(item.name for item in ask(api.notifications.LIST).channels if not item.disabled)
    tested = [ask(api.notifications.TEST, api.notifications.TestChannel(channel=name)) for name in names]
    show({"tested": tested}, lambda: _tested(tested))
    end_with(exit_codes.WELL if tested and all(item.ok for item in tested) else exit_codes.FAILED)


def _tested(tested: Iterable[ChannelTested]) -> Iterator[str]:
    found = list(tested)
    if not found:
        yield "there are no channels: add one to 'notifications' in the configuration"
    for item in found:
        yield printable(f"{item.channel}: {'well' if item.ok else 'bad'}, {item.seconds:.2f} s: {item.text}")


@notifications.command("list")
@watch_option
@click.option("--state", type=click.Choice(["queue", "sent", "given_up"]), help="Only messages of this state.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most so many of each.")
@root_option
@json_option("appliance.control.api.notifications:Notifications")
def list_(state: str | None, limit: int) -> None:
    """List the channels, and the messages that wait, were sent or were given up."""
    from appliance.control import api  # noqa: PLC0415

    wanted = api.notifications.ListNotifications.model_validate({"state": state, "limit": limit})
    found = ask(api.notifications.LIST, wanted)
    show(found, lambda: _lines(found))


def _lines(found: Notifications) -> Iterator[str]:
    head = ["CHANNEL", "KIND", "TO", "WAITING", "GIVEN UP", "STATE"]
    yield from table(head, [_channel(item) for item in found.channels])
    yield ""
    head = ["MESSAGE", "MADE", "CHANNEL", "STATE", "TRIES", "SUBJECT"]
    yield from table(head, [_message(item) for item in found.messages])


def _channel(item: ChannelReport) -> tuple[str, ...]:
    state = "disabled" if item.disabled else "no fault known"
    if item.failing_since is not None:
        state = f"FAILS since {short_moment(item.failing_since)}: {item.error}"
    return (item.name, item.kind, item.to, str(item.waiting), str(item.given_up), state)


def _message(item: MessageReport) -> tuple[str, ...]:
    state = _STATES[item.state] + (" in a digest" if item.digest else "")
    subject = f"{item.subject}: {item.error}" if item.error else item.subject
    return (item.id, short_moment(item.created), item.channel, state, str(item.attempts), subject)


@notifications.command()
@click.argument("message", required=False)
@click.option("--channel", help="All that were given up of this channel only.")
@root_option
@json_option("appliance.control.api.notifications:MessagesChanged")
def retry(message: str | None, channel: str | None) -> None:
    """Put messages that were given up into the queue again: one, or all; one that waits is tried now."""
    from appliance.control import api  # noqa: PLC0415

    changed = ask(api.notifications.RETRY, api.notifications.SomeMessages(message=message, channel=channel))
    show(changed, lambda: [f"{len(changed.messages)} put into the queue again"])


@notifications.command()
@click.argument("message", required=False)
@click.option("--channel", help="All that were given up of this channel only.")
@root_option
@json_option("appliance.control.api.notifications:MessagesChanged")
def discard(message: str | None, channel: str | None) -> None:
    """Remove messages that were given up: one, or all; or one that waits."""
    from appliance.control import api  # noqa: PLC0415

    changed = ask(api.notifications.DISCARD, api.notifications.SomeMessages(message=message, channel=channel))
    show(changed, lambda: [f"{len(changed.messages)} removed"])
