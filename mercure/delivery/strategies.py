"""Which member of a target group takes a task: pure functions, one for each strategy.

A strategy is given the members that are up and lists those that may take the task now, first the one that should. If
none of the listed has room, the task waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mercure.spool import Task
from mercure.targets.group import Strategy


@dataclass(frozen=True)
class MemberChoice:
    """What a strategy may look at.

    Parameters
    ----------
    task : Task
        Who is to be given to somebody.
    members : mapping of str to float
        The members that are up, in the order of the settings, with their weights.
    amount : float
        What the task adds to the share of the member that takes it.
    taken : mapping of str to float
        The shares that the members have had.
    queued : mapping of str to int
        Images that wait for a member, or that it is being sent.
    """

    task: Task
    members: Mapping[str, float]
    amount: float = 0.0
    taken: Mapping[str, float] = field(default_factory=dict)
    queued: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StrategyRules:
    """A strategy: whom it prefers, and what a task of so many images adds to a member's share (0: nothing is kept)."""

    prefer: Callable[[MemberChoice], Sequence[str]]
    amount: Callable[[int], float]


def by_share(choice: MemberChoice) -> list[str]:
    """List the members that have had no more than their share, first the one that would be done first.

    A member that is ahead waits even when it is idle: that is what keeps the shares when all have more to do than they
    can. No member is ever ahead of its share by more than one task.
    """
    members, taken, amount = choice.members, choice.taken, choice.amount
    level = (sum(taken.get(name, 0.0) for name in members) + amount) / sum(members.values())
    behind = [name for name, weight in members.items() if taken.get(name, 0.0) <= level * weight]
    return sorted(behind, key=lambda name: (taken.get(name, 0.0) + amount) / members[name])


def least_queued(choice: MemberChoice) -> list[str]:
    """List all members, first the one for which the fewest images wait; of equals the one that has had less."""
    return sorted(choice.members, key=lambda name: (choice.queued.get(name, 0), choice.taken.get(name, 0.0)))


def failover(choice: MemberChoice) -> list[str]:
    """Name the first member that is up; a busy one is waited for."""
    return list(choice.members)[:1]


def sticky(key: Callable[[Task], str]) -> Callable[[MemberChoice], list[str]]:
    """Make a strategy that gives everything with the same key to the same member.

    Rendezvous hashing: each member draws a number from its name and the key, and the highest wins. A member that comes
    or goes moves only what it wins or had; no table of who went where is kept, and so no patient's id either.
    """

    def prefer(choice: MemberChoice) -> list[str]:
        text = key(choice.task)
        return sorted(choice.members, key=lambda name: _draw(name, text), reverse=True)[:1]

    return prefer


def _draw(member: str, key: str) -> bytes:
    return hashlib.sha256(f"{member}\0{key}".encode("utf-8", "surrogateescape")).digest()


def _study(task: Task) -> str:
    return task.identity.StudyInstanceUID or task.identity.SeriesInstanceUID or task.id


def _patient(task: Task) -> str:
    # An image without a patient id is nobody's: all such on one member would be a load, not a patient.
    return task.identity.PatientID or _study(task)


def _nothing(images: int) -> float:
    return 0.0


STRATEGIES: Final[Mapping[Strategy, StrategyRules]] = {
    "round-robin": StrategyRules(by_share, lambda images: float(images > 0)),
    "weighted": StrategyRules(by_share, float),
    "least-queued": StrategyRules(least_queued, float),
    "sticky-study": StrategyRules(sticky(_study), _nothing),
    "sticky-patient": StrategyRules(sticky(_patient), _nothing),
    "failover": StrategyRules(failover, _nothing),
}


def rejoin(taken: Mapping[str, float], before: Mapping[str, float], members: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of the members that are up now.

    A member that was not there at the last choice (it was down, or is new, or has another weight) begins where the
    others stand. With its old share it would be given everything until it has caught up, just when it has come back.

    Parameters
    ----------
    taken : mapping of str to float
        The shares at the last choice.
    before : mapping of str to float
        Who was up then, with the weights of then.
    members : mapping of str to float
        Who is up now, with the weights of now.
    """
    stayed = [name for name, weight in members.items() if before.get(name) == weight]
    weight = sum(members[name] for name in stayed)
    level = sum(taken.get(name, 0.0) for name in stayed) / weight if stayed else 0.0
    return {name: taken.get(name, 0.0) if name in stayed else level * members[name] for name in members}
