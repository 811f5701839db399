"""``mercure config``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, narrate, open_session, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.presentation.figures import zoned_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.base import Problem
    from appliance.control.api.configuration import Configuration, Validation


@click.group(cls=OrderedGroup)
@root_option
def config() -> None:
    """See the configuration, check a file, take over another."""


@config.command("show")
@root_option
@json_option("appliance.control.api.configuration:Configuration")
def show_() -> None:
    """Print the configuration in force, with its revision; what has its usual value is left out."""
    from appliance.control import api  # noqa: PLC0415

    shown = ask(api.configuration.SHOW)
    show(shown, lambda: _lines(shown))


def _lines(shown: Configuration) -> Iterator[str]:
    from appliance.control.configuration.files import pretty  # noqa: PLC0415

    for file in (shown.mercure, shown.services):
        saved = f", saved {zoned_moment(file.saved)} by {file.author}" if file.saved else ""
        hand = ", edited by hand since" if file.by_hand else ""
        yield printable(f"# {file.file}: revision {file.revision}{saved}{hand}")
        if file.problems:
            yield "# the file itself cannot be used:"
            yield from (f"#   {line}" for line in _problems(file.problems))
        yield from (printable(line) for line in pretty(file.content).splitlines())


@config.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--save", is_flag=True, help="Make it the configuration of this router, as a new revision.")
@root_option
@json_option("appliance.control.configuration.upstream_import:ImportResult")
def import_(file: Path, save: bool) -> None:
    """Convert the mercure.json of an existing mercure installation (0.2 to 0.4).

    The converted configuration is printed; what has no equivalent here is listed on standard error, by name, with the
    reason. Exit code 1 when what came out cannot be used yet.
    """
    from appliance.control.configuration.files import pretty  # noqa: PLC0415
    from appliance.control.configuration.upstream_import import import_file  # noqa: PLC0415

    result = import_file(open_session(), file, save=save)
    show(result, lambda: pretty(result.config).splitlines())
    for remark in result.remarks:
        narrate(f"{remark.place}: {remark.reason}")
    for problem in result.problems:
        narrate(f"NOT usable yet: {problem}")
    if result.revision is not None:
        narrate(f"saved as revision {result.revision}")
    end_with(exit_codes.FAILED if result.problems else exit_codes.WELL)


@config.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@root_option
@json_option(files="appliance.control.api.configuration:Validation")
def validate(file: Path | None) -> None:
    """Check a configuration file and list all that is wrong with it, each with its place and what to do.

    Without FILE both files of the root are checked. A file named services.json counts as such, any other as
    mercure.json. Exit code 0: valid; 1: not.
    """
    from appliance.control.configuration.files import validate as check  # noqa: PLC0415

    found = check(open_session(), file)
    show({"files": found}, lambda: _verdicts(found))
    end_with(exit_codes.WELL if all(item.valid for item in found) else exit_codes.FAILED)


def _verdicts(found: Iterable[Validation]) -> Iterator[str]:
    for item in found:
        yield printable(f"{item.file}: {'valid' if item.valid else 'NOT valid'}")
        yield from (f"  {line}" for line in _problems(item.problems))


def _problems(problems: Iterable[Problem]) -> Iterator[str]:
    for problem in problems:
        advice = f" → {problem.advice}" if problem.advice else ""
        yield printable(f"{problem.place}: {problem.text}{advice}")
