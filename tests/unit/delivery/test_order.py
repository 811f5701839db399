"""Whose turn it is: lines and their heads, what counts as "before", and what a dispatcher makes of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mercure.config import TargetSettings
from mercure.event_details import Identity
from mercure.names import derived_id, new_id
from mercure.scheduling.order import ORDER_SECONDS, OrderGuard, Predecessor, are_parts, studies_in, waits_for
from mercure.scheduling.queue import TaskQueue
from mercure.spool import (
    Changes,
    Claim,
    Division,
    DivisionPart,
    Stage,
    Task,
    load_task,
    move,
    nudge,
    save_division,
    save_task,
)
from tests.support.waiting import Dispatchers, waiting_series

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.config.models import Order
    from tests.support.box import Box


def model(box: Box, name: str) -> Task:
    return load_task(box.spool.entry(Stage.OUTGOING, name))


def gate(box: Box) -> OrderGuard:
    return OrderGuard(box.spool, TaskQueue(box.spool, lambda name, reason: pytest.fail(f"{name}: {reason}")))


def before(box: Box, name: str, order: Order = "study") -> Predecessor | None:
    """Ask as a dispatcher does: with the claim in hand."""
    claim = Claim.take(box.spool.entry(Stage.OUTGOING, name))
    assert claim is not None
    with claim:
        return gate(box).before(model(box, name), order)


def routing(box: Box, *, study: str | None, described: bool = False) -> Path:
    """Put a series into ``routing/`` as it is right after it was taken, or once the router has described it."""
    box.clock.advance(0.001)
    directory = box.spool.entry(Stage.ROUTING, new_id(box.clock.now()))
    directory.mkdir()
    if described:
        save_task(
            directory,
            Task.model_validate(
                {"id": directory.name, "created": box.clock.now(), "identity": {"StudyInstanceUID": study or ""}}
            ),
        )
    elif study is not None:
        bring(directory, study)
    return directory


def bring(directory: Path, study: str, number: int = 1) -> None:
    """Add an image of a study, and the receiver's line of it."""
    (directory / f"{number}.dcm").write_bytes(b"image")
    line = {"StudyInstanceUID": study, "FileName": f"{number}.dcm"}
    (directory / f"association{number}.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")


# --- lines


@pytest.mark.parametrize(
    ("order", "heads"),
    [("none", ["a1", "a2", "b1", "a3", "b2"]), ("study", ["a1", "b1"]), ("received", ["a1"])],
)
def test_only_the_first_of_each_line_is_offered(box: Box, order: Order, heads: list[str]) -> None:
    ids = {name: waiting_series(box, name, study=name[0]) for name in ("a1", "a2", "b1", "a3", "b2")}
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    assert [task.id for task, _ in queue.heads("archive", order)] == [ids[name] for name in heads]


def test_a_series_without_a_study_is_a_line_of_its_own(box: Box) -> None:
    ids = [waiting_series(box, series, study="") for series in ("1", "2")]
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    assert [task.id for task, _ in queue.heads("archive", "study")] == ids
    assert before(box, ids[1]) is None


def test_targets_have_lines_of_their_own(box: Box) -> None:
    waiting_series(box, "1", target="elsewhere")
    assert before(box, waiting_series(box, "2"), "received") is None


def test_an_urgent_series_takes_those_before_it_along(box: Box) -> None:
    first = waiting_series(box, "a1", study="a", priority="offpeak")
    waiting_series(box, "b1", study="b")
    waiting_series(box, "a2", study="a", priority="urgent")
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    (head, priority), *_ = queue.heads("archive", "study")
    assert (head.id, priority) == (first, "urgent")


def test_a_task_that_changes_its_target_changes_its_line(box: Box) -> None:
    first, second = waiting_series(box, "1"), waiting_series(box, "2")
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    save_task(box.spool.entry(Stage.OUTGOING, first), model(box, first).model_copy(update={"target": "elsewhere"}))
    queue.scan()
    assert [task.id for task, _ in queue.heads("archive", "received")] == [second]
    assert [task.id for task, _ in queue.heads("elsewhere", "received")] == [first]


