"""The table of senders in the receiver: their names, their quotas, and what is told of those that are not let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.dicom.receipt import read_receipt
from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer, Rejected, associate_rq
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

HERE = {"name": "ct", "ae_titles": ["CT1"], "addresses": ["127.0.0.0/8"]}
OVER_QUOTA = 0xA700


def store(peer: Peer) -> int:
    return peer.store(ct_image(sop := uid(), "1.2.3"), sop).status


def send(receiver: Receiver, calling: bytes) -> int:
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=calling))
        status = store(peer)
        peer.release()
    return status


def rejected(receiver: Receiver, calling: bytes) -> tuple[int, int, int]:
    with Peer(receiver.port) as peer, pytest.raises(Rejected) as caught:
        peer.associate(associate_rq(calling=calling))
    return caught.value.result, caught.value.source, caught.value.reason


def test_each_image_keeps_the_name_of_its_sender(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[HERE])
    for calling in (b"CT1", b"ct1", b" "):
        assert send(receiver, calling) == 0
    names = {line["SenderAET"]: line["SenderName"] for line in receiver.tag_lines()}
    assert names == {"CT1": "ct", "ct1": "ct1@127.0.0.1", "": "@127.0.0.1"}
    receipts = [read_receipt(path) for path in (receiver.spool / "incoming").glob("*/*.dcm")]
    assert {receipt.members()["SenderName"] for receipt in receipts if receipt} == set(names.values())


def test_who_is_not_listed_is_told_of_once(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(access="listed", senders=[HERE])
    for _ in range(3):
        assert rejected(receiver, b"STRANGER") == (1, 1, 3)
    assert send(receiver, b"CT1") == 0
    receiver.until_idle()
    (event,) = receiver.events("association.refused")
    assert event["details"]["reason"] == "the calling AE title is not listed"


@pytest.mark.parametrize("bind", ["127.0.0.1", "::"])
def test_a_listed_title_counts_with_its_address_alone(start_receiver: StartReceiver, bind: str) -> None:
    away = {"name": "mr", "ae_titles": ["MR1"], "addresses": ["192.0.2.0/24"]}
    receiver = start_receiver(access="listed", senders=[HERE, away], bind=bind)
    assert rejected(receiver, b"MR1") == (1, 1, 3)
    assert send(receiver, b"CT1") == 0
    assert (
        receiver.event("association.refused")["details"]["reason"]
        == "the calling AE title is not listed with this address"
    )


def test_a_day_s_bytes_end_in_mid_series_and_what_was_acknowledged_is_kept(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[{**HERE, "max_bytes_per_day": 1}])
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        assert [store(peer) for _ in range(3)] == [0, OVER_QUOTA, OVER_QUOTA]
        peer.release()
    assert send(receiver, b"CT1") == OVER_QUOTA
    assert send(receiver, b"OTHER") == 0
    assert [line["SenderAET"] for line in receiver.tag_lines()] == ["CT1", "OTHER"]
    assert "1 bytes a day" in receiver.events("image.refused")[0]["details"]["reason"]
    assert len(list((receiver.spool / "incoming").glob("*/*.dcm"))) == 2


def test_images_beyond_the_rate_are_refused_after_a_warning(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[{**HERE, "max_images_per_second": 1}], durability="none")
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        taken = 0
        while (status := store(peer)) == 0:
            taken += 1
        peer.release()
    assert status == OVER_QUOTA
    assert taken >= 60, "a minute's images may come at once"
    (warning,) = receiver.events("sender.quota")
    assert (warning["details"]["sender"], warning["details"]["quota"]) == ("ct", "max_images_per_second")


def test_the_next_association_waits_until_one_has_ended(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[{**HERE, "max_associations": 1}])
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        assert rejected(receiver, b"CT1") == (2, 3, 2)
        assert send(receiver, b"OTHER") == 0
        assert store(peer) == 0
        peer.release()
    for _ in range(5):
        assert send(receiver, b"CT1") == 0


def test_one_that_broke_off_has_no_place_any_more(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[{**HERE, "max_associations": 1}])
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        store(peer)
    receiver.until_idle()
    assert send(receiver, b"CT1") == 0


def test_a_changed_table_counts_without_a_restart(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(access="listed", senders=[HERE], revision=1)
    assert rejected(receiver, b"MR1") == (1, 1, 3)
    receiver.configure(access="listed", senders=[HERE, {"name": "mr", "ae_titles": ["MR1"]}], revision=2)
    receiver.event("config.loaded", count=2)
    assert send(receiver, b"MR1") == 0
    receiver.configure(access="listed", senders=[], revision=3)
    receiver.event("config.rejected")
    assert send(receiver, b"CT1") == 0, "the last table that could be read is in force"
    assert rejected(receiver, b"STRANGER") == (1, 1, 3)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_day_s_bytes_are_counted_over_a_restart(start_receiver: StartReceiver, end: str) -> None:
    limited = {**HERE, "max_bytes_per_day": 1}
    first = start_receiver(senders=[limited])
    assert send(first, b"CT1") == 0
    note = first.spool / "state" / "quota-use.json"
    if end == "kill":
        eventually(note.exists, what="what is used is noted")
        first.program.kill()
    else:
        first.program.stop()
    again = start_receiver(senders=[limited])
    assert send(again, b"CT1") == OVER_QUOTA
    again.program.stop()
    note.write_text("{")
    assert send(start_receiver(senders=[limited]), b"CT1") == 0
