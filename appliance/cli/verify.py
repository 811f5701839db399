"""``mercure verify``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from appliance.cli.common import end_with, json_option, root_option, show
from appliance.cli.requests import ask
from appliance.cli.text import pairs, table, terminal_columns, wrapped
from appliance.presentation.figures import size, zoned_moment
from mercure.printable import printable

if TYPE_CHECKING:
    from mercure.history.verify import DeepReport, Finding, Report

_VERDICTS: Final = {
    0: "every acknowledged image is accounted for",
    1: "NOT every acknowledged image is accounted for and as it was received",
    2: "not everything could be checked",
}


@click.command()
@root_option
@click.option("--deep", is_flag=True, help="Read every kept image, too, and compare it with its digests.")
@json_option("mercure.history.verify:Report")
def verify(deep: bool) -> None:
    """Prove that every image ever acknowledged is waiting, delivered, kept, or discarded by name; or name those not.

    With --deep every image that the spool holds is read from the disk, past the page cache, and compared with the
    digests that were taken when it was received. Images without a digest (of an older release, or written by a module)
    are counted, and not wrong. The router goes on meanwhile.

    Exit code 0: every image is accounted for; 1: an image is not accounted for, or altered, or unreadable; 2: not
    everything could be checked (the history cannot be asked, say).
    """
    from appliance.control import api  # noqa: PLC0415

    report = ask(api.verification.RUN, api.verification.Verification(deep=deep))
    show(report, lambda: _lines(report))
    end_with(report.exit_code)


def _lines(report: Report) -> Iterator[str]:
    yield printable(f"{report.node}, {zoned_moment(report.time)}: {_VERDICTS[report.exit_code]}")
    yield ""
    discarded = [(f"  discarded by {name}", str(count)) for name, count in report.discarded.items()]
    yield from pairs(
        [
            ("acknowledged", f"{report.acknowledged} images, {report.repetitions} of them repetitions"),
            ("  and no event tells", _unreported(report.unreported)),
            ("  before routing", str(report.before_routing)),
            ("  failed to be routed", _count(report.failed)),
            ("  in processing", _count(report.processing)),
            ("  processed", _count(report.processed)),
            *discarded,
            ("quarantined", _count(report.quarantined)),
            ("tasks not recorded yet", _count(report.unknown_tasks)),
            ("routers not checked", ", ".join(report.other_nodes)),
            *_deep(report.deep),
        ]
    )
    if report.targets:
        yield ""
        rows = [
            (name, str(images.delivered), str(images.waiting), str(images.failed))
            for name, images in report.targets.items()
        ]
        yield from table(["TARGET", "DELIVERED", "WAITING", "FAILED"], rows)
    yield from _troubles(report)


def _deep(read: DeepReport | None) -> list[tuple[str, str]]:
    """Say what the reading of all images has found; nothing where they were not read."""
    if read is None:
        return []
    speed = size(round(read.bytes / read.seconds)) if read.seconds else ""
    return [
        ("images read", f"{read.images}, {size(read.bytes)}" + (f", {speed} a second" if speed else "")),
        ("  intact", str(read.intact)),
        ("  altered", _count(read.altered)),
        ("  unreadable", _count(read.unreadable)),
        ("  without a digest", _count(read.uncheckable)),
    ]


def _unreported(count: int) -> str:
    return f"of {count} more that are kept: a power cut takes the last events, not the images" if count else ""


def _count(count: int) -> str:
    return str(count) if count else ""


def _troubles(report: Report) -> Iterator[str]:
    columns = terminal_columns()
    lines = [f"? not checked: {text}" for text in report.unchecked]
    lines += [f"- {text}" for text in report.notes]
    lines += [_finding(finding) for finding in report.findings]
    lines += [f"! and {report.findings_not_named} more"] if report.findings_not_named else []
    if lines:
        yield ""
    for line in lines:
        yield from wrapped(printable(line), columns)


def _finding(finding: Finding) -> str:
    known = [("image", finding.sop or finding.image), ("series", finding.series_uid), ("task", finding.task)]
    known += [("target", finding.target), ("last seen", finding.last_seen)]
    details = ", ".join(f"{name} {value}" for name, value in known if value)
    mark = "!" if finding.is_violation else "-"
    return f"{mark} {finding.kind.value}: {finding.text}{f' ({details})' if details else ''}"
