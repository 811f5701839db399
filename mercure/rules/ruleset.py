"""Rule set: findings that only the whole set shows, such as rules that can never act because of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mercure.rules.errors import Diagnostic, RuleError, TextPlace
from mercure.rules.impossible import implies
from mercure.rules.rule import CompiledRule, compile_rule

_DISCARD: Final = "discard"
_NOTIFY: Final = "notify"


@dataclass(frozen=True, slots=True)
class RuleOfSet:
    """What this check needs to know of a rule.

    Parameters
    ----------
    name : str
        Its name.
    expression : str
        Its condition.
    action : str
        ``discard`` stops and wins, ``notify`` takes the series nowhere; anything else takes it somewhere.
    fallback : bool
        It acts only when no other rule takes the series.
    disabled : bool
        It does not act, and nothing is said of it.
    """

    name: str
    expression: str
    action: str
    fallback: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class SetFinding:
    """A finding about one rule of a set; `because_of` names the other one."""

    rule: str
    because_of: str
    finding: Diagnostic


@dataclass(frozen=True, slots=True)
class _Ready:
    """An enabled rule that can be compiled, with its place in the order."""

    number: int
    rule: RuleOfSet
    compiled: CompiledRule


def check_rule_set(rules: Iterable[RuleOfSet]) -> list[SetFinding]:
    """Find rules that can never act.

    Only what is certain is said: that whenever the rule is true, another one is true that discards the series, or (of a
    fallback) takes it. Rules that cannot be compiled are left out; what is wrong with each alone is for `check`.

    Parameters
    ----------
    rules : iterable of RuleOfSet
        In their order.

    Returns
    -------
    list of SetFinding
        Warnings, at most one for each rule, in the order of the rules.
    """
    ready = list(_ready(rules))
    return [found for found in (_hindrance(one, ready) for one in ready) if found is not None]


def _ready(rules: Iterable[RuleOfSet]) -> Iterator[_Ready]:
    for number, rule in enumerate(rules):
        if not rule.disabled:
            try:
                yield _Ready(number, rule, compile_rule(rule.expression))
            except RuleError:
                continue


def _hindrance(one: _Ready, ready: Sequence[_Ready]) -> SetFinding | None:
    for other in ready:
        if other is not one and _goes_before(other, one) and _follows(one.compiled, other.compiled):
            return _finding(one, other)
    return None


def _goes_before(other: _Ready, one: _Ready) -> bool:
    """Return whether a rule, when it is true, keeps another from acting."""
    earlier = other.number < one.number
    if one.rule.fallback:
        # Fallbacks come last, and none of them when the series has been taken.
        return other.rule.action != _NOTIFY and (earlier or not other.rule.fallback)
    if other.rule.fallback or other.rule.action != _DISCARD:
        return False
    # A discard wins over what fired before it, too, but not over another discard.
    return earlier or one.rule.action != _DISCARD


def _follows(one: CompiledRule, other: CompiledRule) -> bool:
    """Return whether the other rule is certainly true whenever this one is."""
    if other.keywords and not other.keywords & one.keywords:
        return False  # a shortcut: without a tag in common nothing could be concluded
    return implies(one.term, other.term)


def _finding(one: _Ready, other: _Ready) -> SetFinding:
    does = "discards the series" if other.rule.action == _DISCARD else "takes the series"
    message = f"this rule can never act: whenever it is true, {other.rule.name} {does}"
    advice = "narrow one of the two conditions, or disable one of them"
    place = TextPlace(one.rule.expression, one.compiled.term.start, one.compiled.term.end)
    finding = Diagnostic("warning", "unreachable", message, advice, place)
    return SetFinding(one.rule.name, other.rule.name, finding)
