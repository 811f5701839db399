"""``mercure sbom``: what is installed, and what is known against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, show
from appliance.cli.text import table
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.sbom import Sbom
    from appliance.vulnerabilities import VulnerabilityReport

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def sbom() -> None:
    """List the software that is installed (CycloneDX), and check it for known vulnerabilities."""


def _made() -> Sbom:
    from appliance.sbom import make_sbom  # noqa: PLC0415
    from mercure.clock import Clock  # noqa: PLC0415

    return make_sbom(Clock().now())


@sbom.command()
@click.argument("file", type=_FILE, required=False)
def write(file: Path | None) -> None:
    """Write the list as CycloneDX JSON to FILE, else to standard output."""
    from mercure import durable  # noqa: PLC0415

    text = _made().model_dump_json(by_alias=True, indent=1) + "\n"
    if file is None:
        click.echo(text, nl=False)
        return
    durable.write_file(file.absolute(), text.encode())
    click.echo(f"written to {printable(str(file))}")


@sbom.command()
@json_option("appliance.vulnerabilities:VulnerabilityReport")
@click.option("--debsecan", type=_FILE, help="What `debsecan --suite SUITE` wrote.")
@click.option("--pip-audit", type=_FILE, help="What `pip-audit --format json` wrote.")
def check(debsecan: Path | None, pip_audit: Path | None) -> None:
    """Name what is known against the software that is installed here.

    The two tools need the internet: run them where it is, and bring their reports. Exit code 1 when something is known.
    """
    from appliance.vulnerabilities import check as examine  # noqa: PLC0415

    if debsecan is None and pip_audit is None:
        raise click.UsageError("give a report: --debsecan, --pip-audit or both")
    report = examine(_made(), debsecan=debsecan, pip_audit=pip_audit)
    show(report, lambda: _lines(report))
    end_with(exit_codes.FAILED if report.found else exit_codes.WELL)


def _lines(report: VulnerabilityReport) -> Iterator[str]:
    if report.found:
        rows = [(one.package, one.installed, one.id, one.fixed or "not yet") for one in report.found]
        yield from table(["PACKAGE", "INSTALLED", "KNOWN AS", "FIXED"], [tuple(map(printable, row)) for row in rows])
        yield ""
    known = plural(len(report.found), "known vulnerability", "known vulnerabilities")
    yield f"{known} in {plural(len({one.package for one in report.found}), 'package')}"
    if report.elsewhere:
        yield f"{plural(report.elsewhere, 'line')} of the reports about what is not installed here in that version"
