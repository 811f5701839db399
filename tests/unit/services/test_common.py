"""What all services share: the loop, the stop, the log, and errors that are contained and told once."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from mercure import services
from mercure.scheduling.backoff import PAUSE_AFTER_ERROR
from mercure.services.common import Context, JsonFormatter, StopFlag, serve
from mercure.spool import Changes, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.support.box import Box


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Scripted:
    """A service that does what a test says, turn by turn, and asks to stop at the end."""

    def __init__(self, context: Context, turns: list[Callable[[], float]]) -> None:
        self.context = context
        self.turns = turns
        self.seen: list[Changes] = []
        self.ended = False

    def watched(self) -> Iterable[Path]:
        return [self.context.spool.stage(Stage.OUTGOING)]

    def turn(self, changes: Changes) -> float:
        self.seen.append(changes)
        if not self.turns:
            self.context.stop.set()
            return 30.0
        return self.turns.pop(0)()

    def end(self) -> None:
        self.ended = True


def run(box: Box, *turns: Callable[[], float]) -> Scripted:
    made: list[Scripted] = []

    def make(context: Context) -> Scripted:
        made.append(Scripted(context, list(turns)))
        return made[0]

    serve(Context(box.root, "scripted", box.clock), make)
    return made[0]


def fails() -> float:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_it_looks_at_everything_first_then_ends_in_order_and_says_so(box: Box) -> None:
    service = run(box, lambda: 0.0, lambda: 0.0)
    assert service.seen[0].lost
    assert not service.seen[1].lost
    assert service.ended
    assert [event.type for event in box.events()] == ["service.started", "config.loaded", "service.stopped"]


def test_a_change_wakes_it(box: Box) -> None:
    def change() -> float:
        (box.spool.stage(Stage.OUTGOING) / "x").mkdir()
        return 30.0

    service = run(box, change)
    assert service.seen[1].within(box.spool.stage(Stage.OUTGOING)) == {"x"}


def test_a_disk_that_fails_is_told_and_the_turn_repeated_from_the_start(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mercure.services.common.PAUSE_AFTER_ERROR", 0.0)
    service = run(box, fails, fails, fails, lambda: 0.0)
    assert all(changes.lost for changes in service.seen[:4])
    (warned,) = box.events("warning")
    assert "No space left" in warned.details["text"]
    assert PAUSE_AFTER_ERROR > 0


def test_a_fault_of_ours_ends_the_process(box: Box) -> None:
    def fault() -> float:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run(box, fault)


def test_a_new_configuration_is_taken_up_between_two_turns(box: Box) -> None:
    names: list[str] = []

    def look() -> float:
        names.append(box.contexts[0].config.name if box.contexts else "")
        return 0.0

    def rename() -> float:
        box.configure(name="renamed")
        return 0.0

    run(box, look, rename, look)
    assert len(box.events("config.loaded")) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_and_the_service(box: Box, number: int) -> None:
    def interrupt() -> float:
        os.kill(os.getpid(), number)
        return 30.0

    service = run(box, interrupt)
    assert service.ended
    assert len(service.seen) == 1


def test_told_to_stop_while_it_waits_for_a_configuration_it_ends(box: Box) -> None:
    (box.root / "config" / "mercure.json").write_text("{", encoding="utf-8")
    context = Context(box.root, "scripted", box.clock)
    context.stop.set()
    assert not context.start()
    serve(context, lambda _context: pytest.fail("there is nothing to serve"))


def test_what_was_refused_before_the_spool_was_known_is_told_after(box: Box) -> None:
    config = box.root / "config" / "mercure.json"
    good = config.read_text(encoding="utf-8")
    config.write_text("{", encoding="utf-8")
    context = Context(box.root, "scripted", box.clock)
    assert not context.live.refresh()
    config.write_text(good, encoding="utf-8")
    assert context.start()
    context.finish()
    assert [event.type for event in box.events()] == [
        "service.started",
        "config.rejected",
        "config.loaded",
        "service.stopped",
    ]


def test_the_flag_wakes_whoever_waits() -> None:
    flag, woken = StopFlag(), []
    flag.on_set(lambda: woken.append(1))
    flag.on_set(lambda: woken.append(2))
    assert not flag
    flag.set()
    assert flag
    assert woken == [1, 2]


def test_contained_errors_are_told_once_until_they_are_over(box: Box) -> None:
    context = box.context("scripted")
    for _ in range(3):
        with context.contained("this cannot be done"):
            fails()
    with context.contained("that cannot be done"):
        fails()
    texts = [event.details["text"] for event in box.events("warning")]
    assert [text.partition(":")[0] for text in texts] == ["this cannot be done", "that cannot be done"]
    with context.contained("this cannot be done"):
        pass
    with context.contained("this cannot be done"):
        fails()
    assert len(box.events("warning")) == 3
    with pytest.raises(ValueError, match="a bug"), context.contained("this cannot be done"):
        raise ValueError("a bug")


def test_the_log_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.makeLogRecord({"name": "x", "levelno": 20, "levelname": "INFO", "msg": "a %s", "args": ("b\nc",)})
    record.task = "t1"
    record.folder = object()
    line = JsonFormatter().format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert (content["message"], content["level"], content["task"]) == ("a b\nc", "info", "t1")
    try:
        fails()
    except OSError:
        record.exc_info = sys.exc_info()
    assert "No space left" in json.loads(JsonFormatter().format(record))["exception"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [[], ["router"], ["nobody", "--root", "/x"], ["router", "--root"]])
def test_the_command_line_is_checked_before_anything_is_touched(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        services.main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_every_service_can_be_named() -> None:
    assert {"receiver", "router", "dispatcher", "cleaner", "bookkeeper"} <= set(services.NAMES)
