"""Plan: which rules fire, and the tasks that follow. Pure: no file is touched here.

What nothing fires for is discarded under the name `UNMATCHED`: most of what scanners send is wanted nowhere. When a
rule could not be evaluated and nothing else took the series, it goes to ``error/`` instead: a wrong rule would lose
images, slowly and unseen. Other rules still act when one fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure.config import Config, Rule
from mercure.config.rule import Action, LatePolicy
from mercure.event_details import RuleOutcome
from mercure.model import PRIORITIES, Priority, Record
from mercure.names import derived_id
from mercure.routing.studies import study_folder
from mercure.routing.verdicts import Named, SeriesVerdicts, Verdict, verdicts
from mercure.rules import RuleError, compile_rule
from mercure.spool import FiredRule, Hold, Stage, TagRecord, Task
from mercure.spool.images import text
from mercure.spool.task import Failure

UNMATCHED: Final = "(no rule)"
"""Stands where a rule's name does when a series is discarded because no rule wanted it."""

HELD_BY: Final = "late arrivals"
"""Stands where a person's name does when the policy for late arrivals holds a task."""


class Derived(Record):
    """A task to derive.

    `study` is the folder in ``studies/`` for a series that waits for its study. `again` says that the images of earlier
    tasks of the same series are to be added, because it is sent whole again. `files` are its images, where it has not
    all of them.
    """

    stage: Stage
    task: Task
    study: str | None = None
    again: bool = False
    files: tuple[str, ...] = ()


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
    """It was carried out as far as into ``error/``, or a person sent it on its way again from ``discard/``: in
    ``routing/`` it is decided anew."""
    anew: AwareDatetime | None = None
    """When it was decided, if that was not the first time."""


