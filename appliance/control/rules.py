"""What a person can ask of the rules: which there are."""

from __future__ import annotations

from appliance.control.session import Session
from mercure.config import Rule
from mercure.model import Model


class RuleState(Model):
    """A rule and its name; they are looked at in the order listed."""

    name: str
    rule: Rule


def list_rules(session: Session) -> list[RuleState]:
    """List all rules in their order."""
    return [RuleState(name=name, rule=rule) for name, rule in session.config.rules.items()]
