"""Recording all that an outbox holds, and reading the report of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mercure.history.recorder import Recorder

if TYPE_CHECKING:
    from mercure.history.verify import Finding, Kind, Report


def record_all(recorder: Recorder) -> int:
    """Record until nothing is left, and return how many events were new."""
    recorded = 0
    while (progress := recorder.run_once()).any:
        recorded += progress.recorded
    return recorded


class VerifyFunction(Protocol):
    """The type of the ``verified`` fixture."""

    def __call__(self) -> Report: ...


def kinds(report: Report) -> list[Kind]:
    """Return what sort each finding of a report is."""
    return [finding.kind for finding in report.findings]


def only(report: Report) -> Finding:
    """Return the one finding that there is."""
    assert len(report.findings) == 1, report.findings
    return report.findings[0]
