"""Deciding: which rules fire for a series, and the tasks that follow. Pure: no file is touched here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from mercure.config import Config, Rule
from mercure.event_details import RuleOutcome
from mercure.model import Record
from mercure.names import derived_id
from mercure.rules import compile_rule
from mercure.spool import FiredRule, Stage, TagRecord, Task
from mercure.spool.task import PRIORITIES, Failure, Priority

UNMATCHED = "(no rule)"
"""Stands where a rule's name does when a series is discarded because no rule wanted it."""


class Derived(Record):
    """A task to derive, and the stage in which it begins."""

    stage: Stage
    task: Task


class Plan(Record):
    """What the router decided for a series; kept in the task, so that after a crash the same is done.

    `ends_in` says what becomes of the routed task itself: it is removed when all derived tasks stand, or moved to
    ``discard/`` or ``error/``.
    """

    version: Literal[1] = 1
    files: tuple[str, ...]
    rules: tuple[RuleOutcome, ...]
    derived: tuple[Derived, ...] = ()
    ends_in: Literal["derived", "discard", "error"]
    discarded_by: str | None = None
    failure: Failure | None = None


def decide(config: Config, task: Task, records: Sequence[TagRecord], files: Sequence[str], now: datetime) -> Plan:
    """Apply the rules to a series.

    The rules are looked at in their order. The first discard that fires wins over all that fired before it; routes
    add up; a fallback acts when nothing else did. A rule that cannot be evaluated does not fire, and when then nothing
    else takes the series, it is kept in ``error/``: to discard it would be a guess.

    Parameters
    ----------
    config : Config
        The rules and targets.
    task : Task
        The series.
    records : sequence of TagRecord
        Its tag records, in the order received.
    files : sequence of str
        Names of its images.
    now : datetime
        Aware instant, for rules that ask for ages.
    """
    outcomes: list[RuleOutcome] = []
    fired: list[tuple[str, Rule]] = []
    for name, rule in _in_order(config):
        if rule.fallback and fired:
            break
        outcome = _evaluate(name, rule, records, now)
        outcomes.append(outcome)
        if outcome.fired:
            fired.append((name, rule))
            if rule.action == "discard":
                return _discard(files, outcomes, name)
    if not fired:
        failed = [outcome for outcome in outcomes if outcome.error]
        return _undecided(files, outcomes, failed, now) if failed else _discard(files, outcomes, UNMATCHED)
    derived = _routes(config, task, fired)
    return Plan(files=tuple(files), rules=tuple(outcomes), derived=derived, ends_in="derived")


def _in_order(config: Config) -> list[tuple[str, Rule]]:
    """List the enabled rules in their order, fallbacks last."""
    enabled = [(name, rule) for name, rule in config.rules.items() if not rule.disabled]
    return sorted(enabled, key=lambda item: item[1].fallback)


def _evaluate(name: str, rule: Rule, records: Sequence[TagRecord], now: datetime) -> RuleOutcome:
    evaluation = compile_rule(rule.rule).evaluate(records, now=now)
    error = str(evaluation.error) if evaluation.error else None
    return RuleOutcome(rule=name, fired=evaluation.result and error is None, error=error)


def _discard(files: Sequence[str], outcomes: Sequence[RuleOutcome], rule: str) -> Plan:
    return Plan(files=tuple(files), rules=tuple(outcomes), ends_in="discard", discarded_by=rule)


def _undecided(
    files: Sequence[str], outcomes: Sequence[RuleOutcome], failed: Sequence[RuleOutcome], now: datetime
) -> Plan:
    first = failed[0]
    failure = Failure(
        stage=Stage.ROUTING,
        reason=f"rule {first.rule!r} could not be evaluated and no other rule took the series: {first.error}",
        advice="correct the rule, then retry the task: it is decided anew",
        at=now,
    )
    return Plan(files=tuple(files), rules=tuple(outcomes), ends_in="error", failure=failure)


def _routes(config: Config, task: Task, fired: Sequence[tuple[str, Rule]]) -> tuple[Derived, ...]:
    """Make one task for each target, however many rules name it, with the highest priority among them."""
    wanted: dict[str, list[tuple[str, Rule]]] = {}
    for name, rule in fired:
        for target in rule.targets:
            wanted.setdefault(target, []).append((name, rule))
    derived = []
    for target, rules in wanted.items():
        child = task.model_copy(
            update={
                "id": derived_id(task.id, f"route:{target}"),
                "parent": task.id,
                "action": "route",
                "rules": tuple(FiredRule(rule=name, why=rule.rule) for name, rule in rules),
                "priority": _highest([rule.priority for _, rule in rules]),
                "target": target,
            }
        )
        derived.append(Derived(stage=Stage.OUTGOING, task=child))
    return tuple(derived)


def _highest(priorities: Sequence[Priority]) -> Priority:
    return min(priorities, key=PRIORITIES.index)
