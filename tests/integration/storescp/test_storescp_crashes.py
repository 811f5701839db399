"""Death at any moment: of an association, of the server, at each durable step. What was acknowledged stays."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, data_set_of, nested_sequences, uid
from tests.support.dicom_peer import Closed, Peer, PeerError, message, pdu, store_command, value
from tests.support.polling import eventually
from tests.support.procfs import is_alive
from tests.support.receiver import read_events, receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receiver import StartReceiver


def begin_image(peer: Peer, sop: str, data: bytes) -> None:
    """Send an image but for its last bytes."""
    peer.send(message(1, store_command(sop)) + pdu(4, value(1, data[:-100], command=False, last=False)))


def finish_image(peer: Peer, data: bytes) -> int:
    """Send the last bytes and return the status."""
    peer.send(pdu(4, value(1, data[-100:], command=False, last=True)))
    return peer.response().status


def test_a_killed_association_is_cleared_and_told_and_the_others_go_on(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sops, series = [uid(), uid(), uid()], uid()
    with Peer(receiver.port) as victim:
        victim.associate()
        assert victim.store(ct_image(sops[0], series), sops[0]).status == 0
        (pid,) = receiver.children()
        with Peer(receiver.port) as other:
            other.associate()
            begin_image(victim, sops[1], ct_image(sops[1], series))
            eventually(lambda: [path for path in receiver.parts() if path.suffix == ".part"], what="a part")
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(Closed):
                victim.response()
            closed = receiver.event("association.closed")
            assert other.store(ct_image(sops[2], series), sops[2]).status == 0
            other.release()
    assert closed["details"]["how"] == "crashed"
    assert closed["details"]["images"] == 1
    assert closed["details"]["calling_aet"] == "PEER"
    receiver.until_idle()
    assert {image.stem for image in receiver.images()} == {sops[0], sops[2]}
    assert receiver.quarantined() == []


def test_when_the_server_is_killed_its_associations_end_in_peace(start_receiver: StartReceiver) -> None:
    first = start_receiver(stop_timeout_seconds=60)
    sops, series = [uid(), uid(), uid()], uid()
    data = ct_image(sops[0], series)
    with Peer(first.port) as peer:
        peer.associate()
        begin_image(peer, sops[0], data)
        os.kill(first.program.pid, signal.SIGKILL)
        eventually(lambda: not first.program.is_alive, what="end of the server")
        # The one that takes its place leaves the open association alone.
        second = start_receiver()
        assert second.parts() != []
        assert finish_image(peer, data) == 0
        assert peer.store(ct_image(sops[1], series), sops[1]).status == 0
        with Peer(second.port) as other:
            other.associate()
            assert other.store(ct_image(sops[2], series), sops[2]).status == 0
            other.release()
        peer.release()
    closed = second.event("association.closed", count=2)
    assert closed["details"]["how"] == "released"
    assert {image.stem for image in second.images()} == set(sops)
    eventually(lambda: second.parts() == [], what="nothing left in receiving")


def test_associations_of_a_killed_server_do_not_live_for_ever(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(stop_timeout_seconds=0.5)
    with Peer(receiver.port) as peer:
        peer.associate()
        (pid,) = receiver.children()
        os.kill(receiver.program.pid, signal.SIGKILL)
        assert peer.until_closed()[:1] == b"\7"
        eventually(lambda: not is_alive(pid), what="end of the association")
    assert receiver.events("association.closed")[0]["details"]["how"] == "aborted"


def test_what_dead_processes_left_is_cleared_at_the_next_start(start_receiver: StartReceiver) -> None:
    first = start_receiver()
    sop = uid()
    with Peer(first.port) as peer:
        peer.associate()
        begin_image(peer, sop, ct_image(sop, uid()))
        eventually(lambda: [path for path in first.parts() if path.suffix == ".part"], what="a part")
        first.program.kill()
    assert first.parts() != []
    second = start_receiver()
    recovered = second.event("spool.recovered")
    assert second.parts() == []
    assert "1 unfinished" in recovered["details"]["what"]
    assert second.images() == []


def test_a_folder_that_a_living_process_holds_is_left_alone_and_cleared_later(start_receiver: StartReceiver) -> None:
    first = start_receiver(stop_timeout_seconds=60)
    with Peer(first.port) as peer:
        peer.associate()
        (pid,) = first.children()
        os.kill(first.program.pid, signal.SIGKILL)
        second = start_receiver()
        assert len(second.parts()) == 1
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: second.parts() == [], seconds=20, what="the folder is cleared")
    assert second.events("spool.recovered")


# --- each step --------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What a sender was told of each image it sent."""

    sent: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)


