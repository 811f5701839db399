"""``mercure alerts``."""

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
    from appliance.control.api.status import Alert


@click.group(cls=OrderedGroup)
@root_option
def alerts() -> None:
    """See what a person should look at, and say that one knows."""


@alerts.command("list")
@watch_option
@root_option
@json_option(alerts="appliance.control.api.status:Alert")
def list_() -> None:
    """List what a person should look at now, the worst first.

    What is on `watch` did not last long enough to send a message. Exit code 0: no more than that; 1: something that
    nobody has acknowledged.
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.status.ALERTS).alerts
    show({"alerts": found}, lambda: _lines(found))
    unknown = [alert for alert in found if not alert.acknowledged and alert.severity != "watch"]
    end_with(exit_codes.FAILED if unknown else exit_codes.WELL)


def _lines(found: Iterable[Alert]) -> Iterator[str]:
    rows = list(found)
    if not rows:
        yield "all is well"
        return
    yield from table(["SEVERITY", "SINCE", "KEY", "WHAT"], [_row(alert) for alert in rows])
    yield ""
    yield from (f"{printable(alert.key)}: {printable(alert.advice)}" for alert in rows if alert.advice)


def _row(alert: Alert) -> tuple[str, ...]:
    since = alert.since or alert.raised
    known = f" (acknowledged by {alert.acknowledged.by})" if alert.acknowledged else ""
    over = " (over, if it stays so)" if alert.over else ""
    return (alert.severity, short_moment(since) if since else "", alert.key, f"{alert.text}{known}{over}")


@alerts.command()
@click.argument("key", metavar="ALERT")
@click.option("--until", type=click.DateTime(), help="The end of it, in UTC; else as long as the alert lasts.")
@click.option("--comment", default="", help="Why; shown with the alert.")
@click.option("--withdraw", is_flag=True, help="Take it back.")
@root_option
@json_option("appliance.control.api.status:Alert")
def acknowledge(key: str, until: object, comment: str, withdraw: bool) -> None:
    """Acknowledge an alert: no reminders of it are sent, and others see who takes care of it.

    ALERT is a key as `mercure alerts list` shows it.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from appliance.control import api  # noqa: PLC0415

    end = until.replace(tzinfo=UTC) if isinstance(until, datetime) else None
    wanted = api.status.AcknowledgeAlert(key=key, until=end, comment=comment, withdraw=withdraw)
    alert = ask(api.status.ACKNOWLEDGE, wanted)
    word = f"acknowledged by {alert.acknowledged.by}" if alert.acknowledged else "not acknowledged"
    show(alert, lambda: [printable(f"{alert.key}: {word}")])
