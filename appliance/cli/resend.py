"""``mercure resend``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Final

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, narrate, root_option, show, watch_option
from appliance.cli.history import Since, tags_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import table
from appliance.presentation.figures import size, zoned_moment
from appliance.presentation.phrases import plural
from appliance.presentation.resends import job_in_words, plan_in_words

if TYPE_CHECKING:
    from appliance.cli.requests import Ask
    from appliance.control.api.base import Verb
    from appliance.control.api.resend import OneResend, PlanResend, Resends, ResendState

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_LISTED: Final = 20_000
_LONGEST: Final = 200
_COLUMNS: Final = ("task", "accession", "patient", "patient_id", "study", "study_uid", "series", "series_uid")
"""Headings of a CSV file by which a column is known, from the narrowest; else it is the first column."""


def _selection(command: Any) -> Any:  # noqa: ANN401 - as click's decorators
    """Add the arguments that say what is meant, and how it is sent."""
    for option in (
        tags_option,
        click.option("--off-peak", is_flag=True, help="Only in the off-peak hours."),
        click.option("--older", is_flag=True, help="Also images of which there is a newer version."),
        click.option("--csv", "listed", type=click.File("rb"), help="Those that a CSV file names, a line each."),
        click.option(
            "--stage",
            "stages",
            multiple=True,
            type=click.Choice(["success", "discard", "error"]),
            help="Only what is there: delivered, discarded or failed.",
        ),
        click.option("--target", help="Only what was for this target.", shell_complete=shell_completion.targets),
        click.option("--rule", help='Only what this rule fired for, or "(no rule)".'),
        click.option("--since", type=Since(), help="Only since then: 30m, 12h, 7d, 2w ago, or a date or time."),
        click.option("--series", metavar="UID", help="Only this series."),
        click.option("--study", metavar="UID", help="Only this study."),
        click.option("--patient", metavar="ID", help="Only this patient, by the whole patient id."),
        click.option("--accession", metavar="NUMBER", help="Only this exam, by its whole accession number."),
        click.option(
            "--to",
            multiple=True,
            metavar="TARGET",
            help="To this target instead of its own (administrators).",
            shell_complete=shell_completion.targets,
        ),
        click.option("--anew", is_flag=True, help="Let the rules in force decide where it goes."),
        click.argument("tasks", metavar="[TASK]…", nargs=-1),
    ):
        command = option(command)
    return command


@click.command()
@_selection
@click.option("--plan", "only_plan", is_flag=True, help="Only say what would be sent, and change nothing.")
@click.option("--reason", default="", help="Why; it is kept with the tasks and in the audit.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@root_option
@json_option("appliance.control.api.resend:ResendState")
def resend(*, only_plan: bool, reason: str, yes: bool, **given: Any) -> None:  # noqa: ANN401 - the fields of a selection
    """Send again what was delivered or discarded or failed: to its target, to others (--to), or by the rules (--anew).

    Only what is still on the disk can be sent. First the plan is shown: how much goes where, what does not, and why.
    Then the router sends it by itself, behind all that arrives meanwhile; `mercure resends` shows, pauses and stops
    it. With --anew the rules in force decide on each series as if it had just arrived.

    \b
    mercure resend --accession A77 --reason "lost at the archive"
    mercure resend --anew --since 12h --rule "(no rule)" --plan
    mercure resend --to archive2 --csv exams.csv --off-peak
    mercure resend --stage error --target pacs --since 2h

    Exit code 0: a job was begun, or the plan sends something; 1: there is nothing to send.
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    wanted = _wanted(given)
    if only_plan:
        found = ask(api.resend.PLAN, wanted)
        show(found, lambda: plan_in_words(found))
        end_with(exit_codes.WELL if found.series else exit_codes.FAILED)
        return
    with asking() as ask_for:
        begun = confirm_and_begin(ask_for, wanted, reason, yes=yes)
    if begun is None:
        end_with(exit_codes.FAILED)
        return
    show(begun, lambda: [job_in_words(begun)])