SERIES = ("1.2.3.1", "1.2.3.2")
WELL = {"first": 0, "second": 0, "unreadable": 0xC000, "again": 0, "third": 0}


def send_all(port: int) -> Run:
    """Send two images, one that cannot be read, one again, one more, over one association."""
    run = Run()
    first, second, third = (f"1.2.3.4.{number}" for number in range(3))
    objects = [
        ("first", first, ct_image(first, SERIES[0])),
        ("second", second, ct_image(second, SERIES[1])),
        ("unreadable", "1.2.3.5", nested_sequences(5_000)),
        ("again", first, ct_image(first, SERIES[0])),
        ("third", third, ct_image(third, SERIES[1])),
    ]
    with Peer(port) as peer, suppress(PeerError):
        peer.associate()
        for name, sop, data in objects:
            run.sent[name] = data
            run.statuses[name] = peer.store(data, sop).status
        peer.release()
    return run


def steps_of_child(log: Path) -> list[tuple[int, str, str]]:
    """Return the numbered steps of the association's process: all lines of the second process in the log."""
    lines = [line.split(" ", 3) for line in log.read_text().splitlines()]
    server = lines[0][0]
    return [(int(number), operation, path) for pid, number, operation, path in lines if pid != server]


def check(spool: Path, run: Run) -> None:
    """Check what must hold whatever happened: acknowledged is there, what is there is whole."""
    images = [data_set_of(path.read_bytes()) for path in (spool / "incoming").glob("*/*.dcm")]
    for name, status in run.statuses.items():
        if status == 0:
            assert images.count(run.sent[name]) == 1, f"{name} was acknowledged"
        else:
            assert status in {0xA700, 0x0110, 0xC000}
    assert all(data in run.sent.values() for data in images)
    assert list((spool / "receiving").rglob("*.part")) == []
    for entry in (spool / "quarantine").iterdir():
        if not entry.name.startswith("."):
            # The same bytes that come again are counted.
            assert {path.name for path in entry.iterdir()} - {"again.json"} == {"object.part", "reason.json"}
            json.loads((entry / "reason.json").read_text())


@pytest.fixture
def steps(tmp_path: Path) -> list[tuple[int, str, str]]:
    """Give the steps of an association without any fault."""
    log = tmp_path / "steps.log"
    with receiver(tmp_path / "counted", env={"MERCURE_STEP_LOG": str(log)}) as counted:
        run = send_all(counted.port)
        counted.event("association.closed")
    assert run.statuses == WELL
    check(counted.spool, run)
    return steps_of_child(log)


def test_the_steps_are_those_of_the_contract(steps: list[tuple[int, str, str]]) -> None:
    numbers = [number for number, _, _ in steps]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    first_image = steps[: next(place for place, step in enumerate(steps) if step[2].endswith("000002.part"))]
    operations = [(operation, path.rpartition("/spool/")[2].split("/")[0]) for _, operation, path in first_image]
    assert operations == [
        ("mkdir", "receiving"),
        ("append", "outbox"),  # association.opened
        ("write", "receiving"),  # the part is made,
        ("write", "receiving"),  # and written
        ("fdatasync", "receiving"),
        ("mkdir", "incoming"),
        ("fsyncdir", "incoming"),
        ("rename", "incoming"),
        ("fsyncdir", "incoming"),
        ("append", "incoming"),  # the tag line
        ("append", "outbox"),  # image.received
    ]


