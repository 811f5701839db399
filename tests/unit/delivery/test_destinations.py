"""A line of a ledger belongs to a place: what was confirmed at an old address counts for nothing at the new one."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import Root
from mercure.delivery.destinations import Past, counted_for
from mercure.services import dispatcher as dispatcher_module
from mercure.services.common import open_store
from mercure.spool import LedgerLine, Stage, Task, load_task, save_task
from mercure.spool.delivered import by_place, holder
from mercure.spool.images import ledger_lines
from mercure.targets import MODELS
from tests.support.targets import DOWN, ScriptedTarget, confirms, fails, numbers
from tests.support.waiting import Dispatchers, waiting_series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box


def node(port: int = 104, **more: Any) -> dict[str, Any]:
    return {"kind": "dicom", "host": "pacs.example.org", "port": port, "called_aet": "PACS", **more}


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> ScriptedTarget:
    """Answer for every target of the box."""
    target = ScriptedTarget()
    monkeypatch.setattr(dispatcher_module, "open_target", lambda settings: target)
    return target


def half_delivered(box: Box, pacs: ScriptedTarget, before: dict[str, Any], after: dict[str, Any]) -> list[int]:
    """Change a target's settings in the middle of a task of 4 images; return what is sent then."""
    box.configure(targets=before, rules={})
    pacs.then(fails(DOWN, after=2), confirms)
    waiting_series(box, "1.1", target="pacs", images=4)
    Dispatchers(box).round()
    box.close()
    box.configure(targets=after, rules={})
    box.clock.advance(3600)
    Dispatchers(box).until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    return numbers(pacs.asked[-1][1])


@pytest.mark.parametrize(
    "change", [{"host": "192.0.2.7"}, {"port": 11112}, {"called_aet": "OTHER"}, {"host": "pacs2.example.org"}], ids=str
)
def test_a_target_that_has_moved_gets_everything(box: Box, pacs: ScriptedTarget, change: dict[str, Any]) -> None:
    sent = half_delivered(box, pacs, {"pacs": node()}, {"pacs": node(**change)})
    assert sent == [1, 2, 3, 4]
    (done,) = box.tasks(Stage.SUCCESS)
    assert sorted(len(lines) for lines in by_place(ledger_lines(done)).values()) == [2, 4]
    assert len(holder(done, load_task(done))) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"calling_aet": "ROUTER"},
        {"comment": "x"},
        {"host": "PACS.example.org"},
        {"associations": 4},
        {"order": "study"},
    ],
    ids=str,
)
def test_what_does_not_move_it_voids_nothing(box: Box, pacs: ScriptedTarget, change: dict[str, Any]) -> None:
    assert half_delivered(box, pacs, {"pacs": node()}, {"pacs": node(**change)}) == [3, 4]


def test_a_target_that_was_deleted_and_made_again_has_what_it_had(box: Box, pacs: ScriptedTarget) -> None:
    box.configure(targets={"pacs": node()}, rules={})
    pacs.then(fails(DOWN, after=2), confirms)
    task = waiting_series(box, "1.1", target="pacs", images=4)
    Dispatchers(box).round()
    box.close()
    box.configure(targets={}, rules={})
    Dispatchers(box).round()
    assert box.spool.names(Stage.ERROR) == [task]
    (box.spool.entry(Stage.ERROR, task)).rename(box.spool.entry(Stage.OUTGOING, task))
    box.close()
    box.configure(targets={"pacs": node()}, rules={})
    box.clock.advance(3600)
    Dispatchers(box).until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    assert numbers(pacs.asked[-1][1]) == [3, 4]


@pytest.mark.parametrize(("moved", "sent"), [(False, [3, 4]), (True, [1, 2, 3, 4])])
def test_a_target_under_a_new_name_is_the_same_place(
    box: Box, pacs: ScriptedTarget, moved: bool, sent: list[int]
) -> None:
    """A person reroutes the task: only the place counts, not the name."""
    box.configure(targets={"pacs": node()}, rules={})
    pacs.then(fails(DOWN, after=2), confirms)
    task = waiting_series(box, "1.1", target="pacs", images=4)
    Dispatchers(box).round()
    box.close()
    box.configure(targets={"archive": node(105 if moved else 104)}, rules={})
    directory = box.spool.entry(Stage.OUTGOING, task)
    save_task(directory, load_task(directory).model_copy(update={"target": "archive"}))
    box.clock.advance(3600)
    Dispatchers(box).until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    assert numbers(pacs.asked[-1][1]) == sent


