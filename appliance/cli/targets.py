"""``mercure targets``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import completing, exit_codes
from appliance.cli.asking import ask
from appliance.cli.common import end_with, json_option, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.text import printable, short_moment, table

if TYPE_CHECKING:
    from appliance.control.api.targets import TargetState


@click.group(cls=OrderedGroup)
@root_option
def targets() -> None:
    """See targets, and ask whether they answer."""


@targets.command("list")
@root_option
@json_option(targets="appliance.control.api.targets:TargetState")
def list_() -> None:
    """List the targets, what waits for them, and which are down."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.targets.LIST).targets
    show({"targets": found}, lambda: table(["TARGET", "KIND", "WAITING", "FAILED", "STATE"], _rows(found)))


def _rows(found: Iterable[TargetState]) -> Iterator[tuple[str, ...]]:
    for target in found:
        state = "disabled" if target.disabled else "no outage known"
        if target.outage is not None:
            state = f"down since {short_moment(target.outage.since)}: {target.outage.error}"
        yield (target.name, target.kind, str(target.waiting), str(target.failed), state)


@targets.command()
@click.argument("name", metavar="TARGET", shell_complete=completing.targets)
@root_option
@json_option("appliance.control.api.targets:EchoAnswer")
def echo(name: str) -> None:
    """Ask a target whether it would take images now, and leave nothing there.

    A DICOM node is asked for a C-ECHO, a folder is looked at. Exit code 0: it would; 1: it would not.
    """
    from appliance.control import api  # noqa: PLC0415

    answer = ask(api.targets.ECHO, api.targets.EchoTarget(name=name))
    word = "well" if answer.ok else "NOT well"
    show(answer, lambda: [printable(f"{answer.target} ({answer.kind}): {word}, {answer.seconds:.2f} s: {answer.text}")])
    end_with(exit_codes.WELL if answer.ok else exit_codes.FAILED)


@targets.command()
@click.argument("name", metavar="TARGET", shell_complete=completing.targets)
@click.option("--images", type=click.IntRange(1, 100), default=1, show_default=True, help="How many.")
@root_option
@json_option("appliance.control.api.targets:TestSent")
def test(name: str, images: int) -> None:
    """Send made-up images without a patient to a target, by the way of a real delivery; they stay there.

    Exit code 0: all were taken; 1: not.
    """
    from appliance.control import api  # noqa: PLC0415

    sent = ask(api.targets.TEST_SEND, api.targets.TestSend(name=name, images=images))
    text = f"{sent.target}: {sent.confirmed} of {sent.sent} confirmed, {sent.seconds:.2f} s: {sent.text}"
    show(sent, lambda: [printable(text), f"series {sent.series_uid}"])
    end_with(exit_codes.WELL if sent.ok else exit_codes.FAILED)