def test_without_durability_nothing_is_synced(tmp_path: Path) -> None:
    log = tmp_path / "steps.log"
    with (
        receiver(tmp_path / "counted", env={"MERCURE_STEP_LOG": str(log)}, durability="none") as counted,
        Peer(counted.port) as peer,
    ):
        peer.associate()
        assert peer.store(ct_image("1.2", "1.3"), "1.2").status == 0
        peer.release()
        assert counted.event("image.received")["details"]["durable"] is False
    operations = {operation for _, operation, _ in steps_of_child(log)}
    assert operations.isdisjoint({"fsync", "fdatasync", "fsyncdir"})
    assert {"write", "rename", "append"} <= operations


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("ENOSPC", 0xA700),
        pytest.param("EIO", 0x0110, marks=pytest.mark.slow),
        pytest.param("EROFS", 0x0110, marks=pytest.mark.slow),
    ],
)
def test_an_error_at_any_step_is_answered_truthfully(
    tmp_path: Path, steps: list[tuple[int, str, str]], error: str, status: int
) -> None:
    for number, operation, path in steps:
        with receiver(tmp_path / f"at-{number}", env={"MERCURE_FAULT": f"{error}@{number}"}) as faulty:
            run = send_all(faulty.port)
            faulty.until_idle()
            check(faulty.spool, run)
            failed = {name: answer for name, answer in run.statuses.items() if answer not in {0, 0xC000}}
            assert len(failed) <= 1, f"{operation} {path}: {run.statuses}"
            assert set(failed.values()) <= {status}
            # An error costs one image at most, and never the association, unless there was no folder for it at all.
            if number == steps[0][0]:
                assert run.statuses == {}
                continue
            assert len(run.statuses) == 5, f"{operation} {path}"
            assert run.statuses["unreadable"] in {0xC000, status}
            told = [event["details"]["status"] for event in faulty.events("image.refused")]
            assert told.count(f"0x{status:04X}") == len(failed)
    # The server tells of the first one, and its disk failed at the same step: it was told with the event after it.
    first = read_events(tmp_path / f"at-{steps[0][0]}" / "spool")
    assert [event["type"] for event in first].count("association.refused") == 1


def test_a_disk_that_stays_full_from_any_step_on_loses_nothing(
    tmp_path: Path, steps: list[tuple[int, str, str]]
) -> None:
    for number, _, _ in steps:
        folder = tmp_path / f"from-{number}"
        with receiver(folder, env={"MERCURE_FAULT": f"ENOSPC@{number}+"}) as full:
            run = send_all(full.port)
            eventually(lambda: not full.children(), what="end of the association")
        with receiver(folder) as after:
            after.until_idle()
            check(after.spool, run)


@pytest.mark.parametrize("action", ["kill", pytest.param("exit", marks=pytest.mark.slow)])
def test_death_at_any_step_loses_nothing(tmp_path: Path, steps: list[tuple[int, str, str]], action: str) -> None:
    for number, operation, path in steps:
        folder = tmp_path / f"at-{number}"
        with receiver(folder, env={"MERCURE_FAULT": f"{action}@{number}"}) as dying:
            run = send_all(dying.port)
            eventually(lambda: not dying.children(), what="end of the association")
        with receiver(folder) as after:
            after.until_idle()
            check(after.spool, run)
            again = send_all(after.port)
            assert again.statuses == WELL, f"{operation} {path}"
            after.event("association.closed")
            check(after.spool, again)


def test_a_file_that_kills_its_reader_is_kept_and_told(tmp_path: Path, steps: list[tuple[int, str, str]]) -> None:
    # The first step of putting it into quarantine comes while the reader is at it.
    number = next(number for number, operation, path in steps if operation == "mkdir" and "/quarantine/" in path)
    data = nested_sequences(5_000)
    with receiver(tmp_path / "hostile", env={"MERCURE_FAULT": f"kill@{number}"}) as hostile:
        run = send_all(hostile.port)
        assert "unreadable" not in run.statuses
        event = hostile.event("image.quarantined")
        closed = hostile.event("association.closed")
        assert "crashed while reading" in event["details"]["reason"]
        assert event["details"]["calling_aet"] == "PEER"
        assert closed["details"]["how"] == "crashed"
        entry = hostile.spool / "quarantine" / event["details"]["entry"]
        assert data_set_of((entry / "object.part").read_bytes()) == data
        assert json.loads((entry / "reason.json").read_text())["sop"] == "1.2.3.5"
        assert hostile.program.is_alive
        assert hostile.log()[-1]["level"] == "error"


def test_a_fault_that_cannot_be_read_ends_the_program_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="MERCURE_FAULT"), receiver(tmp_path, env={"MERCURE_FAULT": "explode@3"}):
        pass
    assert read_events(tmp_path / "spool") == []
