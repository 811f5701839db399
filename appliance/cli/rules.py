"""``mercure rules``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, root_option, show, watch_option
from appliance.cli.entries import add_entry_commands
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import table, terminal_columns
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.rules import RuleCheck, RuleState
    from mercure.routing.dry_run import DryRunReport


@click.group(cls=OrderedGroup)
@root_option
def rules() -> None:
    """See, check and explain rules, and try changed ones in a dry run."""


@rules.command("list")
@watch_option
@root_option
@json_option(rules="appliance.control.api.rules:RuleState")
def list_() -> None:
    """List the rules in the order in which they are looked at."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.rules.LIST).rules
    show({"rules": found}, lambda: table(["RULE", "ACTION", "TARGETS", "CONDITION"], map(_row, found)))


def _row(state: RuleState) -> tuple[str, ...]:
    rule = state.rule
    notes = [word for word, there in (("disabled", rule.disabled), ("fallback", rule.fallback)) if there]
    return (state.name, " ".join([rule.action, *notes]), ", ".join(rule.targets), rule.rule)


add_entry_commands(rules, "rules")


@rules.command()
@root_option
@json_option("appliance.control.api.rules:Checked")
@click.argument("expression", required=False)
def check(expression: str | None) -> None:
    """Check all rules, or one EXPRESSION.

    Syntax, unknown tags and functions, kinds of values that do not go together, conditions that can never hold, rules
    that can never act because of others. Exit code 1 when there is an error; warnings may be saved.
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.rules.CHECK, api.rules.CheckRules(expression=expression))
    show(found, lambda: _findings(found))
    end_with(exit_codes.WELL if found.ok else exit_codes.FAILED)


def _findings(found: RuleCheck) -> Iterator[str]:
    for finding in found.findings:
        where = f"rule {finding.rule}: " if finding.rule else ""
        yield f"{finding.severity}: {where}column {finding.column}: {printable(finding.text)}"
        yield from (f"  {printable(line)}" for line in finding.caret.splitlines())
        if finding.advice:
            yield f"  {printable(finding.advice)}"
    noun = "rule" if found.checked == 1 else "rules"
    result = plural(len(found.findings), "problem") if found.findings else "no problems"
    yield f"{found.checked} {noun} checked: {result}"


@rules.command()
@root_option
@json_option("appliance.control.api.rules:Explained")
@click.argument("rule", shell_complete=shell_completion.rules)
@click.option("--file", "file", type=click.Path(path_type=Path), help="A DICOM file, as if it came now.")
@click.option("--series", help="A received series, by its Series Instance UID.")
@click.option("--tags", type=click.Path(path_type=Path), help="Tag records as getdcmtags prints them.")
def explain(rule: str, file: Path | None, series: str | None, tags: Path | None) -> None:
    """Explain what RULE says of an image or a series, part by part.

    RULE is the name of a rule, or an expression. Exactly one of --file, --series and --tags says on what.

    \b
    mercure rules explain brain-mr --file IMAGE.dcm
    mercure rules explain 'tags.Modality == "MR"' --series 1.2.840.113619.2.1
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415
    from appliance.control.rules import dry_run  # noqa: PLC0415

    if sum(source is not None for source in (file, series, tags)) != 1:
        raise click.UsageError("give exactly one of --file, --series and --tags")
    with asking() as ask_for:
        known = ask_for(api.rules.LIST)
        # Files are the caller's, whom the control service is not; what stands in them goes with the request.
        if file is not None:
            records = dry_run.records_of_file(file, known.character_set)
        else:
            records = dry_run.records_of_tags(tags) if tags else []
        is_name = any(state.name == rule for state in known.rules)
        given = {"rule" if is_name else "expression": rule, "records": records, "columns": terminal_columns()}
        wanted = api.rules.ExplainRule.model_validate({**given, "series": series})
        explained = ask_for(api.rules.EXPLAIN, wanted)
    show(explained, lambda: [explained.page])


@rules.command("dry-run")
@root_option
@json_option("mercure.routing.dry_run:DryRunReport")
@click.argument("changed", type=click.Path(path_type=Path))
@click.option("--last", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many series.")
def dry_run(changed: Path, last: int) -> None:
    """Try the rules of the file CHANGED on the last series, without doing anything.

    CHANGED is a whole mercure.json, or only its rules. What is shown is which series would go elsewhere than by the
    rules of now: counted by where from and where to, and listed.
    """
    from appliance.control import api  # noqa: PLC0415
    from appliance.control.rules import dry_run  # noqa: PLC0415

    wanted = dry_run.read_changed(changed).model_copy(update={"last": last})
    with asking() as ask_for:
        result = ask_for(api.rules.DRY_RUN, wanted)
    show(result, lambda: _rehearsed(result))


def _rehearsed(result: DryRunReport) -> Iterator[str]:
    yield f"{len(result.changes)} of {result.series} series would go elsewhere"
    yield from (f"warning: {printable(error)}" for error in result.errors)
    if not result.changes:
        return
    yield ""
    yield from table(["SERIES", "FROM -> TO"], [(str(count), move) for move, count in sorted(result.moves.items())])
    yield ""
    yield from table(
        ["ACCESSION", "MOD", "IMAGES", "DESCRIPTION", "FROM", "TO"],
        [
            (
                change.identity.AccessionNumber,
                change.identity.Modality,
                str(change.images),
                change.identity.SeriesDescription,
                ", ".join(change.before),
                ", ".join(change.after),
            )
            for change in result.changes
        ],
    )


@rules.command("eval")
@click.argument("expression", required=False)
@click.option(
    "--tags",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Tag records as getdcmtags prints them, one JSON object to a line (- for standard input).",
)
def eval_(expression: str | None, tags: str | None) -> None:
    """Evaluate a rule on tag records, without a router.

    With EXPRESSION: for each record of --tags. Without: for each line of standard input,
    {"expression": text, "tags": record}. One line is printed for each, in the order of the input:
    {"result": true or false, "error": null or text}. In place of a record there may be a list of records: the images
    of one series.

    Exit code 0 when every line was answered; a rule that cannot be evaluated is an answer, with its error.

    \b
    getdcmtags *.dcm | mercure rules eval 'tags.Modality == "MR"' --tags -
    """  # noqa: D301 - click keeps the lines after a backspace
    from mercure.rules import evaluate_json_line  # noqa: PLC0415

    if (expression is None) != (tags is None):
        raise click.UsageError(
            "EXPRESSION and --tags go together; without both, questions are read from standard input"
        )
    lines = _stdin() if expression is None or tags is None else _questions(expression, tags)
    for line in lines:
        sys.stdout.write(f"{evaluate_json_line(line)}\n")
        sys.stdout.flush()


def _stdin() -> Iterator[bytes]:
    return (line for line in sys.stdin.buffer if line.strip())


def _questions(expression: str, tags: str) -> Iterator[str | bytes]:
    """Make a question for each line of a file, or one for all of it where it is one document over several lines."""
    with click.open_file(tags, "rb") as file:
        data: bytes = file.read()
    for record in [data] if _is_json(data) else filter(bytes.strip, data.splitlines()):
        # A line that is no JSON asks nothing; it is answered as such, and the order stays.
        yield json.dumps({"expression": expression, "tags": json.loads(record)}) if _is_json(record) else record


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
