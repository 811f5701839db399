"""``mercure targets``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.entries import add_entry_commands
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import table, terminal_columns, wrapped
from appliance.presentation.figures import short_moment, zoned_moment
from appliance.presentation.phrases import capabilities_in_words, hanging, matrix_of, proposal_in_words
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.targets import Probed, TargetState


@click.group(cls=OrderedGroup)
@root_option
def targets() -> None:
    """See targets, change them, and ask whether they answer."""


@targets.command("list")
@watch_option
@root_option
@json_option(targets="appliance.control.api.targets:TargetState")
def list_() -> None:
    """List the targets, what waits for them, and which are down."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.targets.LIST).targets
    show({"targets": found}, lambda: table(["TARGET", "KIND", "WAITING", "FAILED", "STATE"], _rows(found)))


def _rows(found: Iterable[TargetState]) -> Iterator[tuple[str, ...]]:
    for target in found:
        yield (target.name, target.kind, str(target.waiting), str(target.failed), _state(target))


def _state(target: TargetState) -> str:
    if target.disabled:
        return "disabled"
    outage = target.outage
    if outage is not None:
        asks = "is given one image" if outage.by_image else "is asked"
        next_ = f"; {asks} next at {short_moment(outage.until)}"
        return f"down since {short_moment(outage.since)}: {outage.error}{next_}"
    if target.taken is None:
        return "no outage known, took nothing yet"
    return f"no outage known, took an image {short_moment(target.taken)}"


add_entry_commands(targets, "targets")


@targets.command()
@click.argument("name", metavar="TARGET", shell_complete=shell_completion.targets)
@root_option
@json_option("appliance.control.api.targets:EchoAnswer")
def echo(name: str) -> None:
    """Ask a target whether it would take images now, and leave nothing there.

    A DICOM node is asked for a C-ECHO, a folder is looked at. Exit code 0: it would; 1: it would not.
    """
    from appliance.control import api  # noqa: PLC0415

    answer = ask(api.targets.ECHO, api.targets.EchoTarget(name=name))
    word = "well" if answer.ok else "bad"
    show(answer, lambda: [printable(f"{answer.target} ({answer.kind}): {word}, {answer.seconds:.2f} s: {answer.text}")])
    end_with(exit_codes.WELL if answer.ok else exit_codes.FAILED)


@targets.command()
@click.argument("name", metavar="TARGET", shell_complete=shell_completion.targets)
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


@targets.command()
@click.argument("name", metavar="TARGET", shell_complete=shell_completion.targets)
@click.option("--associations", is_flag=True, help="Also open some at once, to see how many it has, and release them.")
@click.option(
    "--at-most", type=click.IntRange(1, 64), default=4, show_default=True, help="With --associations: so many."
)
@click.option("--last", is_flag=True, help="Ask nothing; show what it said last.")
@click.option("--apply", is_flag=True, help="Save the settings that are proposed.")
@root_option
@json_option("appliance.control.api.targets:Probed")
def probe(name: str, associations: bool, at_most: int, last: bool, apply: bool) -> None:
    """Ask a DICOM node once what it takes, by an echo and negotiations alone; no image is sent.

    SOP classes by transfer syntaxes, the longest PDU, how fast it answers, and what would suit it better in its
    settings. One association follows the other, with pauses. Exit code 0: it was asked; 1: it could not be.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        if last:
            probed = ask_for(api.targets.KNOWN, api.targets.OneTarget(name=name))
        else:
            wanted = api.targets.ProbeTarget(name=name, associations=at_most if associations else 0)
            probed = ask_for(api.targets.PROBE, wanted)
        show(probed, lambda: probe_lines(probed))
        if apply and probed.settings is not None:
            comment = "as proposed after asking the target what it takes"
            change = api.targets.SaveTarget(
                name=name, settings=probed.settings, edited_from=probed.revision, comment=comment
            )
            narrate(f"saved as revision {ask_for(api.targets.SAVE, change).revision}")
    end_with(exit_codes.WELL if probed.ok else exit_codes.FAILED)


def probe_lines(probed: Probed) -> Iterator[str]:
    """Write what a target takes, and what is proposed."""
    columns = terminal_columns()
    if probed.known is not None:
        for what, text in (("asked", zoned_moment(probed.known.time)), *capabilities_in_words(probed.known)):
            yield from hanging(f"{what:<16}", printable(text), columns)
        yield from ("", *matrix_of(probed.known, columns), "")
    if probed.text:
        yield from wrapped(printable(f"{probed.target}: {probed.text}"), columns)
        yield from wrapped(printable(f"→ {probed.advice}"), columns, indent=2)
    for each in probed.proposals:
        yield from wrapped(printable(f"proposed: {proposal_in_words(each)}"), columns)
    if probed.proposals:
        yield f"`mercure targets probe {printable(probed.target)} --apply` saves that"
    elif probed.ok:
        yield "its settings suit it"
