"""What cannot be read comes again and again, in great numbers, or is huge: kept once, within its limits, and told."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import CT_IMAGE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Context, Peer, associate_rq

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fixtures import MountSmallDisk
    from tests.support.receiver import Receiver, StartReceiver

NOT_UNDERSTOOD = 0xC000


def torn(number: int = 0) -> bytes:
    """Make a data set whose header ends in the middle."""
    return ct_image(f"1.2.3.{number}", "1.2.3")[:60] + b"\x08\x00\x50\x00SH\xff\x7f" + b"x" * 40


def send(receiver: Receiver, *data: bytes, calling: bytes = b"PEER", syntax: str = EXPLICIT_LITTLE) -> list[str]:
    """Send data sets over one association; each must be refused. Return the comments."""
    comments = []
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, CT_IMAGE, (syntax,)),), calling=calling))
        for one in data:
            response = peer.store(one, "1.2.3.4")
            assert response.status == NOT_UNDERSTOOD
            comments.append(response.comment)
        peer.release()
    receiver.until_idle()
    return comments


def times(entry: Path) -> int:
    again = entry / "again.json"
    return 1 + (int(json.loads(again.read_text())["count"]) if again.exists() else 0)


def test_the_same_bytes_are_counted_and_not_kept_again(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    for _ in range(3):
        send(receiver, *[torn()] * 10)
    (entry,) = receiver.quarantined()
    assert times(entry) == 30
    events = receiver.events("image.quarantined")
    assert [event["details"]["repetition"] for event in events] == [False] + [True] * 29
    assert {event["details"]["entry"] for event in events} == {entry.name}
    assert len({event["details"]["image"] for event in events}) == 30
    assert data_set_of((entry / "object.part").read_bytes()) == torn()


def test_another_sender_or_syntax_or_content_is_another_object(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    send(receiver, torn(1), torn(2))
    send(receiver, torn(1), calling=b"OTHER")
    send(receiver, torn(1), syntax=IMPLICIT_LITTLE)
    assert [times(entry) for entry in receiver.quarantined()] == [1, 1, 1, 1]


def test_what_a_person_removed_is_kept_anew(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    send(receiver, torn())
    (entry,) = receiver.quarantined()
    (entry / "object.part").unlink()
    (entry / "reason.json").unlink()
    entry.rmdir()
    send(receiver, torn(), torn())
    (fresh,) = receiver.quarantined()
    assert (fresh.name != entry.name, times(fresh)) == (True, 2)


@pytest.mark.parametrize("content", ["", "../../outside", "no such entry", "\0", "x" * 10_000])
def test_a_damaged_hint_costs_one_more_copy(start_receiver: StartReceiver, content: str) -> None:
    receiver = start_receiver()
    send(receiver, torn())
    for hint in (receiver.spool / "state" / "quarantine").iterdir():
        hint.write_text(content)
    send(receiver, torn(), torn())
    assert sorted(times(entry) for entry in receiver.quarantined()) == [1, 2]


@pytest.mark.parametrize("content", ["", "[]", '{"count": "many"}', '{"count": -1}', "{"])
def test_a_damaged_count_begins_anew(start_receiver: StartReceiver, content: str) -> None:
    receiver = start_receiver()
    send(receiver, torn())
    (entry,) = receiver.quarantined()
    (entry / "again.json").write_text(content)
    send(receiver, torn())
    assert times(entry) == 2


def test_a_flood_of_different_bytes_ends_at_the_limit_and_is_told(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(quarantine_objects=5)
    send(receiver, *(torn(number) for number in range(12)))
    assert len(receiver.quarantined()) == 5
    assert len(receiver.events("image.quarantined")) == 5
    refused = [event["details"]["reason"] for event in receiver.events("image.refused")]
    assert len(refused) == 12
    assert sum("not kept: quarantine full: 5 objects" in reason for reason in refused) == 7
    # What is known by its bytes is counted all the same, and readable images come in.
    send(receiver, torn(0))
    good = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(ct_image(good, "1.2.3"), good).status == 0
        peer.release()
    assert sorted(times(entry) for entry in receiver.quarantined()) == [1, 1, 1, 1, 2]
    assert len(receiver.images()) == 1


def test_one_huge_object_is_not_kept_and_smaller_ones_are(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(quarantine_bytes=200_000)
    send(receiver, torn() + bytes(1_000_000), torn())
    (entry,) = receiver.quarantined()
    assert data_set_of((entry / "object.part").read_bytes()) == torn()
    refused = [event["details"]["reason"] for event in receiver.events("image.refused")]
    assert "not kept: quarantine full: 0 of 200000 bytes taken" in refused[0]
    assert "not kept" not in refused[1]
    assert receiver.parts() == []


def test_with_no_room_at_all_nothing_is_kept(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(quarantine_bytes=0)
    (comment,) = send(receiver, torn())
    assert comment.startswith("Cannot understand: ")
    assert receiver.quarantined() == []
    assert receiver.parts() == []


def test_it_takes_a_twentieth_of_the_disk_at_most(small_disk: MountSmallDisk, start_receiver: StartReceiver) -> None:
    disk = small_disk(32)
    receiver = start_receiver(folder=disk)
    send(receiver, *(torn(number) + bytes(400_000) for number in range(8)))
    total = sum((entry / "object.part").stat().st_size for entry in receiver.quarantined())
    assert 0 < total <= shutil.disk_usage(disk).total / 20
    assert any("quarantine full" in event["details"]["reason"] for event in receiver.events("image.refused"))


def test_a_disk_that_takes_nothing_leaves_nothing_half_done(tmp_path: Path, start_receiver: StartReceiver) -> None:
    log = tmp_path / "steps"
    counted = start_receiver(folder=tmp_path / "counted", env={"MERCURE_STEP_LOG": str(log)})
    send(counted, torn())
    steps = [line.split() for line in log.read_text().splitlines()]
    wanted = [int(number) for _, number, _, path in steps if "/quarantine/" in path]
    assert len(wanted) > 4
    for number in wanted:
        receiver = start_receiver(folder=tmp_path / f"at-{number}", env={"MERCURE_FAULT": f"ENOSPC@{number}"})
        send(receiver, torn())
        entries = receiver.quarantined()
        told = receiver.events("image.refused")[0]["details"]["reason"]
        assert ("not kept" in told) == (not [entry for entry in entries if not entry.name.startswith(".")])
        for entry in entries:
            assert not entry.name.startswith(".") or (entry / "object.part").exists()
