"""The settings of a target group, and a group that is asked or used by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import ConfigError, Root
from mercure.services.common import open_store
from mercure.spool import Task
from mercure.targets import MODELS, DeliveryJob, GroupSettings, ImageResult, Trouble, open_target
from mercure.targets.group import GroupTarget
from tests.support.targets import DOWN, ScriptedTarget, answers, confirms, fails

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = {"kind": "folder", "path": "/nowhere"}
GROUP: dict[str, Any] = {"kind": "group", "members": ["a", "b"], "strategy": "round-robin"}


def problems(tmp_path: Path, **targets: Any) -> list[str]:
    content = {"version": 1, "targets": {"a": FOLDER, "b": FOLDER, **targets}}
    try:
        open_store(Root(tmp_path)).parse(content)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "group",
    [
        GROUP,
        {**GROUP, "strategy": "weighted", "weights": {"a": 3}},
        {**GROUP, "strategy": "failover", "order": "study", "disabled": True, "comment": "two archives"},
        {**GROUP, "members": ["a"]},
    ],
)
def test_good_settings(tmp_path: Path, group: dict[str, Any]) -> None:
    assert problems(tmp_path, both=group) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"members": []}, "targets.both.members: "),
        ({"members": ["a", "a"]}, "targets.both.members: 'a' is named twice; weights give a member a larger share"),
        (
            {"members": ["a", "bb"]},
            "targets.both.members: there is no target 'bb' (did you mean 'b'?)",
        ),
        (
            {"members": ["a", "unheard-of"]},
            "targets.both.members: there is no target 'unheard-of' (add the target, or remove it from the group)",
        ),
        (
            {"members": ["a", "both"]},
            "targets.both.members: 'both' is a group itself "
            "(name its members here instead: there are no groups inside groups)",
        ),
        ({"strategy": "random"}, "targets.both.strategy: "),
        ({"strategy": "weighted"}, "targets.both: the strategy 'weighted' needs 'weights'"),
        ({"weights": {"a": 1}}, "targets.both: 'weights' are for the strategy 'weighted'"),
        ({"strategy": "weighted", "weights": {"c": 1}}, "targets.both: 'c' has a weight and is not a member"),
        ({"strategy": "weighted", "weights": {"a": 0}}, "targets.both.weights.a: "),
        ({"concurrency": 4}, "targets.both.concurrency: a group has no such setting of its own; set it at the members"),
        ({"retry": {"first_seconds": 1}}, "targets.both.retry: a group has no such setting of its own"),
        ({"timeout_seconds": 5}, "targets.both.timeout_seconds: a group has no such setting of its own"),
        ({"member": ["a"]}, "targets.both.member: unknown key (did you mean 'members'?)"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_advice(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    (told,) = problems(tmp_path, both={**GROUP, **change})
    assert told.startswith(problem)


def test_a_group_in_a_group_is_refused(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, inner=GROUP, outer={**GROUP, "members": ["a", "inner"]})
    assert told.startswith("targets.outer.members: 'inner' is a group itself")


# --- by hand


def group(members: dict[str, ScriptedTarget], *, split: bool = False) -> GroupTarget:
    settings = GroupSettings.model_validate({**GROUP, "members": list(members), "split": split})
    return GroupTarget(settings, members.__getitem__)


def job(tmp_path: Path, reported: list[ImageResult], count: int = 3) -> DeliveryJob:
    task = Task.model_validate({"id": "t", "created": "2026-01-01T00:00:00Z"})
    files = [f"1.2.{number}.dcm" for number in range(1, count + 1)]
    return DeliveryJob(tmp_path, files, task, 10.0, reported.append, lambda: False)


def test_a_group_is_well_while_one_member_is(tmp_path: Path) -> None:
    members = {"a": ScriptedTarget(up=False), "b": ScriptedTarget()}
    check = group(members).check()
    assert check.ok
    assert check.text == "1 of 2 members take images: a: down, no answer; b: ok, it answered"
    members["b"].up = False
    assert not group(members).check().ok


@pytest.mark.parametrize(("split", "first"), [(False, 1), (True, 2)])
def test_by_hand_the_first_member_that_can_be_reached_takes_it(tmp_path: Path, split: bool, first: int) -> None:
    members = {"a": ScriptedTarget([fails(DOWN, after=1)]), "b": ScriptedTarget([confirms]), "c": ScriptedTarget()}
    reported: list[ImageResult] = []
    assert group(members, split=split).deliver(job(tmp_path, reported)) is None
    anew = [f"1.2.{number}.dcm" for number in range(first, 4)]
    assert [result.file for result in reported] == ["1.2.1.dcm", *anew]
    assert members["b"].asked == [("t", anew)], "one member has all of it, unless the group splits"
    assert members["c"].asked == []


def test_by_hand_a_refusal_is_no_reason_to_ask_another(tmp_path: Path) -> None:
    members = {"a": ScriptedTarget([answers(_2="refused")]), "b": ScriptedTarget()}
    trouble = group(members).deliver(job(tmp_path, []))
    assert trouble is not None
    assert trouble.kind == "refused"
    assert members["b"].asked == []


def test_by_hand_with_nobody_there_the_last_trouble_names_its_member(tmp_path: Path) -> None:
    members = {"a": ScriptedTarget([fails(DOWN)]), "b": ScriptedTarget([fails(Trouble("timeout", "too slow"))])}
    assert group(members).deliver(job(tmp_path, [])) == Trouble("timeout", "member 'b': too slow")


def test_the_registry_opens_members_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    content = {name: {"kind": "folder", "path": str(tmp_path / name)} for name in ("a", "b")}
    targets = {name: MODELS["folder"].model_validate(settings) for name, settings in content.items()}
    check = open_target(GroupSettings.model_validate(GROUP), targets).check()
    assert check.ok
    assert "a: down, the folder" in check.text
    with pytest.raises(KeyError):
        open_target(GroupSettings.model_validate(GROUP))
