"""Deciding: which rules fire, what adds up, what wins, and what is kept when nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from mercure.config import Config
from mercure.names import derived_id
from mercure.routing.plan import HELD_BY, UNMATCHED, Plan, decide
from mercure.spool import Stage, Task
from mercure.targets import MODELS

TARGETS = {name: MODELS["folder"].model_validate({"kind": "folder", "path": f"/{name}"}) for name in ("a", "b", "c")}
CT, MR = 'tags.Modality == "CT"', 'tags.Modality == "MR"'
BROKEN = "number(tags.PatientID) > 3"
"""A rule that fails for a patient whose id is no number."""


def plan(rules: dict[str, Any], *, late: bool = False, **tags: str) -> Plan:
    config = Config.model_validate({"targets": TARGETS, "rules": rules})
    task = Task.model_validate(
        {
            "id": "20260101T000000000000-00000001",
            "created": "2026-01-01T00:00:00Z",
            "late": late,
            "images": 2,
            "identity": {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"},
        }
    )
    record = {"FileName": "1.dcm", "Modality": "CT", "PatientID": "P1", "SenderAET": "CT1", **tags}
    return decide(config, task, [record, {**record, "FileName": "2.dcm"}], ["1.dcm", "2.dcm"], task.created)


def routes(made: Plan) -> dict[str, str]:
    return {item.task.target or "": item.task.priority for item in made.derived}


def route(rule: str, *targets: str, **more: Any) -> dict[str, Any]:
    return {"rule": rule, "targets": list(targets), **more}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"ct": route(CT, "a")}, {"a": "normal"}),
        ({"ct": route(CT, "a"), "mr": route(MR, "b")}, {"a": "normal"}),
        ({"ct": route(CT, "a", "b")}, {"a": "normal", "b": "normal"}),
        ({"ct": route(CT, "a"), "all": route("True", "b")}, {"a": "normal", "b": "normal"}),
        # Several rules for one target make one task, with the highest priority among them.
        ({"ct": route(CT, "a"), "all": route("True", "a", priority="urgent")}, {"a": "urgent"}),
        ({"ct": route(CT, "a", priority="offpeak"), "all": route("True", "a")}, {"a": "normal"}),
        ({"ct": route(CT, "a", priority="offpeak"), "all": route("True", "b")}, {"a": "offpeak", "b": "normal"}),
        # A fallback acts when nothing else did, wherever it stands.
        ({"rest": route("True", "c", fallback=True), "ct": route(CT, "a")}, {"a": "normal"}),
        ({"rest": route("True", "c", fallback=True), "mr": route(MR, "a")}, {"c": "normal"}),
        ({"rest": route(MR, "c", fallback=True), "more": route(CT, "b", fallback=True)}, {"b": "normal"}),
        ({"r1": route("True", "c", fallback=True), "r2": route("True", "b", fallback=True)}, {"c": "normal"}),
        # A disabled rule is as if it were not there.
        ({"ct": route(CT, "a", disabled=True), "rest": route("True", "c", fallback=True)}, {"c": "normal"}),
        # A rule that fails does not fire; the others are still right.
        ({"bad": route(BROKEN, "a"), "ct": route(CT, "b")}, {"b": "normal"}),
        ({"bad": route(BROKEN, "a"), "rest": route("True", "c", fallback=True)}, {"c": "normal"}),
        # A notification takes nothing.
        ({"tell": {"rule": "True", "action": "notify"}, "rest": route("True", "c", fallback=True)}, {"c": "normal"}),
    ],
)
def test_where_a_series_goes(rules: dict[str, Any], expected: dict[str, str]) -> None:
    made = plan(rules)
    assert made.ends_in == "derived"
    assert routes(made) == expected
    assert all(item.stage is Stage.OUTGOING for item in made.derived)
    assert made.files == ("1.dcm", "2.dcm")


@pytest.mark.parametrize(
    ("rules", "by"),
    [
        ({}, UNMATCHED),
        ({"mr": route(MR, "a")}, UNMATCHED),
        ({"no": {"rule": CT, "action": "discard"}}, "no"),
        # Discard wins over what fired before it, and nothing after it is looked at.
        ({"ct": route(CT, "a"), "no": {"rule": CT, "action": "discard"}, "bad": route(BROKEN, "b")}, "no"),
        ({"bad": route(BROKEN, "a"), "no": {"rule": CT, "action": "discard"}}, "no"),
        ({"no": {"rule": "True", "action": "discard", "fallback": True}}, "no"),
        ({"tell": {"rule": "True", "action": "notify"}}, UNMATCHED),
    ],
)
def test_what_is_discarded_and_by_whom(rules: dict[str, Any], by: str) -> None:
    made = plan(rules)
    assert (made.ends_in, made.discarded_by, made.derived) == ("discard", by, ())


@pytest.mark.parametrize(
    "rules",
    [
        {"bad": route(BROKEN, "a")},
        {"bad": route(BROKEN, "a"), "mr": route(MR, "b")},
        {"bad": {"rule": BROKEN, "action": "discard"}},
        # To discard the rest would be a guess: the rule that failed might have taken it.
        {"bad": route(BROKEN, "a"), "rest": {"rule": "True", "action": "discard", "fallback": True}},
        {"rest": {"rule": "True", "action": "discard", "fallback": True}, "bad": route(BROKEN, "a")},
        {"bad": route(BROKEN, "a"), "tell": {"rule": "True", "action": "notify"}},
    ],
)
def test_what_cannot_be_decided_is_kept_with_reason_and_advice(rules: dict[str, Any]) -> None:
    made = plan(rules)
    assert made.ends_in == "error"
    assert made.failure is not None
    assert "'bad'" in made.failure.reason
    assert made.failure.advice
    assert {outcome.rule: bool(outcome.error) for outcome in made.rules}["bad"]


def test_every_rule_that_was_asked_is_on_record() -> None:
    off = route(CT, "c", disabled=True)
    made = plan({"bad": route(BROKEN, "a"), "ct": route(CT, "b"), "mr": route(MR, "c"), "off": off})
    assert [(outcome.rule, outcome.fired, bool(outcome.error)) for outcome in made.rules] == [
        ("bad", False, True),
        ("ct", True, False),
        ("mr", False, False),
    ]


def test_a_derived_task_says_whence_and_why() -> None:
    made = plan({"ct": route(CT, "a"), "all": route("True", "a")})
    (item,) = made.derived
    assert item.task.parent == "20260101T000000000000-00000001"
    assert [(fired.rule, fired.why) for fired in item.task.rules] == [("ct", CT), ("all", "True")]
    assert (item.task.action, item.task.images) == ("route", 2)
    assert item.task.id[:21] == "20260101T000000000000"


def test_the_same_decision_names_the_same_tasks() -> None:
    rules = {"ct": route(CT, "a", "b", "c")}
    assert plan(rules) == plan(rules)
    assert len({item.task.id for item in plan(rules).derived}) == 3


def test_ids_that_happen_to_be_the_same_lose_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(parent: str, key: str) -> str:
        return derived_id(parent, "x" if key.startswith("route:") else key)

    monkeypatch.setattr("mercure.routing.plan.derived_id", same)
    made = plan({"ct": route(CT, "a", "b", "c")})
    assert set(routes(made)) == {"a", "b", "c"}
    assert len({item.task.id for item in made.derived}) == 3
    assert made == plan({"ct": route(CT, "a", "b", "c")})


@pytest.mark.parametrize(
    ("late", "policy", "again", "held"),
    [
        (False, "hold", False, False),
        (True, "alone", False, False),
        (True, "again", True, False),
        (True, "hold", False, True),
    ],
)
def test_late_arrivals_follow_their_rule(late: bool, policy: str, again: bool, held: bool) -> None:
    (item,) = plan({"ct": route(CT, "a", late=policy)}, late=late).derived
    assert (item.again, item.task.hold is not None) == (again, held)
    assert item.task.late == late
    if item.task.hold:
        assert item.task.hold.by == HELD_BY
        assert item.task.hold.reason


def test_a_plan_reads_back() -> None:
    for rules in ({"ct": route(CT, "a", "b")}, {}, {"bad": route(BROKEN, "a")}):
        made = plan(rules)
        assert Plan.model_validate_json(made.model_dump_json(exclude_defaults=True)) == made