# --- what goes before


@pytest.mark.parametrize("order", ["study", "received"])
def test_an_earlier_task_goes_first_whatever_it_waits_for(box: Box, order: Order) -> None:
    first = waiting_series(box, "1", hold={"by": "anna", "at": box.clock.now()})
    second = waiting_series(box, "2")
    assert before(box, first, order) is None
    assert before(box, second, order) == Predecessor(first, "waits")
    assert before(box, second, "none") is None
    assert str(before(box, second, order)) == f"waits for task {first} (received before it)"


def test_other_studies_do_not_matter(box: Box) -> None:
    waiting_series(box, "1", study="a")
    assert before(box, waiting_series(box, "2", study="b")) is None


def test_a_task_in_error_does_not_block(box: Box) -> None:
    first, second = waiting_series(box, "1"), waiting_series(box, "2")
    claim = Claim.take(box.spool.entry(Stage.OUTGOING, first))
    assert claim is not None
    with claim:
        move(box.spool, claim, Stage.ERROR)
    assert before(box, second) is None


def test_a_later_task_in_flight_is_waited_for(box: Box) -> None:
    """It began while the earlier one was in error/; a person has brought that back."""
    first, second = waiting_series(box, "1"), waiting_series(box, "2")
    claim = Claim.take(box.spool.entry(Stage.OUTGOING, second))
    assert claim is not None
    with claim:
        assert before(box, first) == Predecessor(second, "in flight")
    assert before(box, first) is None


@pytest.mark.parametrize("described", [True, False])
def test_what_the_router_has_in_hand_goes_first(box: Box, *, described: bool) -> None:
    routed = routing(box, study="1.2", described=described)
    assert before(box, waiting_series(box, "2")) == Predecessor(routed.name, "routing")
    assert before(box, waiting_series(box, "3", study="other")) is None
    assert before(box, waiting_series(box, "4", study="other"), "received") == Predecessor(routed.name, "routing")


def test_what_the_router_took_later_is_not_waited_for(box: Box) -> None:
    task = waiting_series(box, "1")
    routing(box, study="1.2")
    assert before(box, task) is None


def test_what_cannot_be_told_yet_may_be_of_the_study(box: Box) -> None:
    routed = routing(box, study=None)
    assert before(box, waiting_series(box, "1")) == Predecessor(routed.name, "routing")


def test_its_own_parent_is_not_waited_for(box: Box) -> None:
    """The router may still be deriving its siblings for other targets."""
    parent = routing(box, study="1.2", described=True)
    child = waiting_series(box, "1", parent=parent.name)
    renamed = derived_id(parent.name, "route:archive")
    directory = box.spool.entry(Stage.OUTGOING, child)
    save_task(directory, load_task(directory).model_copy(update={"id": renamed}))
    directory.rename(box.spool.entry(Stage.OUTGOING, renamed))
    assert before(box, renamed) is None


def test_of_one_microsecond_the_router_is_waited_for(box: Box) -> None:
    task = waiting_series(box, "1")
    twin = box.spool.entry(Stage.ROUTING, f"{task[:21]}-ffffffff")
    twin.mkdir()
    assert before(box, task) == Predecessor(twin.name, "routing")


def test_the_study_of_a_collected_study_is_that_of_its_series(box: Box) -> None:
    directory = routing(box, study=None)
    (directory / "taken.json").write_text("{}")
    member = directory / new_id(box.clock.now())
    member.mkdir()
    save_task(
        member,
        Task.model_validate({"id": member.name, "created": box.clock.now(), "identity": {"StudyInstanceUID": "1.2"}}),
    )
    assert studies_in(directory) == frozenset({"1.2"})
    assert studies_in(directory.with_name("gone")) == frozenset()


