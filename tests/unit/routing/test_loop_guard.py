"""Returns: what comes back again and again is held and told; a workstation's results and prior images are not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from mercure.event_details import Origin
from mercure.routing.loop_guard import (
    HELD_BY,
    MOST_IMAGES,
    Brought,
    Loop,
    Peer,
    ReturnCounter,
    Returns,
    counted,
    mark_of,
    peer_of,
    returns_folder,
)
from mercure.spool import Stage, Task
from mercure.spool.notices import notices
from tests.support.incoming import make_images
from tests.support.router_desk import RouterDesk

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
AFTER_RELEASE = 6.0
WITHIN = timedelta(days=7)


def arrive(desk: RouterDesk, calling: str, first: int = 1, count: int = 2, series: str = "1.2.3") -> list[Task]:
    """Send a series, and return the tasks that came of it."""
    before = {task.id for task in desk.tasks(Stage.OUTGOING)}
    desk.send(make_images(count, first=first, series=series), calling)
    desk.turn()
    desk.turn(AFTER_RELEASE)
    return [task for task in desk.tasks(Stage.OUTGOING) if task.id not in before]


def brought(sender: str, *marks: str, peer: Peer = "", at: datetime = NOW) -> Brought:
    return Brought(sender, peer, marks, at)


def holds(desk: RouterDesk, calling: str, times: int) -> list[bool]:
    return [task.hold is not None for _ in range(times) for task in arrive(desk, calling)]


def test_what_comes_back_more_often_than_the_bound_is_held_and_told(desk: RouterDesk) -> None:
    assert holds(desk, "SCANNER", 1) == [False]
    assert holds(desk, "PACS", 5) == [False, False, False, True, True]
    held = [task for task in desk.tasks(Stage.OUTGOING) if task.hold]
    assert held[0].hold is not None
    assert held[0].hold.by == HELD_BY
    assert held[0].images == 2, "nothing is lost"
    (notice,) = [item for item in notices(desk.spool) if item.kind == "loop"]
    assert "PACS@" in notice.about
    assert "SCANNER@" in notice.text
    assert notice.count == 2
    assert any("they go round" in warning["text"] for warning in desk.events("warning"))


def test_a_scanner_that_sends_the_same_again_is_no_loop(desk: RouterDesk) -> None:
    assert not any(holds(desk, "SCANNER", 8))


def test_a_workstation_that_sends_other_images_back_is_no_loop(desk: RouterDesk) -> None:
    arrive(desk, "SCANNER")
    for number in range(6):
        assert not any(task.hold for task in arrive(desk, "WORKSTATION", first=100 + number, count=1))
    assert not [item for item in notices(desk.spool) if item.kind == "loop"]


def test_prior_images_are_let_through_and_counted_anew_after_a_time(desk: RouterDesk) -> None:
    arrive(desk, "SCANNER")
    assert not any(holds(desk, "ARCHIVE", 3))
    desk.clock.advance(8 * 86400)
    assert not any(holds(desk, "ARCHIVE", 3))


def test_one_image_in_a_loop_holds_the_series_that_it_comes_with(desk: RouterDesk) -> None:
    arrive(desk, "SCANNER", count=1)
    assert [holds(desk, "PACS", 1) for _ in range(4)] == [[False], [False], [False], [True]]


def test_several_that_send_back_are_counted_together(desk: RouterDesk) -> None:
    arrive(desk, "SCANNER")
    assert [held for name in ("A", "B", "C", "D") for held in holds(desk, name, 1)] == [False, False, False, True]


def test_it_is_known_after_a_restart_and_the_bound_is_in_the_configuration(desk: RouterDesk) -> None:
    desk.box.configure(
        rules={"all": {"rule": "True", "targets": ["pacs"]}},
        targets={"pacs": {"kind": "folder", "path": "/nowhere"}},
        loops={"returns": 1},
    )
    desk.context.live.refresh()
    arrive(desk, "SCANNER")
    desk.restart()
    assert holds(desk, "PACS", 1) == [False]
    desk.restart()
    assert holds(desk, "PACS", 1) == [True]


def test_a_study_of_a_series_in_a_loop_is_held(desk: RouterDesk) -> None:
    desk.configure({"whole": {"rule": "True", "targets": ["pacs"], "trigger": "study"}})
    for calling in ("SCANNER", "PACS", "PACS", "PACS", "PACS"):
        arrive(desk, calling)
        desk.turn(7200)
        desk.turn()
    assert [task.hold is not None for task in desk.tasks(Stage.OUTGOING)] == [False, False, False, False, True]


def test_what_a_rule_discards_ends_the_loop_by_itself(desk: RouterDesk) -> None:
    desk.configure({"no": {"rule": "True", "action": "discard"}})
    for calling in ["SCANNER", *["PACS"] * 6]:
        arrive(desk, calling)
    assert not [item for item in notices(desk.spool) if item.kind == "loop"]


def test_a_task_is_counted_once(desk: RouterDesk) -> None:
    counter, config = ReturnCounter(desk.spool), desk.context.config
    records = [{"SOPInstanceUID": "1.2", "SeriesInstanceUID": "1"}]
    task = Task(id="20260302T090000000000-00000000", created=NOW)
    for _ in range(9):
        assert counter.look(config, task, records, NOW) is None
    other = task.model_copy(update={"id": "b", "origin": task.origin.model_copy(update={"calling_aet": "PACS"})})
    for _ in range(9):
        assert counter.look(config, other, records, NOW) is None


def test_a_data_set_that_was_changed_is_another_image() -> None:
    first = {"SOPInstanceUID": "1.2", "DataSetDigest": "xxh3-128:0"}
    assert mark_of(first) != mark_of({**first, "DataSetDigest": "xxh3-128:1"})
    assert mark_of(first) == mark_of({**first, "SenderAET": "other", "FileSize": 5})
    assert mark_of({"DataSetDigest": "x"}) == ""


def test_what_is_remembered_is_bounded() -> None:
    marks = [f"{number:012x}" for number in range(MOST_IMAGES + 10)]
    known = counted(None, brought("A", *marks), WITHIN)
    assert len(known.images) == 12 * MOST_IMAGES
    again = counted(known, brought("B", *marks), WITHIN)
    assert len(again.back) == MOST_IMAGES


@pytest.mark.parametrize("step", [timedelta(days=8), timedelta(days=-1)])
def test_a_clock_that_jumps_begins_the_count_anew(step: timedelta) -> None:
    known = Returns(sender="A", images="0" * 12, back={"0" * 12: 3}, since=NOW)
    assert counted(known, brought("B", "0" * 12, at=NOW + step), WITHIN).back == {"0" * 12: 1}


def test_old_hints_are_forgotten_and_broken_ones_begun_anew(desk: RouterDesk) -> None:
    arrive(desk, "SCANNER")
    (path,) = returns_folder(desk.spool).iterdir()
    path.write_text("{")
    assert not any(holds(desk, "PACS", 2))
    ReturnCounter(desk.spool).forget(60.0, desk.clock.now() + timedelta(days=200_000))
    assert not list(returns_folder(desk.spool).iterdir())


ROUTER = "MERCURE_0_1_abcd"
MARK = "0" * 12


@pytest.fixture
def marked(desk: RouterDesk) -> RouterDesk:
    """Give the spool an id, and the router a target at the address of whoever sends."""
    (desk.spool.stage(Stage.STATE) / "spool.json").write_text(json.dumps({"id": "abcd" + 28 * "0"}))
    node = {"kind": "dicom", "host": "127.0.0.1", "port": 11199, "called_aet": "PACS", "calling_aet": "OURS"}
    rules = {"all": {"rule": "True", "targets": ["pacs"]}}
    desk.box.configure(rules=rules, targets={"pacs": node})
    desk.context.live.refresh()
    return desk


def came(desk: RouterDesk, number: int, calling: str, router: str = "", address: str = "127.0.0.1") -> Loop | None:
    """Look at one image as it comes; `number` counts what came."""
    record = {"SOPInstanceUID": "1.2", "SeriesInstanceUID": "1", "SenderAET": calling, "SenderAddress": address}
    record |= {"SenderRouter": router} if router else {}
    origin = Origin(calling_aet=calling, address=address)
    task = Task(id=f"20260302T09000000000{number}-00000000", created=NOW, origin=origin)
    return ReturnCounter(desk.spool).look(desk.context.config, task, [record], NOW + timedelta(minutes=number))


def test_what_this_router_brings_to_itself_is_held_at_once(marked: RouterDesk) -> None:
    assert came(marked, 1, "CT1", address="192.0.2.1") is None
    loop = came(marked, 2, "OURS", ROUTER)
    assert loop is not None
    assert "this router itself" in loop.reason


def test_this_router_is_no_sender_that_sends_again(marked: RouterDesk) -> None:
    """What was remembered was lost, and the first to bring the series after that was the loop."""
    assert came(marked, 1, "OURS", ROUTER) is None
    assert came(marked, 2, "OURS", ROUTER) is not None


def test_what_a_router_brings_back_that_is_a_target_is_held_at_once(marked: RouterDesk) -> None:
    assert came(marked, 1, "CT1", address="192.0.2.1") is None
    loop = came(marked, 2, "OTHER", "MERCURE_0_1_1234")
    assert loop is not None
    assert "a router that is a target" in loop.reason


def test_a_router_before_this_one_is_not_blamed(marked: RouterDesk) -> None:
    """Neither where it sends the same again, nor where the scanner sends to both of them."""
    for number in range(1, 9):
        assert came(marked, number, "OTHER", "MERCURE_0_1_1234", "192.0.2.9") is None


def test_a_second_way_through_another_router_is_no_loop(marked: RouterDesk) -> None:
    assert came(marked, 1, "CT1", address="192.0.2.1") is None
    for number in range(2, 5):
        assert came(marked, number, "OTHER", "MERCURE_0_1_1234", "192.0.2.9") is None


def test_prior_images_through_a_router_come_later(marked: RouterDesk) -> None:
    known = Returns(sender="CT1", images=MARK, last=NOW)
    late = counted(known, brought("OTHER", MARK, peer="target", at=NOW + timedelta(hours=2)), WITHIN)
    assert (late.back, late.surely) == ({MARK: 1}, {})
    soon = counted(known, brought("OTHER", MARK, peer="target", at=NOW + timedelta(minutes=2)), WITHIN)
    assert soon.surely == {MARK: 1}


@pytest.mark.parametrize(
    ("calling", "router", "address", "peer"),
    [
        ("OURS", ROUTER, "10.0.0.1", "own"),
        ("OTHERS", ROUTER, "10.0.0.1", "router"),  # another one with the same digits
        ("OURS", "MERCURE_0_1_1234", "10.0.0.1", "router"),  # another one with the same AE title
        ("OURS", "MERCURE_0_1", "127.0.0.1", "target"),
        ("OURS", "", "127.0.0.1", ""),
    ],
)
def test_who_it_is(marked: RouterDesk, calling: str, router: str, address: str, peer: str) -> None:
    record = {"SenderAET": calling, "SenderRouter": router, "SenderAddress": address}
    assert peer_of(marked.context.config, "abcd", [record]) == peer
