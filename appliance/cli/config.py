"""``mercure config``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.changes import (
    comment_option,
    confirm,
    difference_lines,
    problem_lines,
    save_change,
    saved_lines,
    told_what_others_changed,
    yes_option,
)
from appliance.cli.common import end_with, json_option, narrate, open_session, root_option, show, watch_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import table
from appliance.presentation.figures import zoned_moment
from appliance.presentation.phrases import when_it_counts
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.base import Difference
    from appliance.control.api.configuration import Configuration, FileName, Revisions, Validation


@click.group(cls=OrderedGroup)
@root_option
def config() -> None:
    """See and change the configuration: settings, whole files, revisions.

    \b
    mercure config get retention
    mercure config set retention.success_days 14
    mercure config set receiver.access listed --comment "the table is complete"
    mercure config diff
    mercure config rollback 7
    """  # noqa: D301 - click keeps the lines after a backspace


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
            yield from (f"#   {line}" for line in problem_lines(file.problems))
        yield from (printable(line) for line in pretty(file.content).splitlines())


@config.command("get")
@click.argument("place", required=False, default="", shell_complete=shell_completion.settings)
@root_option
@json_option("appliance.control.api.configuration:SettingsFound")
def get_(place: str) -> None:
    """Print a setting by its PLACE, or all settings below a place.

    Of a single setting the value alone is on standard output; its meaning, its default and when a change counts are on
    standard error.

    \b
    mercure config get receiver.port
    mercure config get targets.pacs
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.configuration.GET, api.configuration.GetSettings(place=place))
    if len(found.settings) == 1 and found.settings[0].place == place:
        (one,) = found.settings
        show(found, lambda: [printable(one.text)])
        narrate(one.meaning)
        narrate("; ".join([f"default: {one.default_text or 'none'}", *when_it_counts(one.restart, one.renews)]))
        return
    rows = [(item.place, "" if item.given else "default", item.text) for item in found.settings]
    show(found, lambda: table(["SETTING", "", "VALUE"], rows))


@config.command("set")
@click.argument("settings", nargs=-1, required=True, metavar="PLACE VALUE...", shell_complete=shell_completion.settings)
@yes_option
@comment_option
@root_option
@json_option("appliance.control.api.base:Saved")
def set_(settings: tuple[str, ...], yes: bool, comment: str) -> None:
    """Change settings: show the difference, ask, save as a new revision.

    A VALUE is typed as it is read: a number (also `14d`, `20GB`), a word, yes or no, a list with commas, KEY=VALUE
    words for what has names of its own. An empty one ('') brings the default back. Durations can be set in minutes,
    hours, days or weeks: `success_days` for `success_seconds`.

    \b
    mercure config set retention.success_days 14
    mercure config set receiver.called_aets 'CT ONE,CT2' receiver.access learn
    mercure config set targets.pacs.port 104 --yes
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    if len(settings) % 2:
        raise click.UsageError("give a VALUE for each PLACE; an empty one ('') brings the default back")
    changes = dict(zip(settings[::2], settings[1::2], strict=True))
    save_change(
        api.configuration.SET,
        lambda revision, check_only: api.configuration.SetSettings(
            settings=changes, edited_from=revision, comment=comment, check_only=check_only
        ),
        ask=not yes,
    )


_file = click.option(
    "--file", "file", type=click.Choice(["mercure", "services"]), default="mercure", show_default=True,
    help="Which configuration file.",
)  # fmt: skip


@config.command()
@_file
@yes_option
@comment_option
@root_option
@json_option("appliance.control.api.base:Saved")
def edit(file: FileName, yes: bool, comment: str) -> None:
    """Edit a whole configuration file in $EDITOR; it is checked, shown and saved under your name.

    You edit a private copy. What cannot be used is told, and you can edit it again. When somebody else saves meanwhile,
    yours is refused (exit code 4), and what you wrote is kept in the copy.
    """
    from appliance.cli.config_edit import edit_file  # noqa: PLC0415

    edit_file(file, yes=yes, comment=comment)


@config.command("history")
@watch_option
@_file
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@root_option
@json_option("appliance.control.api.configuration:Revisions")
def history_(file: FileName, limit: int) -> None:
    """List the saved revisions, the newest first: when, by whom, why."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.configuration.REVISIONS, api.configuration.ListRevisions(file=file, limit=limit))
    show(found, lambda: table(["REVISION", "", "SAVED", "BY", "COMMENT"], _revision_rows(found)))
    if found.by_hand:
        narrate(f"{file}.json was edited by hand since revision {found.current}")


def _revision_rows(found: Revisions) -> Iterator[tuple[str, ...]]:
    for item in found.revisions:
        state = "in force" if item.revision == found.current else ""
        saved = zoned_moment(item.time) if item.time else ""
        yield (str(item.revision), state, saved, item.author, item.comment or item.problem)


@config.command()
@click.argument("before", type=click.IntRange(0), required=False)
@click.argument("after", type=click.IntRange(1), required=False)
@_file
@root_option
@json_option("appliance.control.api.configuration:Comparison")
def diff(before: int | None, after: int | None, file: FileName) -> None:
    """Show what changed from revision BEFORE to AFTER.

    Without AFTER: to what is in force now. Without both: what the last revision changed. Secrets are not shown.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        if before is None:
            known = ask_for(api.configuration.REVISIONS, api.configuration.ListRevisions(file=file, limit=2))
            numbers = [item.revision for item in known.revisions]
            before, after = (numbers[1] if len(numbers) > 1 else 0), numbers[0] if numbers else None
        request = api.configuration.CompareRevisions(file=file, before=before, after=after)
        found = ask_for(api.configuration.COMPARE, request)
    narrate(f"{file}.json: from revision {found.before} to {found.after}")
    show(found, lambda: map(printable, difference_lines(found.difference)))


@config.command()
@click.argument("revision", type=click.IntRange(1))
@_file
@yes_option
@comment_option
@root_option
@json_option("appliance.control.api.base:Saved")
def rollback(revision: int, file: FileName, yes: bool, comment: str) -> None:
    """Make an old REVISION the newest one again; the state of now stays as a revision."""
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for, told_what_others_changed():
        old = ask_for(api.configuration.COMPARE, api.configuration.CompareRevisions(file=file, before=revision))
        now, back = old.after, tuple(map(_backwards, old.difference))
        confirm(api.base.Saved(revision=now, difference=back), yes=yes)
        request = api.configuration.RollBack(file=file, revision=revision, edited_from=now, comment=comment)
        saved = ask_for(api.configuration.ROLLBACK, request)
    show(saved, lambda: saved_lines(saved))


def _backwards(item: Difference) -> Difference:
    """Return a difference as it is from after to before."""
    how = {"added": "removed", "removed": "added"}.get(item.how, item.how)
    return item.model_copy(update={"how": how, "before": item.after, "after": item.before})


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
        yield from (f"  {line}" for line in problem_lines(item.problems))
