"""Habits of senders: which rules used to fire for each, so that it is noticed when they no longer do.

They are kept in the spool, because the history may be away: a hint in ``state/habits/``, one small file for each
sender, replaced atomically and not synced. Losing one costs a warning, no image.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from mercure import durable
from mercure.config import Rule
from mercure.model import Record, read_state
from mercure.spool import Spool, Stage
from mercure.spool.hints import exclusive
from mercure.spool.notices import NoticeKind, post, withdraw

LEARNED: Final = timedelta(days=7)
"""A change that has lasted this long is intended."""

USUAL: Final = 5
"""A rule that fired for this many series of a sender is usual for it, and missed after as many without it."""

PATIENCE: Final = 3
"""A rule may be silent for this multiple of its longest silence so far, counted in series of the sender."""

MOST_RULES: Final = 200
"""Remembered for each sender: those that fired last."""

MOST_SENDERS: Final = 2000
LONGEST_EXPRESSION: Final = 4096
"""A longer expression is not evaluated any more once it was changed."""

WRITTEN: Final = timedelta(seconds=10)
"""Counts stay in memory for this long before they are written."""

KEPT_SECONDS: Final = 180 * 86400.0
"""A sender is forgotten after so long without a series."""


class RuleHabit(Record):
    """How a rule used to fire for a sender.

    ``silent`` counts the series of the sender since it fired last, ``longest`` is the most there ever were between two;
    ``changed`` is when the first series came for which it would have fired before it was changed.
    """

    expression: str = ""
    fired: int = 0
    silent: int = 0
    longest: int = 0
    last: AwareDatetime
    changed: AwareDatetime | None = None


class Habit(Record):
    """What is usual for a sender. ``row`` counts its last series in a row that no rule wanted."""

    sender: str
    task: str = ""
    routed: int = 0
    unwanted: int = 0
    unwanted_since: AwareDatetime | None = None
    row: int = 0
    longest_row: int = 0
    rules: dict[str, RuleHabit] = {}


@dataclass(frozen=True)
class RoutedSeries:
    """A decided series, as far as habits matter.

    Parameters
    ----------
    task : str
        The series; it is counted once.
    fired : collection of str
        The rules that fired.
    unwanted : bool
        No rule wanted it.
    would_fire : callable
        Returns whether an expression holds for it.
    """

    task: str
    fired: Collection[str]
    unwanted: bool
    would_fire: Callable[[str], bool]


@dataclass(frozen=True)
class HabitChange:
    """A departure from what is usual (``text``), or the return to it (no text)."""

    kind: NoticeKind
    about: str
    text: str = ""
    advice: str = ""


@dataclass(frozen=True)
class _Case:
    """A series of a sender, and the rules in force."""

    sender: str
    decided: RoutedSeries
    rules: Mapping[str, Rule]
    now: datetime

    def about(self, name: str) -> str:
        return f"{name} for {self.sender}"


def judge(
    habit: Habit, decided: RoutedSeries, rules: Mapping[str, Rule], now: datetime
) -> tuple[Habit, tuple[HabitChange, ...]]:
    """Compare a series with what is usual for its sender; return the new habit and the changes. Pure."""
    if decided.task == habit.task:
        return habit, ()
    case = _Case(habit.sender, decided, rules, now)
    findings: list[HabitChange | None] = []
    kept: dict[str, RuleHabit] = {}
    for name, known in habit.rules.items():
        after, finding = (known, None) if name in decided.fired else _misses(case, name, known)
        findings.append(finding)
        if after is not None:
            kept[name] = after
    for name in rules.keys() & decided.fired:
        kept[name], finding = _fires(case, name, kept.get(name))
        findings.append(finding)
    latest = sorted(kept.items(), key=lambda item: item[1].last)[-MOST_RULES:]
    changed = habit.model_copy(update={"task": decided.task, "rules": dict(latest)})
    changed = _unwanted_again(changed, now) if decided.unwanted else _routed_again(changed)
    findings.append(_unwanted(changed) if decided.unwanted and not _is_usual(changed, now) else None)
    return changed, tuple(finding for finding in findings if finding is not None)


def _routed_again(habit: Habit) -> Habit:
    longest = max(habit.longest_row, habit.row)
    return habit.model_copy(update={"routed": habit.routed + 1, "row": 0, "longest_row": longest})


def _unwanted_again(habit: Habit, now: datetime) -> Habit:
    since = min(habit.unwanted_since or now, now)
    update = {"unwanted": habit.unwanted + 1, "unwanted_since": since, "row": habit.row + 1}
    return habit.model_copy(update=update)


def _misses(case: _Case, name: str, known: RuleHabit) -> tuple[RuleHabit | None, HabitChange | None]:
    """Judge a rule that fired for this sender before and does not for this series."""
    rule, fired = case.rules.get(name), case.decided.fired
    if any(case.rules[other].rule == known.expression for other in fired if other in case.rules):
        return (known if rule is not None else None), None  # it has another name now
    if rule is None or rule.disabled or rule.rule != known.expression:
        return _changed(case, name, known)
    silent = known.model_copy(update={"silent": known.silent + 1})
    missed = known.fired >= USUAL and silent.silent >= max(USUAL, PATIENCE * known.longest)
    if not missed or rule.fallback:
        return silent, None
    text = f"rule {name!r} fired for {known.fired} series of {case.sender}, and not for the last {silent.silent}"
    advice = "see whether the scanner sends other tags than before: `mercure rules explain` tells why it does not fire"
    return silent, HabitChange("rule", case.about(name), text, advice)


def _changed(case: _Case, name: str, known: RuleHabit) -> tuple[RuleHabit | None, HabitChange | None]:
    """Judge a rule that was changed, switched off or removed, by whether it would have fired for this series."""
    rule = case.rules.get(name)
    if known.changed is not None and case.now - known.changed >= LEARNED:
        return None, None
    if not known.expression or not case.decided.would_fire(known.expression):
        return known, None
    how = "removed" if rule is None else "switched off" if rule.disabled else "changed"
    text = f"rule {name!r} used to fire for {case.sender}; it was {how}, and its last series is one that it fired for"
    advice = "if that is not meant, correct the rule or roll the configuration back, and retry what was discarded"
    changed = known.model_copy(update={"changed": known.changed or case.now})
    return changed, HabitChange("rule", case.about(name), text, advice)


def _fires(case: _Case, name: str, known: RuleHabit | None) -> tuple[RuleHabit, HabitChange | None]:
    rule = case.rules[name]
    expression = rule.rule if len(rule.rule) <= LONGEST_EXPRESSION else ""
    if known is None:
        return RuleHabit(expression=expression, fired=1, last=case.now), None
    noticed = known.changed is not None or known.silent >= USUAL
    update = {
        "expression": expression,
        "fired": known.fired + 1,
        "silent": 0,
        "longest": max(known.longest, known.silent),
        "last": case.now,
        "changed": None,
    }
    return known.model_copy(update=update), HabitChange("rule", case.about(name)) if noticed else None


def _is_usual(habit: Habit, now: datetime) -> bool:
    """Return whether it is usual for a sender that no rule wants some of its series."""
    if habit.unwanted_since is None or now - habit.unwanted_since < LEARNED:
        return False
    return habit.routed == 0 or habit.row < max(USUAL, PATIENCE * habit.longest_row)


def _unwanted(habit: Habit) -> HabitChange:
    before = f"{habit.routed} before were" if habit.routed else "none of its was ever"
    text = f"no rule wants the last {habit.row} series of {habit.sender}: they are discarded; {before} routed"
    if habit.row == 1:
        text = f"no rule wants the last series of {habit.sender}: it is discarded; {before} routed"
    advice = (
        "see `mercure queue list --stage discard`; correct the rules and retry it while it is kept, "
        "or discard such series by a rule of their own"
    )
    return HabitChange("unrouted", habit.sender, text, advice)


class Habits:
    """The habits of all senders.

    Parameters
    ----------
    spool : Spool
        In its ``state/habits/``.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._known: dict[str, Habit] = {}
        self._written: dict[str, datetime] = {}

    def note(self, sender: str, decided: RoutedSeries, rules: Mapping[str, Rule], now: datetime) -> None:
        """Count a decided series, and write notices of what is not as usual.

        Counts alone are written now and then: a write for each series would cost more than they are worth.
        """
        sender = sender.encode("utf-8", "backslashreplace").decode()
        before = self._known.get(sender) or _read(self._path(sender), sender)
        habit, findings = judge(before, decided, rules, now)
        if len(self._known) >= MOST_SENDERS:
            self._known.clear()
        self._known[sender] = habit
        since = self._written.get(sender)
        if findings or since is None or not timedelta(0) <= now - since < WRITTEN or _shape(habit) != _shape(before):
            self._write(habit)
            self._written[sender] = now
        for finding in findings:
            if finding.text:
                post(self._spool, finding.kind, finding.about, finding.text, finding.advice, now=now)
            else:
                withdraw(self._spool, finding.kind, finding.about)

    def _write(self, habit: Habit) -> None:
        """Write a habit down, with the rules that another router has seen to fire."""
        path = self._path(habit.sender)
        with exclusive(path.parent):
            rules = {**_read(path, habit.sender).rules, **habit.rules}
            merged = habit.model_copy(update={"rules": rules}) if len(rules) <= MOST_RULES else habit
            durable.write_file(path, merged.model_dump_json(exclude_defaults=True).encode(), sync=False)

    def _path(self, sender: str) -> Path:
        return habits_folder(self._spool) / f"{hashlib.sha256(sender.encode()).hexdigest()[:32]}.json"

    def forget(self, now: datetime) -> None:
        """Forget senders that have sent nothing for long, and the oldest beyond the limit."""
        folder = habits_folder(self._spool)
        try:
            with os.scandir(folder) as entries:
                ages = sorted((now.timestamp() - entry.stat().st_mtime, entry.path) for entry in entries)
        except FileNotFoundError:
            return
        for number, (age, path) in enumerate(ages):
            if age > KEPT_SECONDS or number >= MOST_SENDERS:
                durable.unlink(Path(path))


def _shape(habit: Habit) -> object:
    """Return what is written at once: which rules fire, and what is not as usual."""
    rules = {name: (known.expression, known.changed) for name, known in habit.rules.items()}
    return rules, habit.unwanted_since


def habits_folder(spool: Spool) -> Path:
    """Return where the hints are."""
    return spool.stage(Stage.STATE) / "habits"


def _read(path: Path, sender: str) -> Habit:
    found = read_state(path, Habit)
    return found if found is not None and found.sender == sender else Habit(sender=sender)
