"""Rule settings: one rule of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import JsonValue, field_validator, model_validator

from mercure.config.basics import Name
from mercure.config.completion import StudyCompletion
from mercure.config.notifications import RuleNotifications
from mercure.model import Model, Priority

Action = Literal["route", "process", "both", "discard", "notify"]
LatePolicy = Literal["alone", "again", "hold"]

NEEDS_TARGETS: Final = ("route", "both")
NEEDS_MODULES: Final = ("process", "both")


class Rule(Model):
    """What is to be done with which series."""

    rule: str
    """The condition (``docs/reference/rule-language.md``)."""
    action: Action = "route"
    """``route``: to its targets as received; ``process``: through its modules, and the result to its targets; ``both``
    of these; ``discard``: nowhere, and no later rule is evaluated; ``notify``: only notifies people."""
    targets: tuple[Name, ...] = ()
    """Where to."""
    modules: tuple[Name, ...] = ()
    """Processing modules, one after the other; the result goes to `targets`."""
    module_settings: dict[str, JsonValue] = {}
    """Override single settings of all modules."""
    step_settings: tuple[dict[str, JsonValue], ...] = ()
    """Override single settings of each module, in the order of `modules`, after `module_settings`."""
    trigger: Literal["series", "study"] = "series"
    """Acts on each series, or on the study of all series for which the condition holds."""
    study: StudyCompletion | None = None
    """For `trigger` ``study``; its defaults when absent."""
    late: LatePolicy = "alone"
    """What to do with images that come after their series (or study) was complete: send them alone, send the whole
    again, or hold them for a person."""
    priority: Priority = "normal"
    """``urgent`` tasks are served first, ``offpeak`` ones only in the off-peak hours."""
    fallback: bool = False
    """Acts only when no other rule did."""
    disabled: bool = False
    """It is passed over."""
    contact: str = ""
    """Whom to ask about it; messages name it."""
    comment: str = ""
    """What it is for."""
    notifications: RuleNotifications = RuleNotifications()
    """Whom it notifies of what it does."""
    tags: tuple[str, ...] = ()
    """Words to group rules by."""

    @field_validator("targets", "modules", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Rule:
        problem = next((text for wrong, text in _rule_problems(self) if wrong), None)
        if problem:
            raise ValueError(problem)
        return self


def _rule_problems(rule: Rule) -> Iterator[tuple[bool, str]]:
    """Yield what may be wrong between the parts of a rule, and whether it is."""
    action = f"a rule with action {rule.action!r}"
    yield rule.action in NEEDS_TARGETS and not rule.targets, f"{action} needs at least one target in 'targets'"
    yield rule.action in NEEDS_MODULES and not rule.modules, f"{action} needs at least one module in 'modules'"
    idle = rule.action in ("discard", "notify")
    yield idle and bool(rule.targets), f"{action} has no targets; remove them, or choose another action"
    channels = rule.notifications
    yield idle and bool(channels.completion), f"{action} completes nothing; use 'reception' in 'notifications'"
    unused = rule.action not in NEEDS_MODULES
    yield unused and bool(channels.request), f"{action} has no module that could ask for a notification"
    yield unused and bool(rule.modules), f"{action} has no modules; remove them, or choose another action"
    many = len(rule.step_settings) > len(rule.modules)
    yield many, "'step_settings' has more entries than 'modules'"
    yield len(set(rule.targets)) != len(rule.targets), "a target is named twice"
    yield rule.trigger == "study" and idle, f"{action} acts on each series; 'trigger' cannot be 'study'"
    yield rule.trigger == "series" and rule.study is not None, "'study' is for rules with 'trigger' 'study'"
