"""``mercure audit``: the record of who changed what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import end_with, json_option, open_session, root_option, show, watch_option
from appliance.cli.history import Since
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask
from appliance.cli.text import table
from appliance.presentation.figures import zoned_moment
from appliance.presentation.phrases import plural

if TYPE_CHECKING:
    from appliance.control.audit_chain import ChainReport
    from mercure.history.records import AuditRecord


@click.group(cls=OrderedGroup)
@root_option
def audit() -> None:
    """See who changed what, and prove that no record of it was changed or removed."""


@audit.command("list")
@watch_option
@click.option("--by", help="Only of this person.")
@click.option("--task", help="Only about this task.", shell_complete=shell_completion.tasks)
@click.option("--since", type=Since(), help="Only after this: 30m, 12h, 7d, 2w ago, or a date or time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@root_option
@json_option("appliance.control.api.history:AuditFound")
def list_(by: str | None, task: str | None, since: datetime | None, limit: int) -> None:
    """List who changed what: configuration, tasks, services; the latest first.

    With --json each has what was before and after. Secrets are not in it.

    \b
    mercure audit list --since 7d
    mercure audit list --by anna -o csv
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.history.AUDIT, api.history.ListAudit(by=by, task=task, since=since, limit=limit))
    show(found, lambda: table(["TIME", "BY", "ACTION", "OBJECT", "AFTER"], map(_row, found.records)))


def _row(record: AuditRecord) -> tuple[str, ...]:
    after = "" if record.after is None else json.dumps(record.after, ensure_ascii=False)
    return (zoned_moment(record.time), record.by, record.verb, record.object, after)


@audit.command()
@root_option
@json_option("appliance.control.audit_chain:ChainReport")
@click.option("--roots", type=click.File("r", errors="replace"), help="Lines of the journal (- for standard input).")
def verify(roots: IO[str] | None) -> None:
    """Check the chain of audit records: each names the digest of the one before.

    A record that was changed or removed breaks it. Whether the last ones were removed only the journal tells, where the
    control service writes the end of the chain once a day. Exit code 1 when something is wrong.

    \b
    journalctl --grep 'audit root' | mercure audit verify --roots -
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control.audit_chain import AuditChain, roots_in  # noqa: PLC0415

    known = roots_in(roots.read()) if roots is not None else ()
    if roots is not None and not known:
        raise click.UsageError("there is no 'audit root' in what --roots gives")
    report = AuditChain(open_session().spool).check(known)
    show(report, lambda: _lines(report))
    end_with(exit_codes.WELL if report.ok else exit_codes.FAILED)


def _lines(report: ChainReport) -> Iterator[str]:
    for finding in report.findings:
        yield f"{f'line {finding.line}: ' if finding.line else ''}{finding.text}"
    compared = f", and {plural(report.roots, 'line')} of the journal in agreement" if report.roots else ""
    yield f"{report.end.records} records, the last one {report.end.digest[:16]}…{compared}"
    yield "nothing was changed or removed" if report.ok else "the record is NOT whole"
