"""What a person can ask of the rules: which there are, what is wrong with them, and whether one can never act."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from appliance.control.api import rules as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.api.rules import Checked, RuleCheck, RuleFinding, RuleState
from appliance.control.configuration import edits
from appliance.control.configuration.entries import save_entry
from appliance.control.configuration.hidden_values import hidden_values
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import Rule
from mercure.rules import Diagnostic, check
from mercure.rules.ruleset import RuleOfSet, check_rule_set


def list_rules(session: Session) -> list[RuleState]:
    """List all rules in their order."""
    hidden = hidden_values(session.config)
    return [RuleState(name=name, rule=hidden.shown_settings(rule)) for name, rule in session.config.rules.items()]


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> api.Rules:
    """List all rules, with the revision they are of."""
    assumed = session.config.receiver.character_set
    return api.Rules(rules=tuple(list_rules(session)), revision=session.loaded.revision, character_set=assumed)


def find_rule(session: Session, name: str) -> Rule:
    """Return a rule of the configuration.

    Raises
    ------
    ControlError
        There is none of this name.
    """
    rule = session.config.rules.get(name)
    if rule is None:
        raise ControlError("not-found", f"there is no rule {name!r}", "`mercure rules list` shows all")
    return rule


def check_rules(rules: Iterable[tuple[str, Rule]]) -> RuleCheck:
    """Check rules one by one, and what only shows in their order."""
    named = list(rules)
    findings = [_finding(name, item) for name, rule in named for item in check(rule.rule)]
    of_set = [
        RuleOfSet(name, rule.rule, rule.action, fallback=rule.fallback, disabled=rule.disabled) for name, rule in named
    ]
    findings += [_finding(item.rule, item.finding, item.because_of) for item in check_rule_set(of_set)]
    return RuleCheck(checked=len(named), findings=tuple(findings))


def check_expression(expression: str) -> RuleCheck:
    """Check an expression that is not in the configuration (yet)."""
    return RuleCheck(checked=1, findings=tuple(_finding(None, item) for item in check(expression)))


def check_table(session: Session, table: dict[str, Any]) -> Checked:
    """Check a table of rules as it would be saved: what keeps it from that, and what is worth a look."""
    try:
        changed = edits.tried(session, edits.with_rules(table))
    except ControlError as error:
        readable = [(name, rule) for name, rule in ((name, _readable(rule)) for name, rule in table.items()) if rule]
        return Checked(**{**dict(check_rules(readable)), "checked": len(table), "problems": error.problems})
    return Checked(**dict(check_rules(changed.rules.items())))


@carries_out(api.CHECK)
def check_wanted(session: Session, wanted: api.CheckRules) -> Checked:
    """Check an expression, a table, or the rules as they are, and save nothing."""
    if wanted.expression is not None:
        return Checked(**dict(check_expression(wanted.expression)))
    if wanted.rules is not None:
        return check_table(session, wanted.rules)
    return Checked(**dict(check_rules(session.config.rules.items())))


@carries_out(api.SAVE)
def save(session: Session, wanted: api.SaveRules) -> Saved:
    """Save the whole table."""
    return edits.apply(session, "rules.save", "rules", lambda content: {**content, "rules": wanted.rules}, wanted)


@carries_out(api.SAVE_ONE)
def save_one(session: Session, wanted: api.SaveRule) -> Saved:
    """Add or change one rule."""
    return save_entry(session, "rules.save_one", "rules", wanted.rule, wanted)


@carries_out(api.DELETE)
def delete(session: Session, wanted: api.DeleteRule) -> Saved:
    """Remove one rule."""
    return edits.apply(session, "rules.delete", wanted.name, edits.without("rules", wanted.name), wanted)


@carries_out(api.ORDER)
def order(session: Session, wanted: api.OrderRules) -> Saved:
    """Put the rules into another order."""
    return edits.apply(session, "rules.order", "rules", edits.in_order("rules", wanted.names), wanted)


def _readable(rule: Any) -> Rule | None:  # noqa: ANN401 - any JSON
    try:
        return Rule.model_validate(rule)
    except ValidationError:
        return None


def _finding(rule: str | None, finding: Diagnostic, because_of: str | None = None) -> RuleFinding:
    return RuleFinding(
        rule=rule,
        severity=finding.severity,
        column=finding.column,
        text=finding.message,
        advice=finding.advice,
        caret=finding.caret(),
        because_of=because_of,
    )
