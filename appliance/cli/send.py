"""``mercure send``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, narrate, open_session, root_option, show
from mercure.names import place_of
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.targets.send_files import FileSent, Sent


@click.command()
@click.argument("paths", metavar="FILE|FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--target", help="To this target of the configuration.", shell_complete=shell_completion.targets)
@click.option("--host", help="To this host.")
@click.option("--port", type=click.IntRange(1, 65535), help="To this port.")
@click.option("--called-aet", metavar="TITLE", help="By this AE title of the receiver.")
@click.option("--calling-aet", metavar="TITLE", help="As this AE title.")
@root_option
@json_option("appliance.control.targets.send_files:Sent")
def send(paths: tuple[Path, ...], **to: Any) -> None:  # noqa: ANN401 - the fields of a Destination
    """Send DICOM files, and all below folders, by C-STORE: to this router, as a scanner does, or elsewhere.

    Files that are no DICOM files are named and left out. Exit code 0: every DICOM file was taken; 1: not.
    """
    from appliance.control.targets.send_files import Destination, send_files  # noqa: PLC0415

    destination = Destination(**to)
    if destination.target is not None and (destination.host is not None or destination.port is not None):
        raise click.UsageError("--target has an address: leave --host and --port away")
    sent = send_files(open_session(), paths, destination, _progress())
    show(sent, lambda: _lines(sent))
    end_with(exit_codes.WELL if sent.complete else exit_codes.FAILED)


def _progress() -> Callable[[FileSent], None]:
    """Count on a terminal what is done, in place."""
    count = 0

    def report(file: FileSent) -> None:
        nonlocal count
        count += 1
        if sys.stderr.isatty():
            click.echo(f"\r{count} files", nl=False, err=True)

    return report


def _lines(sent: Sent) -> Iterator[str]:
    from appliance.control.targets.send_files import TAKEN  # noqa: PLC0415

    if sys.stderr.isatty():
        narrate("")
    for file in sent.files:
        if file.outcome != "confirmed":
            why = " ".join(filter(None, [file.status, file.comment]))
            yield printable(f"{file.outcome}: {file.file}{f': {why}' if why else ''}")
    if sent.problem:
        yield printable(f"problem: {sent.problem}")
    taken, skipped = sent.count(*TAKEN), sent.count("skipped")
    others = len(sent.files) - taken - skipped
    counts = [f"{taken} images taken by {sent.called_aet} at {place_of(sent.host, sent.port)}"]
    counts += [f"{others} not"] if others else []
    counts += [f"{skipped} skipped"] if skipped else []
    yield printable(", ".join(counts))