def test_a_series_of_several_studies_stands_before_each_of_them(box: Box) -> None:
    directory = routing(box, study="1.2")
    bring(directory, "1.3", number=2)
    for study in ("1.2", "1.3"):
        assert before(box, waiting_series(box, f"{study}.1", study=study)) == Predecessor(directory.name, "routing")
    assert before(box, waiting_series(box, "1.4.1", study="1.4")) is None


def test_an_image_that_nobody_has_described_yet_may_be_of_any_study(box: Box) -> None:
    directory = routing(box, study="1.2")
    (directory / "9.dcm").write_bytes(b"image")
    assert before(box, waiting_series(box, "1.4.1", study="1.4")) == Predecessor(directory.name, "routing")


def test_a_series_that_is_just_being_divided_stands_before_the_studies_of_its_parts(box: Box) -> None:
    directory = routing(box, study="1.2", described=True)
    task = load_task(directory)
    parts = [
        DivisionPart(task=task.model_copy(update={"identity": Identity(StudyInstanceUID=study)}), files=())
        for study in ("1.2", "1.3")
    ]
    save_division(directory, Division(parts=tuple(parts)))
    assert before(box, waiting_series(box, "1.3.1", study="1.3")) == Predecessor(directory.name, "routing")


def test_what_waits_only_for_its_turn_can_be_named(box: Box) -> None:
    ids = [waiting_series(box, name, study=name[0]) for name in ("a1", "b1", "a2", "a3")]
    tasks = [model(box, name) for name in ids]
    target = {"archive": TargetSettings(kind="folder", order="study")}
    assert waits_for(tasks, target) == {ids[2]: ids[0], ids[3]: ids[2]}
    assert waits_for(tasks, {"archive": TargetSettings(kind="folder")}) == waits_for(tasks, target)
    assert waits_for(tasks, {"archive": TargetSettings(kind="folder", order="none")}) == {}
    assert waits_for(tasks, {}) == {}


# --- what the dispatcher makes of it


def configure(box: Box, order: Order = "study", **settings: Any) -> None:
    box.configure(targets={"archive": {"kind": "folder", "path": str(box.delivered), "order": order, **settings}})


def delivered(box: Box) -> list[str]:
    return box.spool.names(Stage.SUCCESS)


@pytest.mark.parametrize("order", ["study", "received"])
def test_one_turn_starts_one_of_a_line(box: Box, order: Order) -> None:
    configure(box, order, concurrency=8)
    ids = [waiting_series(box, series) for series in ("1", "2", "3")]
    dispatchers = Dispatchers(box)
    for count in (1, 2, 3):
        dispatchers.round()
        assert delivered(box) == ids[:count]


def test_studies_go_side_by_side(box: Box) -> None:
    configure(box, concurrency=8)
    ids = {name: waiting_series(box, name, study=name[0]) for name in ("a1", "a2", "b1")}
    Dispatchers(box).round()
    assert delivered(box) == [ids["a1"], ids["b1"]]


def test_what_is_tried_again_is_waited_for(box: Box) -> None:
    configure(box, retry={"first_seconds": 10})
    first, second = waiting_series(box, "1"), waiting_series(box, "2")
    directory = box.spool.entry(Stage.OUTGOING, first)
    due = box.clock.now() + timedelta(seconds=8)
    save_task(directory, load_task(directory).model_copy(update={"next_attempt": due}))
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert delivered(box) == []
    box.clock.advance(9)
    dispatchers.until(lambda: delivered(box) == [first, second], rounds=3)


def test_a_held_task_holds_what_comes_after_it(box: Box) -> None:
    configure(box)
    first = waiting_series(box, "1", hold={"by": "anna", "at": box.clock.now()})
    second, other = waiting_series(box, "2"), waiting_series(box, "3", study="other")
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert delivered(box) == [other]
    directory = box.spool.entry(Stage.OUTGOING, first)
    save_task(directory, load_task(directory).model_copy(update={"hold": None}))
    dispatchers.until(lambda: {first, second} <= set(delivered(box)), rounds=3)


