"""Verdict on a failed attempt: the image is at fault, the target is, or nobody can tell yet. Pure functions.

An image is blamed only if the target has taken another one since it was last tried, or nothing else waits; for a status
as for an abort. If no image gets through, it is an outage, and nothing is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from mercure.event_details import FailureKind
from mercure.spool import Task
from mercure.targets import Trouble

if TYPE_CHECKING:
    from mercure.delivery.acceptance import Acceptance

Verdict = Literal["image", "doubt", "target"]

MOST_DOUBTS: Final = 20
"""So many attempts in a row at which no image got through are an outage, whoever they were."""

_OF_THE_TASK: Final[tuple[FailureKind, ...]] = ("local", "altered", "unsupported")
"""What is on our side, or was said before anything was sent: the target has nothing to do with it."""

_OF_THE_TARGET: Final[tuple[FailureKind, ...]] = ("unreachable", "rejected", "busy", "timeout")
"""What says nothing of any image; a time limit may, where it passed in the middle of one."""


@dataclass(frozen=True)
class AttemptEvidence:
    """What is known when images did not go.

    Parameters
    ----------
    confirmed : int
        Images that the target took in this attempt.
    answered : int
        Images that it refused by a status, since it last took one.
    contrast : bool
        It took another image after one that it did not take.
    alone : bool
        No other task waits for it.
    pending : int
        Images of the task that it has not.
    outage : bool
        No image got through for some time.
    """

    confirmed: int = 0
    answered: int = 0
    contrast: bool = False
    alone: bool = True
    pending: int = 1
    outage: bool = False


def verdict_on(task: Task, trouble: Trouble, acceptance: Acceptance, evidence: AttemptEvidence) -> Verdict:
    """Say whose trouble a failed attempt is.

    Parameters
    ----------
    task : Task
        As it was before this attempt.
    trouble : Trouble
        Why it failed.
    acceptance : Acceptance
        What is known of the target.
    evidence : Evidence
        What is known of this attempt.
    """
    if trouble.kind in _OF_THE_TASK:
        return "image"
    if trouble.kind in _OF_THE_TARGET and not trouble.in_image:
        return "target"
    since = _taken_since(task, acceptance)
    if trouble.kind == "unable":
        known_to_be_bad = task.refusals > 0 and evidence.alone
        return "image" if evidence.contrast or (not evidence.confirmed and (since or known_to_be_bad)) else "target"
    if evidence.contrast or since or _nothing_else_waits(trouble, evidence):
        return "image"
    if evidence.confirmed:
        return "doubt"
    again = evidence.outage or (task.doubtful and acceptance.doubted is not None)
    return "target" if again or evidence.alone or acceptance.doubts >= MOST_DOUBTS else "doubt"


def counts(task: Task, verdict: Verdict) -> int:
    """Return how many refusals are added: a failure that was in doubt is counted when the next one is."""
    return 1 + int(task.doubtful) if verdict == "image" else 0


def _taken_since(task: Task, acceptance: Acceptance) -> bool:
    """Tell whether the target took an image since the task was last tried: of another task, or later."""
    if not task.attempts or acceptance.taken is None:
        return False
    last = task.attempts[-1]
    if not last.confirmed:
        return acceptance.taken >= last.started
    return acceptance.taken > last.started + timedelta(seconds=last.seconds)


def _nothing_else_waits(trouble: Trouble, evidence: AttemptEvidence) -> bool:
    """Tell whether there is nothing to compare with: of statuses, not even another image of the task.

    Not of a time limit: alone it says more of the target.
    """
    if trouble.in_image:
        return False
    return evidence.alone and (trouble.kind == "aborted" or evidence.pending == 1 or not evidence.answered)