def decide(config: Config, task: Task, records: Sequence[TagRecord], files: Sequence[str], now: datetime) -> Plan:
    """Apply the rules to a series.

    The rules are looked at in their order. The first discard that fires wins over all that fired before it; everything
    else adds up; a fallback acts when nothing else did. A rule that cannot be evaluated does not fire, and when then
    nothing else takes the series, it is kept in ``error/``: to discard it would be a guess.

    Where the rules treat the images differently, the series is divided along the verdicts. What no rule wants while
    others are wanted is kept in ``error/``.

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
    decided = verdicts(config, task, records, now)
    if len(decided.verdicts) == 1:
        return _whole(task, files, decided, now)
    return _divided(task, records, files, decided, now)


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
    verdict = Verdict((), fired=((name, rule.model_copy(update={"trigger": "series"})),))
    return _plan(task, files, [outcome], verdict, now)


def to_targets(task: Task, files: Sequence[str], targets: Sequence[str]) -> Plan:
    """Return the plan for images that a person sends to targets of their choice, whatever the rules say."""
    made = [
        Derived(
            stage=Stage.OUTGOING,
            task=task.model_copy(
                update={"id": _id(task, f"route:{target}"), "parent": task.id, "action": "route", "target": target}
            ),
        )
        for target in targets
    ]
    return Plan(files=tuple(files), rules=(), derived=tuple(_distinct(made)), ends_in="derived")


def holds(expression: str, records: Sequence[TagRecord], now: datetime) -> bool:
    """Return whether an earlier expression of a rule holds for a series; False if it cannot be evaluated."""
    try:
        return compile_rule(expression).evaluate(records, lambda: now).result
    except RuleError:
        return False


def _whole(task: Task, files: Sequence[str], decided: SeriesVerdicts, now: datetime) -> Plan:
    """Decide on a series whose images are all treated in the same way."""
    (verdict,) = decided.verdicts
    if verdict.discarded_by is not None:
        by = verdict.discarded_by
        return Plan(files=tuple(files), rules=decided.outcomes, ends_in="discard", discarded_by=by)
    return _plan(task, files, decided.outcomes, verdict, now)


def _divided(
    task: Task, records: Sequence[TagRecord], files: Sequence[str], decided: SeriesVerdicts, now: datetime
) -> Plan:
    """Divide a series along the verdicts: each part goes its own way, and the series itself ends."""
    wanted = any(verdict.is_wanted for verdict in decided.verdicts)
    derived: list[Derived] = []
    for verdict in decided.verdicts:
        own = {text(records[number], "FileName") for number in verdict.images}
        part = task.model_copy(update={"part": verdict.digest})
        made = _part(part, verdict, wanted=wanted, of=len(records), now=now)
        kept = tuple(name for name in files if name in own)
        derived += [item.model_copy(update={"files": kept}) for item in made]
    notified = dict.fromkeys(name for verdict in decided.verdicts for name in _notified(verdict))
    return Plan(
        files=tuple(files),
        rules=decided.outcomes,
        notified=tuple(notified),
        derived=tuple(_distinct(derived)),
        ends_in="derived",
    )


def _part(task: Task, verdict: Verdict, *, wanted: bool, of: int, now: datetime) -> list[Derived]:
    if verdict.is_wanted:
        return [_late(item, verdict.fired, now) for item in _derive(task, verdict.takers)]
    by = verdict.discarded_by or (None if verdict.failed or wanted or not verdict.has_origin else UNMATCHED)
    if by is not None:
        rules = (FiredRule(rule=by, why="discards the series"),)
        update = {"id": _id(task, "discard"), "parent": task.id, "action": "discard", "rules": rules, "finished": now}
        return [Derived(stage=Stage.DISCARD, task=task.model_copy(update=update))]
    failure = _failure(verdict, now) or Failure(
        stage=Stage.ROUTING.value,
        reason=f"no rule wants {len(verdict.images)} of the {of} images of this series, while others are wanted",
        advice="correct the rules and retry the task, or discard it",
        at=now,
    )
    update = {"id": _id(task, "error"), "parent": task.id, "failure": failure, "finished": now}
    return [Derived(stage=Stage.ERROR, task=task.model_copy(update=update))]


def _failure(verdict: Verdict, now: datetime) -> Failure | None:
    """Return why the rules cannot decide about images; None if they can."""
    advice = "correct the rule, then retry the task: it is decided anew"
    if verdict.undecided_discard is not None:
        name = verdict.undecided_discard
        reason = f"rule {name!r}, which discards, could not be evaluated: {dict(verdict.failed)[name]}"
    elif verdict.failed:
        name, error = verdict.failed[0]
        reason = f"rule {name!r} could not be evaluated and no other rule took the series: {error}"
    elif not verdict.has_origin:
        reason = "no rule took the series, and nobody knows from where its images came"
        advice = "find out who sent them; send them again, or retry the task when a rule takes them"
    else:
        return None
    return Failure(stage=Stage.ROUTING.value, reason=reason, advice=advice, at=now)


def _notified(verdict: Verdict) -> list[str]:
    return [name for name, rule in verdict.fired if rule.action == "notify" and verdict.discarded_by is None]


def _plan(task: Task, files: Sequence[str], outcomes: Sequence[RuleOutcome], verdict: Verdict, now: datetime) -> Plan:
    plan = Plan(files=tuple(files), rules=tuple(outcomes), notified=tuple(_notified(verdict)), ends_in="derived")
    if verdict.is_wanted:
        derived = tuple(_late(item, verdict.fired, now) for item in _derive(task, verdict.takers))
        return plan.model_copy(update={"derived": derived})
    failure = _failure(verdict, now)
    if failure is not None:
        return plan.model_copy(update={"ends_in": "error", "failure": failure})
    return plan.model_copy(update={"ends_in": "discard", "discarded_by": UNMATCHED})


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


def _id(task: Task, key: str) -> str:
    return derived_id(task.id, f"{key}@{task.part}" if task.part else key)


def _child(task: Task, key: str, rules: Iterable[Named], priority: Priority, **fields: object) -> Task:
    fired = tuple(FiredRule(rule=name, why=rule.rule) for name, rule in rules)
    if task.resent is not None and task.resent.off_peak:
        priority = "offpeak"
    update = {"id": _id(task, key), "parent": task.id, "rules": fired, "priority": priority, **fields}
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
