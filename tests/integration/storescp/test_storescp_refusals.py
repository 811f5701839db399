"""What is refused while an association is negotiated is told by sender and class, and not by connection."""

from __future__ import annotations

import signal
import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    CT_IMAGE,
    EXPLICIT_LITTLE,
    Aborted,
    Closed,
    Context,
    Peer,
    Rejected,
    associate_rq,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.receiver import Event, Receiver, StartReceiver

WORKLIST = "1.2.840.10008.5.1.4.31"
PRINTER = "1.2.840.10008.5.1.1.16"
HTTP = b"GET / HTTP/1.0\r\n\r\n"


def knock(receiver: Receiver, data: bytes, *, source: str = "127.0.0.1") -> None:
    """Send and wait until the receiver has closed the connection."""
    with Peer(receiver.port, source=source) as peer:
        peer.send(data)
        peer.until_closed()


def stopped(receiver: Receiver, kind: str) -> list[Event]:
    """End the receiver, and return what it told."""
    receiver.until_idle()
    receiver.program.signal(signal.SIGTERM)
    eventually(lambda: receiver.events("service.stopped"), what="the receiver has ended")
    return receiver.events(kind)


def test_garbage_is_told_by_address_and_minute(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    for number in range(200):
        knock(receiver, HTTP if number % 2 else b"\x16\x03\x01" + bytes(40), source=f"127.0.0.{2 + number % 2}")
    told = stopped(receiver, "association.refused")
    times = [(event["details"]["address"], event["details"]["times"]) for event in told]
    assert sorted(times) == [("127.0.0.2", 1), ("127.0.0.2", 99), ("127.0.0.3", 1), ("127.0.0.3", 99)]
    reasons = {
        "127.0.0.2": "the sender speaks TLS at the port without it",
        "127.0.0.3": "not a DICOM association request",
    }
    assert all(reasons[event["details"]["address"]] in event["details"]["reason"] for event in told)
    assert len([line for line in receiver.log() if line["message"] == "an association was refused"]) == len(told)
    assert len(list((receiver.spool / "outbox").iterdir())) <= 1


def test_a_sender_that_changes_its_title_each_time_is_bounded(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(called_aets=["MERCURE"])
    for number in range(120):
        with Peer(receiver.port) as peer, pytest.raises(Rejected):
            peer.associate(associate_rq(calling=b"EVIL%d" % number, called=b"OTHER"))
    told = stopped(receiver, "association.refused")
    assert len(told) <= 53
    assert sum(event["details"]["times"] for event in told) == 120


def test_what_is_refused_of_a_proposal_is_told_once_for_each_class(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    role = struct.pack(">BxHH", 0x54, len(CT_IMAGE) + 4, len(CT_IMAGE)) + CT_IMAGE.encode() + b"\0\1"
    contexts = (
        Context(1, WORKLIST, (EXPLICIT_LITTLE,)),
        Context(3, WORKLIST),
        Context(5, PRINTER),
        Context(7, CT_IMAGE, (EXPLICIT_LITTLE,)),
    )
    for _ in range(10):
        with Peer(receiver.port) as peer:
            accepted = peer.associate(associate_rq(contexts, calling=b"MODALITY", user_items=role))
            assert [number for number, result in accepted.results.items() if result == 0] == [7]
            assert peer.store(ct_image(sop := uid(), "1.2.3"), sop, context=7).status == 0
            peer.release()
    told = [event["details"] for event in stopped(receiver, "context.refused")]
    assert {(one["what"], one["abstract_syntax"], one["transfer_syntax"], one["times"]) for one in told} == {
        (what, abstract, EXPLICIT_LITTLE if abstract != PRINTER else "1.2.840.10008.1.2", times)
        for what, abstract in (("abstract syntax", WORKLIST), ("abstract syntax", PRINTER), ("role", CT_IMAGE))
        for times in (1, 9)
    }
    assert {one["calling_aet"] for one in told} == {"MODALITY"}


def test_an_open_association_is_told_of_before_it_ends(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(sop_classes=[CT_IMAGE])
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, CT_IMAGE), Context(3, "1.2.840.10008.5.1.4.1.1.4"))))
        assert receiver.event("context.refused")["details"]["abstract_syntax"] == "1.2.840.10008.5.1.4.1.1.4"


LISTED = [{"name": "ct", "ae_titles": ["CT1"]}]
BLANKS = {"blanks": b" " * 16, "nothing": bytes(16), "a blank and nothing": b" ".ljust(16, b"\0")}


@pytest.mark.parametrize("title", BLANKS.values(), ids=BLANKS)
def test_a_blank_title_is_let_in_where_everybody_is(start_receiver: StartReceiver, title: bytes) -> None:
    receiver = start_receiver()
    for calling, called in ((title, b"MERCURE"), (b"CT1", title), (title, title)):
        with Peer(receiver.port) as peer:
            peer.associate(associate_rq(calling=calling, called=called))
            assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
            peer.release()
    assert [line["SenderAET"] for line in receiver.tag_lines()].count("") == 2
    assert [line["ReceiverAET"] for line in receiver.tag_lines()].count("") == 2
    assert receiver.events("association.refused") == []


@pytest.mark.parametrize("title", BLANKS.values(), ids=BLANKS)
def test_a_blank_title_is_refused_by_the_standard_where_titles_are_listed(
    start_receiver: StartReceiver, title: bytes
) -> None:
    receiver = start_receiver(called_aets=["MERCURE"], access="listed", senders=LISTED)
    for calling, called, reason in ((title, b"MERCURE", 3), (b"CT1", title, 7)):
        with Peer(receiver.port) as peer, pytest.raises(Rejected) as caught:
            peer.associate(associate_rq(calling=calling, called=called))
        assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, reason)
    receiver.event("association.refused", count=2)
    # Each association is a process of its own, so the second can be told first.
    assert {event["details"]["reason"] for event in receiver.events("association.refused")} == {
        "the calling AE title is blank, and so none that is listed",
        "the called AE title is blank, and so none of ours",
    }


@pytest.mark.parametrize("title", [b"CT1\r\n", b"CT\\1", b"CT\x011", b"\x7f", b"CT1\0XYZ", b"  CT1", b"C\xe91"])
def test_strange_titles_are_answered(start_receiver: StartReceiver, title: bytes) -> None:
    receiver = start_receiver()
    listed = start_receiver(folder=receiver.spool.parent / "listed", access="listed", senders=LISTED)
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=title))
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        peer.release()
    is_ct1 = title in {b"  CT1", b"CT1\0XYZ"}
    with Peer(listed.port) as peer:
        if is_ct1:
            peer.associate(associate_rq(calling=title))
            peer.release()
            return
        with pytest.raises(Rejected) as caught:
            peer.associate(associate_rq(calling=title))
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)


def test_a_connection_of_garbage_leaves_no_process_and_no_file(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer, pytest.raises((Aborted, Closed)):
        peer.associate(HTTP)
    receiver.event("association.refused")
    receiver.until_idle()
    files = list((receiver.spool / "outbox").iterdir())
    assert len(files) == 1
