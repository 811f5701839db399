"""Rehearsing changed rules on series that were routed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercure.config import Config
from mercure.routing import dry_run
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from tests.support.router_desk import RouterDesk


def routed(desk: RouterDesk, number: int, **tags: Any) -> None:
    desk.send(make_images(2, series=f"1.5.{number}", **tags))
    desk.turn()
    desk.turn(6)


def with_rules(desk: RouterDesk, rules: dict[str, Any]) -> Config:
    content = {"version": 1, "rules": rules, "targets": {n: {"kind": "folder", "path": "/x"} for n in ("pacs", "ct")}}
    return desk.context.store.parse(content)


def test_what_would_go_elsewhere_is_counted_and_listed(desk: RouterDesk) -> None:
    for number, modality in enumerate(["CT", "MR", "CT"]):
        routed(desk, number, Modality=modality)
    current = with_rules(desk, {"all": {"rule": "True", "targets": ["pacs"]}})
    changed = with_rules(
        desk,
        {
            "ct": {"rule": "tags.Modality == 'CT' and images.count == 2", "targets": ["ct"]},
            "rest": {"rule": "True", "targets": ["pacs"], "fallback": True},
        },
    )
    result = dry_run.rehearse(desk.spool, current, changed, 10)
    assert result.series == 3
    assert [(change.identity.SeriesInstanceUID, change.before, change.after) for change in result.changes] == [
        ("1.5.2", ("pacs",), ("ct",)),
        ("1.5.0", ("pacs",), ("ct",)),
    ]
    assert result.moves == {"pacs -> ct": 2}
    assert dry_run.rehearse(desk.spool, current, changed, 2).series == 2
    assert dry_run.rehearse(desk.spool, current, current, 10).changes == ()


def test_discards_studies_and_errors_have_a_place_too(desk: RouterDesk) -> None:
    routed(desk, 1)
    current = with_rules(desk, {"all": {"rule": "True", "targets": ["pacs"]}})
    cases: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"no": {"rule": "True", "action": "discard"}}, ("discard by no",)),
        ({"no": {"rule": "False", "targets": ["pacs"]}}, ("discard by (no rule)",)),
        ({"all": {"rule": "True", "targets": ["pacs"], "trigger": "study"}}, ("study of rule all",)),
        ({"bad": {"rule": "1 / (images.count - 2) > 0", "targets": ["pacs"]}}, ("error",)),
    ]
    for rules, after in cases:
        (change,) = dry_run.rehearse(desk.spool, current, with_rules(desk, rules), 10).changes
        assert change.after == after


def test_only_the_newest_are_kept(desk: RouterDesk) -> None:
    for number in range(4):
        routed(desk, number)
    kept = dry_run.kept_tasks(desk.spool)
    assert dry_run.forget(desk.spool, 3) == 1
    assert dry_run.kept_tasks(desk.spool) == kept[:3]
