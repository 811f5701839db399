"""Deciding: which rules fire, and the tasks that follow. Pure: no file is touched here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from mercure.config import Config, Rule
from mercure.config.rule import Action, LatePolicy
from mercure.event_details import RuleOutcome
from mercure.model import Record
from mercure.names import derived_id
from mercure.routing.studies import study_folder
from mercure.rules import Images, RuleError, compile_rule
from mercure.spool import FiredRule, Hold, Stage, TagRecord, Task
from mercure.spool.task import PRIORITIES, Failure, Priority

UNMATCHED: Final = "(no rule)"
"""Stands where a rule's name does when a series is discarded because no rule wanted it."""

HELD_BY: Final = "late arrivals"
"""Stands where a person's name does when the policy for late arrivals holds a task."""

Named = tuple[str, Rule]


class Derived(Record):
    """A task to derive.

    `study` is the folder in ``studies/`` for a series that waits for its study. `again` says that the images of earlier
    tasks of the same series are to be added, because it is sent whole again.
    """

    stage: Stage
    task: Task
    study: str | None = None
    again: bool = False


class Plan(Record):
    """What the router decided; kept in the task, so that after a crash the same is done.

    `ends_in` says what becomes of the routed task itself: it is removed when all derived tasks stand, or moved to
    ``discard/`` or ``error/``.
    """

    version: Literal[1] = 1
    files: tuple[str, ...]
    rules: tuple[RuleOutcome, ...]
    notified: tuple[str, ...] = ()
    derived: tuple[Derived, ...] = ()
    ends_in: Literal["derived", "discard", "error"]
    discarded_by: str | None = None
    failure: Failure | None = None
    put_aside: bool = False
    """It was carried out as far as into ``error/``: whoever finds the task in ``routing/`` again decides anew."""


def decide(config: Config, task: Task, records: Sequence[TagRecord], files: Sequence[str], now: datetime) -> Plan:
    """Apply the rules to a series.

    The rules are looked at in their order. The first discard that fires wins over all that fired before it; everything
    else adds up; a fallback acts when nothing else did. A rule that cannot be evaluated does not fire, and when then
    nothing else takes the series, it is kept in ``error/``: to discard it would be a guess.

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
    images = Images(records)
    outcomes: list[RuleOutcome] = []
    fired: list[Named] = []
    for name, rule in _in_order(config):
        if rule.fallback and _takes(fired):
            break
        if set(rule.modules) & set(task.processed_by):
            continue  # its result came back to the rules: the same module would see it for ever
        outcome = _evaluate(name, rule, images, now)
        outcomes.append(outcome)
        if outcome.fired:
            if rule.action == "discard" and rule.fallback and any(earlier.error for earlier in outcomes):
                continue  # a rule that failed might have taken it: nobody knows that nothing else did
            fired.append((name, rule))
            if rule.action == "discard":
                return Plan(files=tuple(files), rules=tuple(outcomes), ends_in="discard", discarded_by=name)
    return _plan(task, files, outcomes, fired, now)


def decide_study(config: Config, task: Task, files: Sequence[str], *, discard: bool, now: datetime) -> Plan:
    """Apply the rule that collected a study, now that it is complete.

    Parameters
    ----------
    config : Config
        The rules of now.
    task : Task
        The study.
    files : sequence of str
        Names of its images.
    discard : bool
        Its limit came, and its rule says that it is then discarded.
    now : datetime
        Aware instant.
    """
    name = task.study_rule or ""
    rule = config.rules.get(name)
    if rule is None or rule.trigger != "study":
        reason = f"the rule {name!r} that collected this study is not in the configuration any more"
        failure = Failure(
            stage=Stage.STUDIES.value,
            reason=reason,
            advice="restore the rule and retry the task, or reroute or discard it",
            at=now,
        )
        return Plan(files=tuple(files), rules=(), ends_in="error", failure=failure)
    outcome = RuleOutcome(rule=name, fired=True)
    if discard:
        return Plan(files=tuple(files), rules=(outcome,), ends_in="discard", discarded_by=name)
    return _plan(task, files, [outcome], [(name, rule.model_copy(update={"trigger": "series"}))], now)


def holds(expression: str, records: Sequence[TagRecord], now: datetime) -> bool:
    """Tell whether an expression that was a rule's holds for a series; one that cannot be asked does not."""
    try:
        return _evaluate("", Rule(rule=expression, action="notify"), Images(records), now).fired
    except RuleError:
        return False


def _in_order(config: Config) -> list[Named]:
    """List the enabled rules in their order, fallbacks last."""
    enabled = [(name, rule) for name, rule in config.rules.items() if not rule.disabled]
    return sorted(enabled, key=lambda item: item[1].fallback)


def _takes(fired: Sequence[Named]) -> bool:
    """Tell whether any of the rules that fired takes the series somewhere; a notification does not."""
    return any(rule.action != "notify" for _, rule in fired)


def _evaluate(name: str, rule: Rule, images: Images, now: datetime) -> RuleOutcome:
    evaluation = compile_rule(rule.rule).evaluate(images, lambda: now)
    error = str(evaluation.error) if evaluation.error else None
    return RuleOutcome(rule=name, fired=evaluation.result and error is None, error=error)


