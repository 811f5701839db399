"""The outbox from the writer's side: whole lines, held files, nothing lost when the disk refuses, syncs that hold."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from mercure import events as events_module
from mercure.clock import ManualClock
from mercure.event_details import ConfigLoaded, Recovered, ServiceChanged, TaskFailed, Warned
from mercure.events import MAX_FILE_BYTES, MAX_FILE_SECONDS, Event, EventWriter
from mercure.names import new_id
from tests.support.faults import at_each_step, counted, failing_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = "20260101T000000000000-00000001"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def writer(tmp_path: Path, clock: ManualClock) -> Iterator[EventWriter]:
    made = EventWriter(tmp_path, "router", clock)
    yield made
    made.close()


def told(outbox: Path) -> list[Event]:
    lines = [line for path in sorted(outbox.iterdir()) for line in path.read_bytes().split(b"\n")[:-1]]
    return [Event.model_validate_json(line) for line in lines]


def texts(outbox: Path) -> list[str]:
    return [event.details["text"] for event in told(outbox)]


def is_held(path: Path) -> bool:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_line_says_who_what_when_and_about_what(tmp_path: Path, writer: EventWriter, clock: ManualClock) -> None:
    event = writer.emit(TaskFailed(stage="outgoing", reason="no", advice="look"), task=TASK, series="1.2")
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("router-")
    assert json.loads(path.read_bytes()) == {
        "id": event.id,
        "time": "2026-01-01T00:00:00Z",
        "service": "router",
        "type": "task.failed",
        "task": TASK,
        "series": "1.2",
        "details": {"stage": "outgoing", "reason": "no", "advice": "look"},
    }
    assert Event.model_validate_json(path.read_bytes()).typed() == TaskFailed(
        stage="outgoing", reason="no", advice="look"
    )


def test_the_file_is_held_until_the_writer_lets_go(tmp_path: Path, writer: EventWriter, clock: ManualClock) -> None:
    writer.emit(Warned(text="1"))
    clock.advance(0.001)
    (path,) = tmp_path.iterdir()
    assert is_held(path)
    writer.close()
    assert not is_held(path)
    writer.emit(Warned(text="2"))
    assert texts(tmp_path) == ["1", "2"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_key_makes_the_same_id_again_and_another_for_anything_else(writer: EventWriter) -> None:
    first = writer.emit(Warned(text="1"), task=TASK, key="a")
    assert writer.emit(Warned(text="1"), task=TASK, key="a").id == first.id
    assert writer.emit(Warned(text="1"), task=TASK, key="b").id != first.id
    assert writer.emit(Warned(text="1"), task=TASK).id != writer.emit(Warned(text="1"), task=TASK).id


@pytest.mark.parametrize(
    ("details", "kind"),
    [(ServiceChanged(pid=1), "service.started"), (ConfigLoaded(revision=1), None), (Recovered(what="x"), None)],
)
def test_the_type_follows_from_the_details_where_it_can(
    writer: EventWriter, details: ServiceChanged, kind: str | None
) -> None:
    assert writer.emit(details, type=kind).typed() == details


def test_a_type_with_the_wrong_details_is_a_fault_of_ours(writer: EventWriter) -> None:
    with pytest.raises(TypeError, match="does not carry"):
        writer.emit(Warned(text="x"), type="service.started")
    with pytest.raises(KeyError):
        writer.emit(ServiceChanged(pid=1))


def test_a_type_of_another_version_has_no_model() -> None:
    assert (
        Event.model_validate({"id": "x", "time": "2026-01-01T00:00:00Z", "service": "s", "type": "new"}).typed() is None
    )


@pytest.mark.parametrize("worn", ["bytes", "seconds"])
def test_a_worn_file_is_left_for_a_new_one(tmp_path: Path, writer: EventWriter, clock: ManualClock, worn: str) -> None:
    writer.emit(Warned(text="x" * (MAX_FILE_BYTES + 1) if worn == "bytes" else "x"))
    (first,) = tmp_path.iterdir()
    clock.advance(1 if worn == "bytes" else MAX_FILE_SECONDS + 1)
    writer.emit(Warned(text="2"))
    assert len(list(tmp_path.iterdir())) == 2
    assert not is_held(first)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_what_the_disk_refuses_is_written_later_in_order(
    tmp_path: Path, writer: EventWriter, clock: ManualClock, error: str
) -> None:
    writer.emit(Warned(text="1"))
    clock.advance(0.001)
    with failing_at(1, error, onward=True):
        writer.emit(Warned(text="2"))
        writer.emit(Warned(text="3"))
        assert writer.flush() == 2
        with pytest.raises(OSError, match="events could not be written"):
            writer.sync()
    assert writer.flush() == 0
    assert texts(tmp_path) == ["1", "2", "3"]


def test_a_line_torn_by_a_full_disk_stays_the_last_of_its_file(
    tmp_path: Path, writer: EventWriter, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.emit(Warned(text="1"))
    clock.advance(0.001)
    real = os.write
    lengths = iter([5])

    def short(descriptor: int, data: bytes) -> int:
        length = next(lengths, None)
        if length is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:length])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        writer.emit(Warned(text="2"))
    writer.emit(Warned(text="3"))
    first, second = sorted(tmp_path.iterdir())
    assert first.read_bytes().endswith(b'}\n{"id"')
    assert texts(tmp_path) == ["1", "2", "3"]
    assert len(second.read_bytes().splitlines()) == 2


def test_of_too_many_waiting_the_oldest_are_given_up(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MAX_BACKLOG", 3)
    writer = EventWriter(tmp_path, "router", clock)
    with failing_at(1, "ENOSPC", onward=True):
        for number in range(5):
            writer.emit(Warned(text=str(number)))
    writer.flush()
    writer.close()
    assert texts(tmp_path) == ["2", "3", "4"]


def synced(taken: list[tuple[str, str]]) -> set[str]:
    return {path for operation, path in taken if operation == "fdatasync"}


def test_sync_covers_every_file_that_was_written_to_since_the_last_one(
    tmp_path: Path, writer: EventWriter, clock: ManualClock
) -> None:
    """The last trace of what is told is removed after it, so a file left behind (worn, closed) must be synced too."""
    writer.emit(Warned(text="in a file that wears out"))
    clock.advance(MAX_FILE_SECONDS + 1)
    writer.emit(Warned(text="in a file that is closed"))
    writer.close()
    writer.emit(Warned(text="in the present one"))
    with counted() as steps:
        writer.sync()
    assert synced(steps.taken) == {str(path) for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 3
    assert ("fsyncdir", str(tmp_path)) in steps.taken
    with counted() as steps:
        writer.sync()
    assert steps.taken == []


def test_sync_after_a_refusal_covers_the_file_before_it(tmp_path: Path, writer: EventWriter) -> None:
    writer.emit(Warned(text="1"))
    with failing_at(1, "ENOSPC"):
        writer.emit(Warned(text="2"))
    with counted() as steps:
        writer.sync()
    assert synced(steps.taken) == {str(path) for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 2


def test_sync_passes_over_a_file_that_the_bookkeeper_has_taken(
    tmp_path: Path, writer: EventWriter, clock: ManualClock
) -> None:
    writer.emit(Warned(text="1"))
    (first,) = tmp_path.iterdir()
    clock.advance(MAX_FILE_SECONDS + 1)
    writer.emit(Warned(text="2"))
    first.unlink()
    with counted() as steps:
        writer.sync()
    (second,) = tmp_path.iterdir()
    assert synced(steps.taken) == {str(second)}


@pytest.mark.parametrize("number", [1, 2])
def test_a_sync_that_fails_is_repeated(tmp_path: Path, writer: EventWriter, number: int) -> None:
    writer.emit(Warned(text="1"))
    with failing_at(number, "EIO"), pytest.raises(OSError, match="Input"):
        writer.sync()
    with counted() as steps:
        writer.sync()
    (path,) = tmp_path.iterdir()
    assert steps.taken[0] == ("fdatasync", str(path))


def test_a_file_that_the_bookkeeper_took_for_a_dead_writers_is_left(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between creation and lock it looks like one: empty, and nobody holds it."""
    writer = EventWriter(tmp_path, "router", clock)
    real = fcntl.flock
    removed: list[Path] = []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            (path,) = tmp_path.iterdir()
            path.unlink()
            removed.append(path)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    writer.emit(Warned(text="1"))
    writer.close()
    assert texts(tmp_path) == ["1"]


def test_threads_write_whole_lines(tmp_path: Path, writer: EventWriter) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [writer.emit(Warned(text=f"{n}-{i}")) for i in range(100)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(tmp_path)) == sorted(f"{n}-{i}" for n in range(4) for i in range(100))


def test_a_writer_that_only_syncs_makes_no_file(tmp_path: Path, writer: EventWriter) -> None:
    with at_each_step(lambda *_: pytest.fail("a step")):
        writer.sync()
        assert writer.flush() == 0
    assert list(tmp_path.iterdir()) == []


def test_ids_sort_by_time(writer: EventWriter, clock: ManualClock) -> None:
    ids = []
    for _ in range(3):
        ids.append(writer.emit(Warned(text="x")).id)
        clock.advance(0.000001)
    assert ids == sorted(ids)
    assert new_id(clock.now()) > ids[-1]
