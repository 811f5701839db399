"""The router in trouble: one series, folder or installation that is bad stops no other series."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mercure.dicom import records
from mercure.dicom.tools import ToolMissingError
from mercure.routing import intake
from mercure.routing.execute_plan import Executor
from mercure.routing.intake import clear_receiving
from mercure.services.router import ATTEMPTS
from mercure.spool import Claim, Stage, Task, is_locked, load_task
from tests.support.faults import failing_at
from tests.support.incoming import make_images
from tests.support.router_desk import dicom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.router_desk import RouterDesk


def put_aside(desk: RouterDesk) -> None:
    """Let the router try as often as it does before it gives up."""
    for _ in range(ATTEMPTS):
        desk.turn(10)


def test_without_the_reader_of_tags_series_wait_and_nothing_is_put_aside(
    desk: RouterDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that is broken for a while says nothing of a series."""

    def missing(_files: object, _character_set: str) -> dict[str, dict[str, Any]]:
        raise ToolMissingError("getdcmtags is not there")

    desk.box.receive(dicom(1))
    for path in desk.spool.entry(Stage.INCOMING, "1.2.3").glob("*.jsonl"):
        path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(records, "read_tag_records", missing)
        for _ in range(10):
            desk.turn(61)
    assert len(desk.box.tasks(Stage.ROUTING)) == 1
    assert desk.box.tasks(Stage.ERROR) == []
    (warned,) = desk.box.events("warning")
    assert "getdcmtags" in warned.details["text"]
    desk.turn(10)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1


def failing(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> Any:
        raise error

    return raise_it


def failing_for(name: str, real: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """Wrap a function of the router so that it fails for whatever has ``name`` in it."""

    def perhaps(*arguments: Any, **more: Any) -> Any:
        if any(name in str(getattr(argument, "name", argument)) for argument in arguments):
            raise error
        return real(*arguments, **more)

    return perhaps


def test_a_series_that_cannot_be_taken_stops_no_other_and_is_told_once(
    desk: RouterDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for series in ("1.1", "1.2", "1.3"):
        desk.send(make_images(1, series=series))
    bad = failing_for("1.2", intake.take_series, PermissionError(errno.EACCES, "not ours"))
    with monkeypatch.context() as patch:
        patch.setattr("mercure.services.router.take_series", bad)
        for _ in range(5):
            desk.turn(10)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 2
    (warned,) = desk.box.events("warning")
    assert "series 1.2 cannot be taken" in warned.details["text"]
    desk.turn(10)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 3


def test_a_series_that_cannot_be_looked_at_stops_no_other(desk: RouterDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for series in ("1.1", "1.2"):
        desk.box.receive(make_images(1, series=series))
    bad = failing_for("1.1", os.scandir, PermissionError(errno.EACCES, "not ours"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", bad)
        for _ in range(5):
            desk.turn(30)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1
    assert ["1.1" in event.details["text"] for event in desk.box.events("warning")] == [True]


def test_strange_entries_in_incoming_and_routing_disturb_nobody(desk: RouterDesk) -> None:
    for stage in (Stage.INCOMING, Stage.ROUTING, Stage.RECEIVING, Stage.STUDIES):
        (desk.spool.stage(stage) / "stray").write_bytes(b"x")
        (desk.spool.stage(stage) / ".hidden").mkdir()
        (desk.spool.stage(stage) / "20260101T000000000000-00000009").write_bytes(b"x")
    desk.send(make_images(1))
    desk.turn(6)
    desk.turn(600)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1
    assert desk.box.tasks(Stage.ERROR) == []


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), RecursionError(), FileNotFoundError(2, "an image is gone", "x.dcm")]
)
def test_a_series_that_nobody_can_route_is_put_aside_and_stops_no_other(
    desk: RouterDesk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = Executor.carry_out

    def carry_out(self: Any, config: Any, claim: Claim, task: Task, *more: Any) -> None:
        if task.identity.SeriesInstanceUID == "1.1":
            raise error
        real(self, config, claim, task, *more)

    monkeypatch.setattr(Executor, "carry_out", carry_out)
    desk.send(make_images(1, series="1.1"))
    desk.send(make_images(1, series="1.2"))
    desk.turn(6)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1
    assert desk.box.tasks(Stage.ERROR) == []
    put_aside(desk)
    failure = load_task(desk.only(Stage.ERROR)).failure
    assert failure is not None
    assert type(error).__name__ in failure.reason
    assert failure.advice
    assert len(desk.box.events("task.failed")) == 1
    assert len(desk.box.events("warning")) == 1


def test_a_disk_that_fails_puts_nothing_aside_however_long(desk: RouterDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.send(make_images(1))
    with monkeypatch.context() as patch:
        patch.setattr(Executor, "carry_out", failing(OSError(errno.ENOSPC, "No space left on device")))
        for _ in range(20):
            desk.turn(10)
    assert (len(desk.box.tasks(Stage.ROUTING)), len(desk.box.tasks(Stage.ERROR))) == (1, 0)
    assert len(desk.box.events("warning")) == 1
    desk.turn(10)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1


def test_a_task_without_images_is_put_aside_and_told(desk: RouterDesk) -> None:
    name = "20260101T000000000000-00000001"
    desk.spool.entry(Stage.ROUTING, name).mkdir()
    put_aside(desk)
    assert desk.only(Stage.ERROR).name == name
    (failed,) = desk.box.events("task.failed")
    assert "no image" in failed.details["reason"]
    assert failed.details["advice"]


def test_what_cannot_even_be_put_aside_stops_no_other(desk: RouterDesk) -> None:
    name = "20260101T000000000000-00000001"
    desk.spool.entry(Stage.ROUTING, name).mkdir()
    taken = desk.spool.entry(Stage.ERROR, name)
    taken.mkdir()
    (taken / "1.dcm").write_bytes(b"x")
    put_aside(desk)
    desk.send(make_images(1))
    desk.turn(6)
    desk.turn(60)
    assert len(desk.box.tasks(Stage.OUTGOING)) == 1
    assert [path.name for path in desk.box.tasks(Stage.ROUTING)] == [name]


def test_what_a_dead_receiver_left_is_let_go_when_it_cannot_be_removed(desk: RouterDesk) -> None:
    left = desk.spool.entry(Stage.RECEIVING, "20260101T000000000000-00000009")
    left.mkdir()
    os.utime(left, (desk.clock.now().timestamp(),) * 2)
    assert clear_receiving(desk.spool, desk.clock) == 0
    desk.clock.advance(2 * intake.LEFTOVER_SECONDS)
    with failing_at(1, "EIO", onward=True), pytest.raises(OSError, match="Input/output"):
        clear_receiving(desk.spool, desk.clock)
    assert not is_locked(left)
    assert clear_receiving(desk.spool, desk.clock) == 1
    assert desk.spool.names(Stage.RECEIVING) == []
