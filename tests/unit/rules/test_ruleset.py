"""Rules that can never act because of others; nothing is claimed that is not certain."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercure.rules import ImageRecords, RuleOfSet, check_rule_set, compile_rule

CT = 'tags.Modality == "CT"'
MR = 'tags.Modality == "MR"'


def named(*rules: tuple[str, str] | tuple[str, str, str]) -> list[tuple[str, str]]:
    """Check rules written as (action, expression) or (action, expression, options), named a, b, c …"""
    made = [
        RuleOfSet(name, rule[1], rule[0], "fallback" in rule[2:], "disabled" in rule[2:])
        for name, rule in zip("abcdefgh", rules, strict=False)
    ]
    return [(found.rule, found.because_of) for found in check_rule_set(made)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([("discard", CT), ("route", CT)], [("b", "a")]),
        ([("discard", "True"), ("route", CT)], [("b", "a")]),
        ([("discard", 'tags.Modality in ["CT", "US"]'), ("route", CT)], [("b", "a")]),
        ([("discard", CT), ("route", f'{CT} and has("EchoTime")')], [("b", "a")]),
        ([("route", CT), ("discard", CT)], [("a", "b")]),
        ([("notify", CT), ("discard", CT)], [("a", "b")]),
        ([("discard", CT), ("discard", CT)], [("b", "a")]),
        ([("discard", CT), ("route", MR)], []),
        ([("discard", CT), ("route", "True")], []),
        ([("discard", f'{CT} and has("EchoTime")'), ("route", CT)], []),
        ([("discard", CT, "disabled"), ("route", CT)], []),
        ([("discard", CT), ("route", CT, "disabled")], []),
        ([("discard", CT, "fallback"), ("route", CT)], [("a", "b")]),
        ([("discard", CT, "fallback"), ("notify", CT)], []),
        ([("route", CT), ("route", CT)], []),
        ([("route", CT), ("process", CT)], []),
        ([("route", "True"), ("route", "True", "fallback")], [("b", "a")]),
        ([("route", "True", "fallback"), ("route", "True")], [("a", "b")]),
        ([("notify", "True"), ("route", "True", "fallback")], []),
        ([("route", "True", "fallback"), ("route", CT, "fallback")], [("b", "a")]),
        ([("notify", "True", "fallback"), ("route", CT, "fallback")], []),
        ([("discard", CT), ("route", CT, "fallback")], [("b", "a")]),
        ([("route", CT), ("route", "True", "fallback")], []),
        ([("discard", "number(tags.EchoTime) > 1"), ("route", "number(tags.EchoTime) > 2")], []),
        ([("discard", "1 +"), ("route", CT)], []),
        ([("discard", CT), ("route", "1 +")], []),
        ([("discard", "days_since(tags.StudyDate) > 1"), ("route", "days_since(tags.StudyDate) > 1")], [("b", "a")]),
    ],
)
def test_rules_that_can_never_act(rules: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    assert named(*rules) == expected


def test_the_finding_says_why_and_where() -> None:
    (found,) = check_rule_set([RuleOfSet("no ct", CT, "discard"), RuleOfSet("ct", f" {CT}", "route")])
    assert str(found.finding) == (
        "column 2: warning: this rule can never act: whenever it is true, no ct discards the series "
        "(narrow one of the two conditions, or disable one of them)"
    )


def acting(rules: list[RuleOfSet], images: ImageRecords) -> set[str]:
    """Discard stops and wins, others add up, a fallback acts when nothing else did."""
    fired: list[RuleOfSet] = []
    for rule in sorted((rule for rule in rules if not rule.disabled), key=lambda rule: rule.fallback):
        if rule.fallback and any(one.action != "notify" for one in fired):
            break
        if compile_rule(rule.expression).evaluate(images).result:
            if rule.action == "discard":
                return {rule.name}
            fired.append(rule)
    return {rule.name for rule in fired}


CONDITIONS = [CT, MR, "True", f"not {CT}", f'{CT} and has("StudyID")', f"{CT} or {MR}", "number(tags.StudyID) > 1",
              'tags.Modality in ["CT", "MR"]', f'number(tags.StudyID) > 1 or {CT}']  # fmt: skip
WORLD = [
    ImageRecords([{"Modality": modality, "StudyID": study}])
    for modality, study in itertools.product(["", "CT", "MR", "US"], ["", "1", "2", "x"])
]
rule_sets = st.lists(
    st.tuples(
        st.sampled_from(["discard", "route", "notify"]), st.sampled_from(CONDITIONS), st.booleans(), st.booleans()
    ),
    max_size=5,
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(rule_sets)
def test_what_is_said_never_to_act_does_not(drawn: list[tuple[str, str, bool, bool]]) -> None:
    rules = [
        RuleOfSet(str(number), expression, action, fallback, disabled)
        for number, (action, expression, fallback, disabled) in enumerate(drawn)
    ]
    said = {found.rule for found in check_rule_set(rules)}
    for images in WORLD:
        assert not said & acting(rules, images)
