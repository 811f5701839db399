"""``mercure compare``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, narrate, root_option, show
from appliance.cli.history import Since
from appliance.cli.requests import ask, asking
from appliance.cli.text import terminal_columns, wrapped
from appliance.presentation.comparison import exam_in_words, finding_in_words, verdict
from appliance.presentation.figures import zoned_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.compare import Compared
    from mercure.history.comparison import MissingImage

_MOST_LINES: Final = 200
"""Instances named on the screen; the file and ``--json`` have all."""

_OF_EXAM: Final = ("accession", "patient_id")
_OF_FINDING: Final = ("study_uid", "series_uid", "sop", "missing_at", "why", "text", "time", "task", "rule", "status")
_FORMULA: Final = ("=", "+", "-", "@")
"""A cell that begins so is a formula to a spreadsheet."""


@click.command()
@click.argument("exam", metavar="ACCESSION|STUDY", required=False)
@click.option(
    "--at",
    "target",
    metavar="TARGET",
    required=True,
    shell_complete=shell_completion.targets,
    help="The target to ask.",
)
@click.option("--since", type=Since(), help="All exams since then: 30m, 12h, 7d, 2w ago, or a date or time.")
@click.option(
    "--csv", "file", type=click.File("w", encoding="utf-8", lazy=True), help="Write a line for each instance."
)
@click.option("--send", is_flag=True, help="Then send what is missing there and was meant for it, image by image.")
@click.option("--reason", default="", help="Why it is sent; it is kept with the tasks and in the audit.")
@click.option("--yes", is_flag=True, help="Do not ask whether to send.")
@root_option
@json_option("appliance.control.api.compare:Compared")
def compare(exam: str | None, target: str, since: datetime | None, file: IO[str] | None, **send: Any) -> None:  # noqa: ANN401 - the options of sending
    """Ask a DICOM target what it has of an exam, and name each instance that one side has and the other has not.

    The exam is a whole accession number or Study Instance UID. The target is asked by C-FIND where images are sent to;
    nothing is sent or changed there, unless `--send` and your yes say so. Why an instance is missing is told as far as
    the router knows: it never came, a rule discarded it, the target refused it, it waits, or it was confirmed and is
    gone since.

    Exit code 0: nothing that was meant for the target is missing there; 1: something is, or not all could be asked.
    """
    from appliance.control import api  # noqa: PLC0415

    if (exam is None) == (since is None):
        raise click.UsageError("give either an accession number or study, or --since")
    found = ask(api.compare.RUN, api.compare.Compare(name=target, exam=exam, since=since))
    if file is not None:
        _write(found, file)
        narrate(f"{file.name} has {len(found.missing)} instances")
    show(found, lambda: _lines(found))
    if send["send"]:
        _send_missing(found, send["reason"], yes=send["yes"])
    end_with(exit_codes.WELL if found.ok else exit_codes.FAILED)


def _send_missing(found: Compared, reason: str, *, yes: bool) -> None:
    """Send just the images that are missing at the target and were meant for it, of tasks that are still kept."""
    from appliance.cli.resend import confirm_and_begin  # noqa: PLC0415
    from appliance.control import api  # noqa: PLC0415

    wanted = api.resend.missing_of(found)
    if wanted is None:
        narrate("nothing that can be sent is missing there")
        return
    with asking() as ask_for:
        begun = confirm_and_begin(ask_for, wanted, reason or f"missing at {found.target}", yes=yes)
    if begun is not None:
        narrate(f"job {begun.id} sends them; `mercure resends list` shows how far it is")


def _write(found: Compared, file: IO[str]) -> None:
    exams = {exam.study_uid: exam for exam in found.exams}
    writer = csv.writer(file)
    writer.writerow([*_OF_EXAM, *_OF_FINDING])
    for finding in found.missing:
        exam = exams.get(finding.study_uid)
        values = [*(getattr(exam, name, "") for name in _OF_EXAM), *(getattr(finding, name) for name in _OF_FINDING)]
        writer.writerow([_cell(value) for value in values])


def _cell(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else printable(str(value or ""))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(found: Compared) -> Iterator[str]:
    columns = terminal_columns()
    yield printable(f"{found.target} ({found.destination}), {zoned_moment(found.time)}: {verdict(found)}")
    named: dict[str, list[MissingImage]] = {}
    for finding in found.missing[:_MOST_LINES]:
        named.setdefault(finding.study_uid, []).append(finding)
    for exam in found.exams:
        if len(found.exams) == 1 or exam.missing_there or exam.missing_here or exam.problems:
            yield ""
            yield from wrapped(exam_in_words(exam), columns)
            for problem in exam.problems:
                yield from wrapped(printable(f"? {problem}"), columns, indent=2)
            for finding in named.get(exam.study_uid, ()):
                yield from wrapped(finding_in_words(finding), columns, indent=2)
    more = len(found.missing) + found.not_named - _MOST_LINES
    if more > 0:
        yield f"and {more} instances more: --csv or --json names them"
    if found.unfinished:
        yield from wrapped(printable(f"? not asked about {found.not_asked} exams: {found.unfinished}"), columns)