def confirm_and_begin(ask_for: Ask, wanted: PlanResend, reason: str, *, yes: bool) -> ResendState | None:
    """Show a plan, ask, and begin its job; None where there is nothing to send."""
    from appliance.control import api  # noqa: PLC0415

    found = ask_for(api.resend.PLAN, wanted)
    for line in plan_in_words(found):
        narrate(line)
    if not found.series:
        return None
    if not yes:
        click.confirm(f"Send {plural(found.images, 'image')} again?", abort=True, err=True)
    request = api.resend.BeginResend(**wanted.model_dump(), digest=found.digest, reason=reason)
    return ask_for(api.resend.BEGIN, request)


def _wanted(given: dict[str, Any]) -> PlanResend:
    from appliance.control import api  # noqa: PLC0415

    anew, to, listed = given.pop("anew"), given.pop("to"), given.pop("listed")
    if anew and to:
        raise click.UsageError("--anew and --to exclude each other: the rules decide, or you do")
    how = "anew" if anew else "elsewhere" if to else "again"
    names = _read_csv(listed) if listed is not None else ()
    return api.resend.PlanResend.model_validate({**given, "how": how, "to": to, "listed": names})


def _read_csv(file: IO[bytes]) -> tuple[str, ...]:
    """Return what a CSV file names: of a column that is known by its heading, else of the first one."""
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise click.UsageError(f"{file.name} has more than {size(MOST_BYTES)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name} is not UTF-8 text") from None
    if "\0" in text:
        raise click.UsageError(f"{file.name} is no text")
    first = text.partition("\n")[0]
    dialect = ";" if first.count(";") > first.count(",") else ","
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=dialect) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise click.UsageError(f"{file.name} is no CSV file: {error}") from error
    heading = [cell.strip().lower().replace(" ", "_") for cell in rows[0]] if rows else []
    column = next((heading.index(name) for name in _COLUMNS if name in heading), None)
    cells = [row[column or 0].strip() for row in (rows if column is None else rows[1:]) if len(row) > (column or 0)]
    names = tuple(dict.fromkeys(cell for cell in cells if cell))
    if not names:
        raise click.UsageError(f"{file.name} names nothing")
    if len(names) > MOST_LISTED or any(len(name) > _LONGEST for name in names):
        raise click.UsageError(f"{file.name} names more than {MOST_LISTED}, or has cells longer than {_LONGEST}")
    return names


@click.group(cls=OrderedGroup)
@root_option
def resends() -> None:
    """See the jobs that send again; pause, resume and stop them.

    A JOB is named by its id or the end of it, such as the eight characters that `resends list` shows.
    """


@resends.command("list")
@watch_option
@root_option
@json_option("appliance.control.api.resend:Resends")
def list_() -> None:
    """List the jobs that send again, and how far each is."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.resend.LIST)
    show(found, lambda: _list_lines(found))


def _list_lines(found: Resends) -> Iterator[str]:
    if not found.jobs:
        yield "no jobs"
        return
    rows = [
        (job.id[-8:], job.state, job.how, f"{job.done}/{job.items}", str(sum(it.tasks for it in job.left)), job.by,
         zoned_moment(job.at), job.reason)
        for job in found.jobs
    ]  # fmt: skip
    yield from table(["JOB", "STATE", "HOW", "DONE", "LEFT", "BY", "SINCE", "REASON"], rows)


def _change(verb: Verb[OneResend, ResendState], job: str) -> None:
    from appliance.control import api  # noqa: PLC0415

    changed = ask(verb, api.resend.OneResend(job=job))
    show({"changed": [changed]}, lambda: [job_in_words(changed)])


@resends.command()
@click.argument("job")
@root_option
@json_option(changed="appliance.control.api.resend:ResendState")
def pause(job: str) -> None:
    """Pause a JOB: what it has put into the queue is delivered, and no more is put there."""
    from appliance.control import api  # noqa: PLC0415

    _change(api.resend.PAUSE, job)


@resends.command()
@click.argument("job")
@root_option
@json_option(changed="appliance.control.api.resend:ResendState")
def resume(job: str) -> None:
    """Resume a JOB that was paused."""
    from appliance.control import api  # noqa: PLC0415

    _change(api.resend.RESUME, job)


@resends.command()
@click.argument("job")
@root_option
@json_option(changed="appliance.control.api.resend:ResendState")
def stop(job: str) -> None:
    """End a JOB for good: what it has put into the queue is delivered."""
    from appliance.control import api  # noqa: PLC0415

    _change(api.resend.STOP, job)
