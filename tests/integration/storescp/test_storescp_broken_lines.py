"""The line drops, the sender aborts, the sender talks nonsense: at any byte, nothing half is left."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import (
    ABORT,
    ABORT_BY_USER,
    RELEASE,
    Peer,
    associate_rq,
    message,
    pdu,
    store_command,
    value,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

STEP = 37  # bytes between two cuts: no multiple of anything in the stream


def reset(peer: Peer) -> None:
    """Drop the connection as a pulled cable and a restarted host do: by a reset."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


def assert_nothing_half(receiver: Receiver, whole: bytes) -> None:
    """Check that each image is the whole one, and nothing else is left anywhere."""
    receiver.until_idle()
    for image in receiver.images():
        assert data_set_of(image.read_bytes()) == whole
    assert receiver.quarantined() == []
    assert receiver.parts() == []


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_line_that_drops_at_any_byte_leaves_no_half_image(start_receiver: StartReceiver, ending: str) -> None:
    receiver = start_receiver(max_associations=1000, max_associations_per_sender=1000)
    sop = uid()
    data = ct_image(sop, "1.2.3", pixels=bytes(range(256)) * 8)
    request = associate_rq()
    stream = message(1, store_command(sop), data, fragment=700)
    cuts = [*range(0, len(stream), STEP), len(stream) - 1]
    for cut in cuts:
        with Peer(receiver.port) as peer:
            peer.associate(request)
            peer.send(stream[:cut])
            if ending == "reset":
                reset(peer)
    receiver.event("association.closed", count=len(cuts))
    assert {event["details"]["how"] for event in receiver.events("association.closed")} == {"lost"}
    assert receiver.images() == []
    assert_nothing_half(receiver, data)


def test_a_line_that_drops_before_the_answer_keeps_the_image_once(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop = uid()
    data = ct_image(sop, "1.2.3")
    for _ in range(5):
        with Peer(receiver.port) as peer:
            peer.associate()
            peer.send(message(1, store_command(sop), data))
    receiver.event("association.closed", count=5)
    assert receiver.data_sets() == [data]
    assert_nothing_half(receiver, data)


def test_an_association_request_may_be_cut_anywhere(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=1000, max_associations_per_sender=1000)
    request = associate_rq()
    for cut in range(1, len(request), 5):
        with Peer(receiver.port) as peer:
            peer.send(request[:cut])
    receiver.until_idle()
    refused = eventually(lambda: receiver.events("association.refused"), what="refusals")
    assert all(
        "connection ended" in event["details"]["reason"] or "DUL" in event["details"]["reason"] for event in refused
    )
    assert receiver.events("association.opened") == []


@pytest.mark.parametrize("where", ["at once", "in a command", "in a data set", "after an image"])
def test_an_abort_is_told_as_one(start_receiver: StartReceiver, where: str) -> None:
    receiver = start_receiver()
    sop = uid()
    data = ct_image(sop, "1.2.3")
    command = store_command(sop)
    with Peer(receiver.port) as peer:
        peer.associate()
        if where == "in a command":
            peer.send(pdu(4, value(1, command[:20], command=True, last=False)))
        elif where == "in a data set":
            peer.send(message(1, command) + pdu(4, value(1, data[:100], command=False, last=False)))
        elif where == "after an image":
            assert peer.store(data, sop).status == 0
        peer.send(ABORT_BY_USER)
    assert receiver.event("association.closed")["details"]["how"] == "aborted"
    assert len(receiver.images()) == (1 if where == "after an image" else 0)
    assert_nothing_half(receiver, data)


def test_a_release_in_the_middle_of_a_data_set_stores_nothing(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    data = ct_image("1.2", "1.2.3")
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.send(message(1, store_command("1.2")) + pdu(4, value(1, data[:500], command=False, last=False)) + RELEASE)
        peer.until_closed()
    receiver.event("association.closed")
    assert receiver.images() == []
    assert_nothing_half(receiver, data)


COMMAND = store_command("1.2")
DATA = ct_image("1.2", "1.2.3")


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(pdu(4, b""), id="a PDU without a value"),
        pytest.param(pdu(4, b"\0\0"), id="a torn value"),
        pytest.param(pdu(4, b"\0\0\0\1\1\3"), id="a value without control byte"),
        pytest.param(pdu(4, b"\0\0\xff\xff\1\3abc"), id="a value longer than its PDU"),
        pytest.param(pdu(4, b"\xff\xff\xff\xff\1\3abc"), id="a value of the largest length"),
        pytest.param(pdu(4, value(1, DATA, command=False, last=True)), id="data without a command"),
        pytest.param(pdu(4, value(1, b"\0\0\0", command=True, last=True)), id="a torn command"),
        pytest.param(
            pdu(4, value(1, b"\x08\0\x18\0\2\0\0\0ab", command=True, last=True)), id="an element of another group"
        ),
        pytest.param(pdu(4, value(1, b"", command=True, last=True)), id="an empty command"),
        pytest.param(pdu(4, value(1, bytes(70_000), command=True, last=False)) * 2, id="a command without end"),
        pytest.param(
            pdu(4, value(1, COMMAND[:8], command=True, last=False))
            + pdu(4, value(3, COMMAND[8:], command=True, last=True)),
            id="a command on two contexts",
        ),
        pytest.param(
            message(1, COMMAND) + pdu(4, value(3, DATA, command=False, last=True)), id="data on another context"
        ),
        pytest.param(message(1, COMMAND) * 2, id="a command instead of data"),
        pytest.param(associate_rq(), id="a second association request"),
        pytest.param(pdu(2, bytes(100)), id="an acceptance"),
        pytest.param(pdu(6, bytes(4)), id="a release response"),
        pytest.param(pdu(9, bytes(4)), id="an unknown PDU"),
        pytest.param(pdu(5, bytes(70_000)), id="a release of 70 kB"),
        pytest.param(bytes(200), id="zeros"),
        pytest.param(b"\xff" * 200, id="ones"),
    ],
)
def test_what_breaks_the_protocol_ends_the_association_with_an_abort(
    start_receiver: StartReceiver, stream: bytes
) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.send(stream)
        kind, _ = peer.read_pdu()
    assert kind == ABORT
    assert receiver.event("association.closed")["details"]["how"] == "aborted"
    assert receiver.images() == []
    assert_nothing_half(receiver, b"")
    assert receiver.program.is_alive