@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_is_where_its_symbolic_link_leads(box: Box, pacs: ScriptedTarget, tmp_path: Path, moved: bool) -> None:
    """The settings are the same; who changed the link has changed the place."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "old")
    box.configure(targets={"pacs": {"kind": "folder", "path": str(link)}}, rules={})
    pacs.then(fails(DOWN, after=2), confirms)
    waiting_series(box, "1.1", target="pacs", images=4)
    dispatchers = Dispatchers(box)
    dispatchers.round()
    if moved:
        link.unlink()
        link.symlink_to(tmp_path / "new")
    box.clock.advance(3600)
    dispatchers.until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    assert numbers(pacs.asked[-1][1]) == ([1, 2, 3, 4] if moved else [3, 4])


def test_a_target_that_moves_away_and_back_has_what_it_had(box: Box, pacs: ScriptedTarget) -> None:
    box.configure(targets={"pacs": node()}, rules={})
    pacs.then(fails(DOWN, after=2), fails(DOWN, after=1), confirms)
    waiting_series(box, "1.1", target="pacs", images=4)
    for port in (104, 105, 104):
        box.close()
        box.configure(targets={"pacs": node(port)}, rules={})
        Dispatchers(box).round()
        box.clock.advance(3600)
    assert [numbers(files) for _, files in pacs.asked] == [[1, 2, 3, 4], [1, 2, 3, 4], [3, 4]]
    assert len(box.spool.names(Stage.SUCCESS)) == 1


# -- lines of the release before, which wrote no destination


def save(box: Box, targets: dict[str, Any]) -> None:
    """Save a revision of the configuration."""
    box.configure(targets={}, rules={}) if not (box.root / "config" / "mercure.json").exists() else None
    store = open_store(Root(box.root))
    loaded = store.mercure.load()
    value = store.parse({"version": 1, "targets": targets, "rules": {}})
    store.mercure.save(
        value, author="ann", comment="", edited_from=loaded.revision, by_hand=loaded.by_hand, clock=box.clock
    )
    box.clock.advance(60)


def old_task(box: Box, confirmed: int, images: int = 3, target: str = "pacs") -> Path:
    """Put a task there of which the release before has delivered some images."""
    name = waiting_series(box, "1.1", target=target, images=images)
    directory = box.spool.entry(Stage.OUTGOING, name)
    lines = [
        {"file": path.name, "status": "0x0000", "time": box.clock.now().isoformat(), "target": target}
        for path in sorted(directory.glob("*.dcm"))[:confirmed]
    ]
    (directory / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    box.clock.advance(60)
    return directory


@pytest.mark.parametrize(
    ("then", "sent"),
    [
        ([node()], [3]),
        ([node(comment="new")], [3]),
        ([node(105)], [1, 2, 3]),
        ([node(105), node()], [3]),
        ([node(105), node(106)], [1, 2, 3]),
    ],
    ids=["same", "other comment", "moved", "moved and back", "moved twice"],
)
def test_an_old_line_counts_for_the_address_of_its_time(
    box: Box, pacs: ScriptedTarget, then: list[dict[str, Any]], sent: list[int]
) -> None:
    save(box, {"pacs": node()})
    old_task(box, 2)
    for settings in then:
        save(box, {"pacs": settings})
    Dispatchers(box).until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    assert numbers(pacs.asked[0][1]) == sent
    (done,) = box.tasks(Stage.SUCCESS)
    assert len(holder(done, load_task(done))) == 3, "one place has all of it, by what the ledger says itself"


def test_an_old_line_of_a_time_without_a_revision_counts_for_nothing(box: Box, pacs: ScriptedTarget) -> None:
    box.configure(targets={"pacs": node()}, rules={})
    old_task(box, 2)
    Dispatchers(box).until(lambda: box.spool.names(Stage.SUCCESS), rounds=3)
    assert numbers(pacs.asked[0][1]) == [1, 2, 3]


def test_an_old_line_may_be_from_before_or_after_an_edit_by_hand(box: Box, pacs: ScriptedTarget) -> None:
    """Nobody knows when the file was edited: the line counts only where the address was the same in both."""
    save(box, {"pacs": node(), "other": node(200)})
    box.configure(targets={"pacs": node(), "other": node(201)}, rules={})
    past = Past(open_store(Root(box.root)))
    line = {"file": "x", "status": "0", "time": box.clock.now(), "target": "pacs"}
    assert past.destination(LedgerLine.model_validate(line)) == "dicom:pacs.example.org:104:PACS"
    assert past.destination(LedgerLine.model_validate({**line, "target": "other"})) is None
    assert past.destination(LedgerLine.model_validate({**line, "target": "stranger"})) is None
    save(box, {"pacs": node(300)})  # which adopts the edit as a revision of its own
    assert past.destination(LedgerLine.model_validate({**line, "target": "other"})) is None
    earlier = box.clock.now() - timedelta(days=9)
    assert past.destination(LedgerLine.model_validate({**line, "time": earlier})) is None


# -- what is delivered, by the ledger alone


def line(file: str, destination: str | None, **more: Any) -> LedgerLine:
    value = {"file": file, "status": "0x0000", "time": "2026-01-01T00:00:00Z", "target": "pacs", **more}
    return LedgerLine.model_validate({**value, "destination": destination})


@pytest.mark.parametrize(
    ("lines", "split", "held"),
    [
        ([("1", "a"), ("2", "a")], (), 2),
        ([("1", "a"), ("2", "b")], (), 1),
        ([("1", "a"), ("2", "a"), ("1", "b")], (), 2),
        ([("1", "a"), ("2", "b")], ("a", "b"), 2),
        ([("1", "a"), ("2", "c")], ("a", "b"), 1),
        ([("1", None), ("2", None)], (), 2),
        ([("1", None), ("2", "a")], (), 1),
        ([("1", "a"), ("9", "b"), ("8", "b")], (), 1),
        ([], (), 0),
    ],
    ids=str,
)
def test_delivered_is_what_one_place_has(
    tmp_path: Path, lines: list[tuple[str, str | None]], split: tuple[str, ...], held: int
) -> None:
    data = b"".join(line(*item).model_dump_json().encode() + b"\n" for item in lines)
    (tmp_path / "ledger.jsonl").write_bytes(data)
    task = Task.model_validate({"id": "x", "created": "2026-01-01T00:00:00Z", "target": "pacs", "split": split})
    assert len(holder(tmp_path, task, {"1", "2"})) == held


def test_a_group_of_the_release_before_was_one_place(tmp_path: Path) -> None:
    lines = [line("1", None, target="a", group="g"), line("2", None, target="b", group="g")]
    (tmp_path / "ledger.jsonl").write_bytes(b"".join(item.model_dump_json().encode() + b"\n" for item in lines))
    task = Task.model_validate({"id": "x", "created": "2026-01-01T00:00:00Z", "target": "g"})
    assert len(holder(tmp_path, task, {"1", "2"})) == 2


def test_what_counts_for_a_task_as_it_stands(tmp_path: Path) -> None:
    store = open_store(Root(tmp_path))
    members = {"a": node(1), "b": node(2)}
    group = {"kind": "group", "members": ["a", "b"], "strategy": "failover"}
    whole = store.parse({"targets": {**members, "g": group}}).targets
    split = store.parse({"targets": {**members, "g": {**group, "split": True}}}).targets
    at = [f"dicom:pacs.example.org:{port}:PACS" for port in (1, 2)]
    task = Task.model_validate({"id": "x", "created": "2026-01-01T00:00:00Z", "target": "g"})
    begun = task.model_copy(update={"member": "b"})
    assert counted_for(task, whole) == frozenset()
    assert counted_for(begun, whole) == {at[1]}
    assert counted_for(begun, split) == set(at)
    assert counted_for(task.model_copy(update={"target": "a"}), whole) == {at[0]}
    assert counted_for(task.model_copy(update={"target": "gone"}), whole) == frozenset()
    assert (
        os.path.realpath(tmp_path)
        in MODELS["folder"].model_validate({"kind": "folder", "path": tmp_path}).destination()
    )
