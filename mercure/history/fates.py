"""Fates of a study's instances on their way to one target: what history and ledgers say, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mercure.history.comparison import Fate, FateKind, KnownImage, at
from mercure.history.records import TaskRecord
from mercure.history.whereabouts import StudyImages, TaskImages
from mercure.spool import LedgerLine

_STATUS: Final = re.compile(r"status (0x[0-9A-Fa-f]{4})")
"""As the dispatcher writes the answer of a target into the error of an attempt."""

_NO_RULE: Final = "(no rule)"
_DISCARDED: Final = "discarded"


@dataclass(frozen=True)
class ComparedTarget:
    """The target that is compared with.

    Parameters
    ----------
    name, destination : str
        Its name, and the place that it is now.
    groups : frozenset of str
        The target groups of which it is a member.
    """

    name: str
    destination: str
    groups: frozenset[str] = frozenset()

    def is_addressed(self, task: TaskRecord) -> bool:
        """Return whether a task goes, or may go, to it."""
        return task.target == self.name or task.target in self.groups


Ledgers = Mapping[str, Sequence[LedgerLine]]
"""The ledgers of the tasks that the spool still holds, by task."""


def known_images(study: StudyImages, target: ComparedTarget, ledgers: Ledgers) -> list[KnownImage]:
    """Tell what became of each instance on its way to a target.

    An instance that a module made counts where a task brings it to the target.

    Parameters
    ----------
    study : StudyImages
        What is known of the study.
    target : ComparedTarget
        The target.
    ledgers : mapping of str to sequence of LedgerLine
        What was confirmed of tasks that the spool still holds.
    """
    fates: dict[str, list[Fate]] = {sop: [] for sop in study.received}
    series = {sop: uid for sop, (uid, _) in study.received.items()}
    for held in study.tasks:
        confirmed = _confirmed(held, target, ledgers.get(held.task.id, ()))
        rest = _rest(held.task, target)
        goes_there = target.is_addressed(held.task)
        for sop in dict.fromkeys(held.files.values()):
            fate = confirmed.get(sop, rest)
            if fate is not None and sop and (sop in fates or goes_there):
                fates.setdefault(sop, []).append(fate)
                series.setdefault(sop, held.task.series_uid or "")
    return [
        KnownImage(sop=sop, series_uid=series[sop], received=study.received.get(sop, ("", None))[1], fates=tuple(each))
        for sop, each in fates.items()
    ]


def _confirmed(held: TaskImages, target: ComparedTarget, lines: Sequence[LedgerLine]) -> dict[str, Fate]:
    """Return what was confirmed of a task, by the ledger image by image, else by the history as a whole."""
    task, found = held.task, dict[str, Fate]()
    for line in lines:
        sop = held.files.get(line.file, line.sop)
        is_there = line.destination == target.destination if line.destination else line.target == target.name
        if is_there or (sop not in found and target.is_addressed(task)):
            found[sop] = _confirmation(task, is_there, line.destination or line.target, line.time, line.status)
    if lines or task.delivered is None or not target.is_addressed(task):
        return found
    # An older release did not tell where; what was addressed to the target itself went there.
    is_there = target.destination in held.destinations or (not held.destinations and task.target == target.name)
    place = ", ".join(held.destinations) or f"the target group {task.target}"
    return {sop: _confirmation(task, is_there, place, task.delivered, "") for sop in held.delivered}


def _confirmation(task: TaskRecord, is_there: bool, place: str, time: datetime, status: str) -> Fate:
    by = "" if is_there else f" by {place}, and not by the target as it is now"
    with_status = f" with {status}" if status else ""
    return Fate(
        kind="confirmed" if is_there else "elsewhere",
        text=f"confirmed{at(time)}{with_status}{by}",
        time=time,
        task=task.id,
        status=status,
    )


def _rest(task: TaskRecord, target: ComparedTarget) -> Fate | None:
    """Tell what became of the images of a task that nobody confirmed; None where others say it."""
    if task.state == _DISCARDED or task.action == "discard" or (task.action == "complete" and task.discarded_by):
        return _discarded(task)
    if target.is_addressed(task):
        tell = _OF_STATE.get(task.state or "", _waiting)
        return tell(task)
    if task.action == "process" and task.module:
        return _fate("processed", task, f"went to the module {task.module}; what came out is sent in its place")
    if task.action == "complete" or task.state == "planned" or task.action == "collect":
        return _undecided(task)
    return _fate("not-sent", task, f"sent to {task.target or 'nowhere'} only{_by_rules(task)}")


def _undecided(task: TaskRecord) -> Fate | None:
    if task.state == "failed":
        return _fate("failed", task, f"could not be routed: {task.reason or 'see its task'}")
    if task.state in {"decided", "collected", "processed", "delivered"}:
        return _fate("not-sent", task, "no task with it goes to the target") if task.state == "decided" else None
    return _fate("undecided", task, f"came{at(task.created)}; it is not decided on yet")


def _discarded(task: TaskRecord) -> Fate:
    rule = task.discarded_by or ", ".join(task.rules or ())
    if task.action != "discard" and (task.reason or "").startswith("by "):
        return _fate("discarded", task, f"discarded{at(task.since)} {task.reason}")
    why = "discarded, as no rule wanted it" if rule in {"", _NO_RULE} else f"discarded by the rule {rule}"
    return _fate("discarded", task, f"{why}{at(task.since)}", rule=rule)


def _failed(task: TaskRecord) -> Fate:
    said = task.last_error or task.reason or ""
    status = _STATUS.search(said)
    if status is None:
        return _fate("failed", task, f"its task failed{at(task.since)}: {task.reason or said}")
    text = f"its task was refused with {status[1]}{at(task.last_attempt)}: {said}"
    return _fate("refused", task, text, status=status[1])


def _waiting(task: TaskRecord) -> Fate:
    said = f"; the last attempt: {task.last_error}" if task.last_error else ""
    return _fate("waiting", task, f"waits since {at(task.created).removeprefix(' at ')}{said}")


def _held(task: TaskRecord) -> Fate:
    return _fate("held", task, f"held{at(task.since)} {task.reason or ''}".rstrip())


def _delivered(task: TaskRecord) -> Fate:
    return _fate("superseded", task, f"not sent: its task was delivered{at(task.delivered)} without it")


_OF_STATE: Final[Mapping[str, Callable[[TaskRecord], Fate]]] = {
    "failed": _failed,
    "held": _held,
    "delivered": _delivered,
}
"""By the state of a task in the history; in all others it waits."""


def _fate(kind: FateKind, task: TaskRecord, text: str, *, rule: str = "", status: str = "") -> Fate:
    return Fate(kind=kind, text=text, time=task.since or task.created, task=task.id, rule=rule, status=status)


def _by_rules(task: TaskRecord) -> str:
    return f", by the rule {', '.join(task.rules)}" if task.rules else ""
