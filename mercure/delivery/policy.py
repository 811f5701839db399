"""What follows from an attempt: pure functions from the past of a task and the settings to what is done next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from mercure.config import Retry
from mercure.delivery.verdicts import Verdict
from mercure.event_details import FailureKind
from mercure.model import Priority
from mercure.scheduling.backoff import Backoff
from mercure.spool import Attempt, Task
from mercure.spool.task import COUNTED_KINDS
from mercure.targets import Trouble

ALTERED_ADVICE: Final = (
    "ask for it to be sent again from the scanner: it then arrives late and goes out by the rules; after that discard "
    "this task. All its other images were delivered; what other targets have confirmed was checked as it left. "
    "`mercure verify --deep` checks what else the disk holds, `smartctl -a` the disk; retry reads the copy once more"
)
"""What a person can do about an image that is altered on our disk."""

UNSUPPORTED_ADVICE: Final = (
    "all its other images were delivered. Have the target take what it refused, or let its images be converted "
    "('transfer_syntaxes' of the target: as-needed), then retry the task; else reroute or discard it"
)
"""What a person can do about images that a target takes in no form in which they can be had."""

_AT_ONCE: Final[dict[FailureKind, str]] = {"altered": ALTERED_ADVICE, "unsupported": UNSUPPORTED_ADVICE}
"""What ten tries would not make better, with the advice."""

BEHIND_SECONDS: Final = 600.0
"""So long a task that failed is tried after those that did not."""


@dataclass(frozen=True)
class Next:
    """What is done with a task after a failed attempt.

    Parameters
    ----------
    action : str
        ``wait``: for the target, whose breaker says when; ``retry``: at `at`; ``fail``: put it into ``error/``.
    at : datetime, optional
        When to try again.
    advice : str
        For ``fail``: what a person can do.
    """

    action: Literal["wait", "retry", "fail"]
    at: datetime | None = None
    advice: str = ""


def after_failure(
    task: Task, trouble: Trouble, retry: Retry, now: datetime, tried: float, *, verdict: Verdict | None = None
) -> Next:
    """Decide what follows a failed attempt.

    Parameters
    ----------
    task : Task
        With the failed attempt on record.
    trouble : Trouble
        Why it failed.
    retry : Retry
        The target's settings.
    now : datetime
        Aware instant.
    tried : float
        For how many seconds the task has been tried: of the time lived through, not by the wall clock.
    verdict : str, optional
        Whose trouble it is; by the kind of failure if not given.
    """
    if trouble.kind in _AT_ONCE:
        return Next("fail", advice=_AT_ONCE[trouble.kind])
    if verdict is None:
        verdict = "image" if trouble.kind in COUNTED_KINDS else "target"
    if verdict == "image" and task.refusals >= retry.max_refusals:
        return Next("fail", advice="find out why at the target, then retry the task")
    if tried > retry.give_up_seconds:
        return Next("fail", advice="mend the target or correct its settings, then retry the task")
    if verdict == "target":
        return Next("wait")
    return Next("retry", at=now + Backoff.of(retry).after(task.refusals))


def in_turn(
    heads: Iterable[tuple[Task, Priority]], now: datetime, fruitless: int = 0
) -> Iterator[tuple[Task, Priority]]:
    """Walk tasks in the order in which to try them: those at which the target failed just now come after the others.

    Else one at which it always fails would be the first each time, and the others would never have their turn. After
    some time in which others went first it has its place again. While no image gets through, the first and the last
    take turns, whatever their priority: else one that came behind many bad ones would wait for all of them.

    Parameters
    ----------
    heads : iterable
        Tasks that may go, in the order of delivery.
    now : datetime
        Aware instant.
    fruitless : int
        How often the target was tried since it last took an image.
    """
    tried: list[tuple[Task, Priority]] = []
    others = _others(heads, now, tried)
    yield from _from_both_ends(list(others), fruitless) if fruitless else others
    yield from sorted(tried, key=lambda item: item[0].attempts[-1].started)


def _others(
    heads: Iterable[tuple[Task, Priority]], now: datetime, tried: list[tuple[Task, Priority]]
) -> Iterator[tuple[Task, Priority]]:
    """Walk the tasks that were not tried just now, and put the others into `tried`."""
    for task, priority in heads:
        if task.first_attempt is not None and task.attempts and _lately(task.attempts[-1], now):
            tried.append((task, priority))
        else:
            yield task, priority


def _from_both_ends(tasks: list[tuple[Task, Priority]], turn: int) -> Iterator[tuple[Task, Priority]]:
    """Walk a list from both its ends; the last one goes first at every other turn."""
    left, right = 0, len(tasks) - 1
    while left <= right:
        if (left + len(tasks) - 1 - right + turn) % 2:
            yield tasks[right]
            right -= 1
        else:
            yield tasks[left]
            left += 1


def is_suspect(task: Task) -> bool:
    """Tell whether the target did not take an image of a task when it was given it last: it may hang there again."""
    last = task.attempts[-1] if task.attempts else None
    return last is not None and last.kind in _NOT_TAKEN and last.sent > last.confirmed


_NOT_TAKEN: Final[tuple[FailureKind, ...]] = ("aborted", "timeout", "refused")


def _lately(attempt: Attempt, now: datetime) -> bool:
    return abs(now - attempt.started) < timedelta(seconds=BEHIND_SECONDS)