def _plan(
    task: Task, files: Sequence[str], outcomes: Sequence[RuleOutcome], fired: Sequence[Named], now: datetime
) -> Plan:
    notified = tuple(name for name, rule in fired if rule.action == "notify")
    if _takes(fired):
        derived = tuple(_late(item, fired, now) for item in _derive(task, fired))
        return Plan(files=tuple(files), rules=tuple(outcomes), notified=notified, derived=derived, ends_in="derived")
    failed = [outcome for outcome in outcomes if outcome.error]
    if not failed:
        return Plan(
            files=tuple(files),
            rules=tuple(outcomes),
            notified=notified,
            ends_in="discard",
            discarded_by=UNMATCHED,
        )
    first = failed[0]
    failure = Failure(
        stage=Stage.ROUTING.value,
        reason=f"rule {first.rule!r} could not be evaluated and no other rule took the series: {first.error}",
        advice="correct the rule, then retry the task: it is decided anew",
        at=now,
    )
    return Plan(files=tuple(files), rules=tuple(outcomes), notified=notified, ends_in="error", failure=failure)


def _derive(task: Task, fired: Sequence[Named]) -> list[Derived]:
    """Make the derived tasks of all rules: collected studies, modules to run, targets to send to."""
    collecting = [item for item in fired if item[1].trigger == "study"]
    acting = [item for item in fired if item[1].trigger == "series"]
    made = [_collected(task, *item) for item in collecting]
    made += [maker(task, *item) for item in acting for maker in _MAKERS[item[1].action]]
    return _distinct(made + _routes(task, [item for item in acting if item[1].action in ("route", "both")]))


def _distinct(made: Sequence[Derived]) -> list[Derived]:
    """Give tasks whose ids happen to be the same (32 bits are few) one of their own, the same at each run.

    The second would else be taken for done already, and one target never get its images.
    """
    by_id: dict[str, Derived] = {}
    for item in made:
        identifier, number = item.task.id, 1
        while identifier in by_id:
            number += 1
            identifier = derived_id(item.task.id, f"again:{number}")
        by_id[identifier] = item.model_copy(update={"task": item.task.model_copy(update={"id": identifier})})
    return list(by_id.values())


def _child(task: Task, key: str, rules: Iterable[Named], priority: Priority, **fields: object) -> Task:
    fired = tuple(FiredRule(rule=name, why=rule.rule) for name, rule in rules)
    update = {"id": derived_id(task.id, key), "parent": task.id, "rules": fired, "priority": priority, **fields}
    return task.model_copy(update=update)


def _collected(task: Task, name: str, rule: Rule) -> Derived:
    child = _child(task, f"collect:{name}", [(name, rule)], rule.priority, action="collect", study_rule=name)
    return Derived(stage=Stage.STUDIES, task=child, study=study_folder(task, name))


def _processed(task: Task, name: str, rule: Rule) -> Derived:
    child = _child(
        task,
        f"process:{name}",
        [(name, rule)],
        rule.priority,
        action="process",
        module=rule.modules[0],
        modules=rule.modules[1:],
        module_settings=rule.module_settings,
        step_settings=rule.step_settings,
        then_targets=rule.targets,
        also_routed=rule.action == "both",
    )
    return Derived(stage=Stage.PROCESSING, task=child)


def _routes(task: Task, fired: Sequence[Named]) -> list[Derived]:
    """Make one task for each target, however many rules name it, with the highest priority among them."""
    wanted: dict[str, list[Named]] = {}
    for name, rule in fired:
        for target in rule.targets:
            wanted.setdefault(target, []).append((name, rule))
    return [
        Derived(
            stage=Stage.OUTGOING,
            task=_child(
                task,
                f"route:{target}",
                rules,
                min((rule.priority for _, rule in rules), key=PRIORITIES.index),
                action="route",
                target=target,
            ),
        )
        for target, rules in wanted.items()
    ]


_MAKERS: Final[dict[Action, tuple[Callable[[Task, str, Rule], Derived], ...]]] = {
    "route": (),  # by target, over all rules: `_routes`
    "process": (_processed,),
    "both": (_processed,),
    "notify": (),
}

_LATE_ORDER: Final[tuple[LatePolicy, ...]] = ("hold", "again", "alone")
"""Of several rules that send to the same target, the most careful policy holds."""


def _late(derived: Derived, fired: Sequence[Named], now: datetime) -> Derived:
    """Apply the policy for late arrivals to one derived task."""
    if not derived.task.late or derived.stage is Stage.STUDIES:
        return derived
    rules = dict(fired)
    policies = [rules[item.rule].late for item in derived.task.rules if item.rule in rules]
    policy = min(policies, key=_LATE_ORDER.index, default="alone")
    if policy == "again":
        return derived.model_copy(update={"again": True})
    if policy == "hold":
        reason = "images came after their series or study was complete, and the rule holds such"
        held = derived.task.model_copy(update={"hold": Hold(by=HELD_BY, at=now, reason=reason)})
        return derived.model_copy(update={"task": held})
    return derived
