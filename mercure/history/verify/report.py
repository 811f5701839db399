"""Report of a verification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from mercure.model import Record

MAX_FINDINGS: Final = 10_000
"""So many findings are named; beyond, they are only counted."""


class Kind(StrEnum):
    """What can be wrong."""

    IMAGE_LOST = "image lost"
    """Acknowledged, in no task, and not in the spool."""
    TASK_LOST = "task lost"
    """Planned or created, not in the spool, and it never ended."""
    NOT_PLANNED = "image left out"
    """In a series that was routed, but not in every task derived from it."""
    NOT_CONFIRMED = "image not confirmed"
    """In a task that counts as delivered, without the target's confirmation."""
    IMAGE_MISSING = "image missing"
    """A task in the spool holds less than it should, or something else."""
    NO_RULE = "discarded without a rule"
    """No rule and no person is known that wanted it."""
    VANISHED = "folder gone"
    """A finished task is no longer in the spool, and the cleaner did not remove it."""
    ALTERED = "image altered"
    """Our copy is not what was received; another may be whole, at a target or with the sender."""
    IMAGE_UNREADABLE = "image unreadable"
    """The disk does not give our copy back."""
    UNREADABLE = "task unreadable"
    """The folder has no task.json that can be read; its images are kept."""
    EMPTY = "empty task"
    STRAY = "stray entry"
    """Something in the spool that does not belong there."""
    LEFTOVER = "leftover"
    """A hidden entry older than a day: a crash left it, and it was not cleared."""


VIOLATIONS: Final = frozenset(
    {
        Kind.IMAGE_LOST,
        Kind.TASK_LOST,
        Kind.NOT_PLANNED,
        Kind.NOT_CONFIRMED,
        Kind.IMAGE_MISSING,
        Kind.NO_RULE,
        Kind.ALTERED,
        Kind.IMAGE_UNREADABLE,
    }
)
"""An acknowledged image is not accounted for. The other kinds are worth a look, but nothing is lost by them."""


class Finding(Record):
    """One thing that is not as it should be."""

    kind: Kind
    text: str
    """What was found, and where to look."""
    image: str | None = None
    sop: str | None = None
    series_uid: str | None = None
    received: datetime | None = None
    last_seen: str | None = None
    """The last that is known of it, in words."""
    task: str | None = None
    target: str | None = None
    stage: str | None = None

    @property
    def is_violation(self) -> bool:
        """Return True if an acknowledged image is not accounted for."""
        return self.kind in VIOLATIONS


class Deliveries(Record):
    """Images for one target: each image counts once for each task that is to bring it there.

    Of a task that is under way, failed or discarded, those that the target has confirmed count as delivered.
    """

    delivered: int = 0
    waiting: int = 0
    failed: int = 0


class DeepReport(Record):
    """What the kept images are like: each copy counts once, however many tasks hold it."""

    images: int = 0
    bytes: int = 0
    seconds: float = 0.0
    intact: int = 0
    altered: int = 0
    unreadable: int = 0
    uncheckable: int = 0
    """Of an older release, or written by a module: they have no digest, and nothing is wrong with that."""


class Report(Record):
    """The result of a verification."""

    node: str
    time: datetime
    acknowledged: int = 0
    """Images in the history that were received, repetitions included."""
    repetitions: int = 0
    unreported: int = 0
    """Further images, in ``incoming`` or routed, without an event of their receipt: a power cut takes the last events,
    and never the images."""
    before_routing: int = 0
    """Images that wait in ``incoming``, ``routing`` or ``studies``."""
    targets: dict[str, Deliveries] = {}
    processing: int = 0
    processed: int = 0
    discarded: dict[str, int] = {}
    """Images by the rule or person that discarded them."""
    failed: int = 0
    """Images of series that could not be routed and are kept in ``error``."""
    quarantined: int = 0
    """Entries of ``quarantine``: never acknowledged."""
    unknown_tasks: int = 0
    """Tasks in the spool that the history does not know yet."""
    other_nodes: tuple[str, ...] = ()
    """Routers in the same history; each is verified on its own machine."""
    findings: tuple[Finding, ...] = ()
    findings_not_named: int = 0
    deep: DeepReport | None = None
    """Only where every kept image was read."""
    unchecked: tuple[str, ...] = ()
    """What could not be checked, and why."""
    notes: tuple[str, ...] = ()
    """What is not as configured, and changes nothing in the proof: where the spool is."""

    @property
    def exit_code(self) -> int:
        """Return 1 when an image is not accounted for, 2 when not all could be checked, else 0."""
        if self.findings_not_named or any(finding.is_violation for finding in self.findings):
            return 1
        return 2 if self.unchecked else 0


@dataclass
class Tally:
    """Counts while the verification runs."""

    before_routing: int = 0
    delivered: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    processing: int = 0
    processed: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    unrouted: int = 0

    def targets(self) -> dict[str, Deliveries]:
        """Return the counts by target."""
        names = sorted({*self.delivered, *self.waiting, *self.failed})
        return {
            name: Deliveries(delivered=self.delivered[name], waiting=self.waiting[name], failed=self.failed[name])
            for name in names
        }


def named(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """Return the findings to name, violations first, and how many more there are."""
    ordered = sorted(findings, key=lambda finding: (not finding.is_violation, finding.kind, finding.task or ""))
    return tuple(ordered[:MAX_FINDINGS]), max(0, len(ordered) - MAX_FINDINGS)
