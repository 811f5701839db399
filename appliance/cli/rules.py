"""``mercure rules``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli.common import json_option, open_session, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.text import table

if TYPE_CHECKING:
    from appliance.control.rules import RuleState


@click.group(cls=OrderedGroup)
@root_option
def rules() -> None:
    """See rules, and evaluate one."""


@rules.command("list")
@root_option
@json_option(rules="appliance.control.rules:RuleState")
def list_() -> None:
    """List the rules in the order in which they are looked at."""
    from appliance.control.rules import list_rules  # noqa: PLC0415

    found = list_rules(open_session())
    show({"rules": found}, lambda: table(["RULE", "ACTION", "TARGETS", "CONDITION"], map(_row, found)))


def _row(state: RuleState) -> tuple[str, ...]:
    rule = state.rule
    notes = [word for word, there in (("disabled", rule.disabled), ("fallback", rule.fallback)) if there]
    return (state.name, " ".join([rule.action, *notes]), ", ".join(rule.targets), rule.rule)


@rules.command("eval")
@click.argument("expression", required=False)
@click.option(
    "--tags",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Tag records as getdcmtags prints them, one JSON object to a line (- for standard input).",
)
def eval_(expression: str | None, tags: str | None) -> None:
    r"""Evaluate a rule on tag records, without a router.

    With EXPRESSION: for each record of --tags. Without: for each line of standard input,
    {"expression": text, "tags": record}. One line is printed for each, in the order of the input:
    {"result": true or false, "error": null or text}. In place of a record there may be a list of records: the images
    of one series.

    Exit code 0 when every line was answered; a rule that cannot be evaluated is an answer, with its error.

    \b
    getdcmtags *.dcm | mercure rules eval 'tags.Modality == "MR"' --tags -
    """
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