def test_off_peak_waits_for_its_hours_unless_somebody_waits_for_it(box: Box) -> None:
    configure(box)
    box.clock.advance(12 * 3600)  # noon: the off-peak hours are over
    first = waiting_series(box, "1", priority="offpeak")
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert delivered(box) == []
    second = waiting_series(box, "2")
    dispatchers.until(lambda: delivered(box) == [first, second], rounds=3)


def test_the_router_is_waited_for_and_then_the_series_goes(box: Box) -> None:
    configure(box)
    routed = routing(box, study="1.2")
    task = waiting_series(box, "2")
    dispatchers = Dispatchers(box)
    dispatchers.round()
    assert delivered(box) == []
    assert dispatchers.each[0].turn(Changes()) <= ORDER_SECONDS, "it looks again by itself: nobody tells it"
    for path in routed.iterdir():
        path.unlink()
    routed.rmdir()
    dispatchers.until(lambda: delivered(box) == [task], rounds=2)


@pytest.mark.parametrize("order", ["study", "received"])
def test_a_task_that_another_process_puts_into_the_line_is_seen_at_once(box: Box, order: Order) -> None:
    first, second = waiting_series(box, "1", target="elsewhere"), waiting_series(box, "2")
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    directory = box.spool.entry(Stage.OUTGOING, first)
    save_task(directory, model(box, first).model_copy(update={"target": "archive"}))
    nudge(directory)
    assert OrderGuard(box.spool, queue).before(model(box, second), order) == Predecessor(first, "waits")


def test_parts_of_one_series_do_not_wait_for_each_other_by_the_order_of_studies(box: Box) -> None:
    """Images with one UID in both have an order of their own: the soak found two parts that waited for each other."""
    first, other = waiting_series(box, "1"), waiting_series(box, "2")
    part = f"{first[:21]}-ffffffff"
    save_task(box.spool.entry(Stage.OUTGOING, other), model(box, other).model_copy(update={"id": part}))
    box.spool.entry(Stage.OUTGOING, other).rename(box.spool.entry(Stage.OUTGOING, part))
    later = waiting_series(box, "3")
    queue = TaskQueue(box.spool, lambda name, reason: None)
    queue.scan()
    assert [task.id for task, _ in queue.heads("archive", "study")] == [first, part]
    assert before(box, part) is None
    assert before(box, part, "received") == Predecessor(first, "waits")
    assert before(box, later) == Predecessor(first, "waits")
    assert are_parts(first, part, "study")
    assert not are_parts(first, part, "received")
    assert not are_parts(first, later, "study")


def test_of_parts_of_one_series_none_is_said_to_pass_another_that_was_not_taken(box: Box) -> None:
    configure(box)
    first = waiting_series(box, "1", hold={"by": "anna", "at": box.clock.now()})
    other, part = waiting_series(box, "2"), f"{first[:21]}-ffffffff"
    save_task(box.spool.entry(Stage.OUTGOING, other), model(box, other).model_copy(update={"id": part}))
    box.spool.entry(Stage.OUTGOING, other).rename(box.spool.entry(Stage.OUTGOING, part))
    Dispatchers(box).until(lambda: delivered(box) == [part], rounds=3)
    assert not box.events("warning")


def test_a_series_that_passes_one_that_was_not_taken_is_told_of_once(box: Box) -> None:
    configure(box)
    box.live_through(600)
    at = box.clock.now() - timedelta(seconds=120)
    attempt = {"number": 1, "started": at, "seconds": 0.1, "outcome": "failure", "kind": "refused"}
    first = waiting_series(box, "1", attempts=[attempt], first_attempt=at, next_attempt=at + timedelta(seconds=300))
    later = [waiting_series(box, series) for series in ("2", "3")]
    Dispatchers(box).until(lambda: delivered(box) == later, rounds=4)
    assert [event.task for event in box.events("warning")] == [first]
