"""Limits: of time, number and size."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    STORE_CT,
    Aborted,
    Closed,
    Peer,
    Rejected,
    associate_rq,
    echo_command,
    message,
    pdu,
    store_command,
    value,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.receiver import StartReceiver

LOCAL_LIMIT_EXCEEDED = (2, 3, 2)
SHORT = 0.6


def ending_of(peer: Peer) -> bytes:
    """Return what the receiver sends until it closes; the peer stays silent."""
    return peer.until_closed()


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", associate_rq()[:1], associate_rq()[:60]], ids=["nothing", "one byte", "a part"])
def test_a_caller_who_does_not_speak_is_let_go(start_receiver: StartReceiver, sent: bytes) -> None:
    receiver = start_receiver(acse_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        peer.send(sent)
        ending_of(peer)
    assert "no association request" in receiver.event("association.refused")["details"]["reason"]
    receiver.until_idle()


def test_an_idle_association_is_ended(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(idle_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        peer.associate()
        assert ending_of(peer)[:1] == b"\7"
    assert receiver.event("association.closed")["details"]["how"] == "timeout"


@pytest.mark.parametrize("cut", [3, 40, 4000], ids=["in a header", "in a command", "in a data set"])
def test_silence_in_the_middle_of_a_pdu_is_idleness(start_receiver: StartReceiver, cut: int) -> None:
    receiver = start_receiver(idle_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.send(message(1, store_command("1.2.3"), ct_image("1.2.3", uid()), fragment=8192)[:cut])
        ending_of(peer)
    assert receiver.event("association.closed")["details"]["how"] == "timeout"
    receiver.until_idle()
    assert receiver.images() == []


def echo_for_ever(peer: Peer) -> NoReturn:
    """Send C-ECHOs until the receiver ends it."""
    while True:
        peer.send(message(1, echo_command()))
        peer.response()


def send_a_data_set_without_end(peer: Peer) -> NoReturn:
    """Send fragments of one data set, never reading and never pausing."""
    piece = pdu(4, value(1, bytes(100_000), command=False, last=False))
    peer.send(message(1, store_command("1.2.3")))
    while True:
        peer.send(piece)


def dribble(peer: Peer, stream: bytes, *, pause: float) -> None:
    """Send byte by byte until the receiver has had enough of it."""
    for byte in stream:
        try:
            peer.send(bytes([byte]))
        except Closed:
            return
        # The pace is what is tested; there is no condition to wait for.
        time.sleep(pause)
    raise AssertionError("the receiver bore with all of it")


def test_a_dribbler_does_not_hold_the_association_request_open(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(acse_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        dribble(peer, associate_rq() * 20, pause=0.02)
    assert "no association request" in receiver.event("association.refused")["details"]["reason"]


def test_a_dribbler_does_not_hold_an_association_open(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(idle_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        peer.associate()
        dribble(peer, message(1, store_command("1.2.3"), bytes(100_000), fragment=100_000), pause=0.02)
    assert receiver.event("association.closed")["details"]["how"] == "timeout"


def test_the_total_limit_holds_against_a_busy_sender(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_association_seconds=1, idle_timeout_seconds=60)
    with Peer(receiver.port) as peer:
        peer.associate()
        with pytest.raises((Closed, Aborted)):
            echo_for_ever(peer)
    assert receiver.event("association.closed")["details"]["how"] == "timeout"


def test_the_total_limit_holds_against_one_that_never_lets_us_wait(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_association_seconds=1, idle_timeout_seconds=60)
    with Peer(receiver.port) as peer:
        peer.associate()
        with pytest.raises(Closed):
            send_a_data_set_without_end(peer)
    assert receiver.event("association.closed")["details"]["how"] == "timeout"
    receiver.until_idle()
    assert receiver.images() == []


# --- number -----------------------------------------------------------------------------------------------------


def rejection_of(port: int, *, source: str = "") -> Rejected:
    """Ask for an association that must be rejected."""
    with Peer(port, source=source) as peer, pytest.raises(Rejected) as caught:
        peer.associate(associate_rq(calling=b"LATECOMER"))
    return caught.value


@pytest.mark.parametrize("speaking", [True, False], ids=["open associations", "silent connections"])
def test_no_more_associations_than_allowed(start_receiver: StartReceiver, *, speaking: bool) -> None:
    receiver = start_receiver(max_associations=3)
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(receiver.port)) for _ in range(3)]
        for peer in peers:
            if speaking:
                peer.associate()
        eventually(lambda: len(receiver.children()) == 3, what="three processes")
        rejected = rejection_of(receiver.port)
        assert (rejected.result, rejected.source, rejected.reason) == LOCAL_LIMIT_EXCEEDED
        assert len(receiver.children()) == 3
        event = receiver.event("association.refused")
        assert event["details"]["calling_aet"] == "LATECOMER"
        assert event["details"]["called_aet"] == "MERCURE"
        assert "too many associations" in event["details"]["reason"]
        peers[0].socket.close()
        eventually(lambda: len(receiver.children()) == 2, what="one process less")
        with Peer(receiver.port) as peer:
            peer.associate()
            peer.release()


def test_the_place_of_an_association_that_has_just_ended_is_free(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=1)
    with Peer(receiver.port) as first:
        first.associate()
        os.kill(receiver.program.pid, signal.SIGSTOP)  # so that the end and the next caller are there in one moment
        first.release()
        eventually(lambda: not receiver.children(), what="its process has ended")
    with Peer(receiver.port) as second:
        os.kill(receiver.program.pid, signal.SIGCONT)
        second.associate()
        second.release()


def test_one_sender_does_not_take_all_places(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=10, max_associations_per_sender=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(Peer(receiver.port, source="127.0.0.2")).associate()
        rejected = rejection_of(receiver.port, source="127.0.0.2")
        assert (rejected.result, rejected.source, rejected.reason) == LOCAL_LIMIT_EXCEEDED
        with Peer(receiver.port, source="127.0.0.3") as other:
            other.associate()
            other.release()
    assert receiver.event("association.refused")["details"]["address"] == "127.0.0.2"


def is_let_in(port: int) -> bool:
    """Tell whether an association is accepted now."""
    with Peer(port) as peer, suppress(Rejected, Closed):
        peer.associate()
        peer.release()
        return True
    return False


def test_a_flood_of_callers_costs_neither_processes_nor_events_without_end(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=1)
    with ExitStack() as stack, Peer(receiver.port) as first:
        first.associate()
        callers = [stack.enter_context(Peer(receiver.port)) for _ in range(300)]
        for caller in callers:
            with suppress(Closed):
                caller.send(associate_rq())
        for caller in callers:
            caller.until_closed()
        assert len(receiver.children()) == 1
        first.send(message(1, echo_command()))
        assert first.response().status == 0
    receiver.until_idle()
    # Some have an event each in a period of two seconds; the rest is counted.
    assert 1 <= len(receiver.events("association.refused")) <= 150
    eventually(lambda: is_let_in(receiver.port), what="a caller is let in again")


# --- size -------------------------------------------------------------------------------------------------------


def test_an_object_that_is_too_large_is_refused_and_the_next_one_taken(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_object_bytes=50_000)
    large, good = uid(), uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        response = peer.store(ct_image(large, uid(), pixels=bytes(60_000)), large)
        assert response.status == 0xA700
        assert response.comment == "Too large: more than 50000 bytes"
        assert peer.store(ct_image(good, uid()), good).status == 0
        peer.release()
    assert [image.stem for image in receiver.images()] == [good]
    event = receiver.event("image.refused")
    assert (event["details"]["status"], event["details"]["sop"]) == ("0xA700", large)
    receiver.until_idle()


def test_a_refused_object_without_end_ends_the_association(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_object_bytes=50_000)
    with Peer(receiver.port) as peer:
        peer.associate()
        with pytest.raises(Closed):
            send_a_data_set_without_end(peer)
    assert receiver.event("association.closed")["details"]["how"] == "aborted"


def test_a_pdu_longer_than_agreed_ends_the_association(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_pdu=16_384)
    with Peer(receiver.port) as peer:
        assert peer.associate().max_pdu == 16_384
        peer.send(message(1, store_command("1.2.3")) + b"\4\0\x7f\xff\xff\xff" + bytes(1000))
        assert ending_of(peer)[:1] == b"\7"
    assert receiver.event("association.closed")["details"]["how"] == "aborted"


@pytest.mark.parametrize("max_pdu", [1, 16, 128, 0])
def test_answers_fit_what_the_peer_takes(start_receiver: StartReceiver, max_pdu: int) -> None:
    receiver = start_receiver()
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((STORE_CT,), max_pdu=max_pdu))
        assert peer.store(ct_image(sop, uid()), sop).sop_instance == sop
        peer.release()
