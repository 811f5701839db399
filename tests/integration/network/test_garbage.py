"""What a port scan and lost programs send: each is thrown out, nothing dies of it, and a scanner notices nothing."""

from __future__ import annotations

import random
import socket
import struct
from typing import TYPE_CHECKING

from tests.support.account import ct_series
from tests.support.dicom_peer import ABORT_BY_USER, RELEASE, Closed, Peer, associate_rq, echo_command, message, pdu

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

TLS_HELLO = bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000004130113020100")
PROBES = {
    "http": b"GET / HTTP/1.1\r\nHost: router\r\n\r\n",
    "http of another port": b"CONNECT 10.0.0.1:25 HTTP/1.0\r\n\r\n",
    "tls": TLS_HELLO,
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "smb": bytes.fromhex("00000054ff534d4272000000001801280000000000000000"),
    "rdp": bytes.fromhex("0300002a25e00000000000436f6f6b69653a206d737473686173683d"),
    "sip": b"OPTIONS sip:nm SIP/2.0\r\n\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "hl7": b"\x0bMSH|^~\\&|SENDER||ROUTER||||ADT^A01|1|P|2.3\r\x1c\r",
    "dns": bytes.fromhex("001e0006010000010000000000000776657273696f6e0462696e640000100003"),
    "new lines": b"\r\n\r\n",
    "nothing": b"",
    "release first": RELEASE,
    "abort first": ABORT_BY_USER,
    "data first": message(1, echo_command()),
    "accept": pdu(2, bytes(68)),
    "reject": pdu(3, bytes(4)),
    "unknown pdu": pdu(9, b"?"),
    "four gigabytes announced": struct.pack(">BxI", 1, 0xFFFFFFFF) + b"\0\1",
    "a request of nothing": pdu(1, b""),
    "a request cut in an item": associate_rq()[:-3],
    "items longer than the request": pdu(1, associate_rq()[6:74] + struct.pack(">BxH", 0x10, 0xFFFF)),
    "a request and garbage": associate_rq() + b"\xff" * 100,
    "two requests": associate_rq() * 2,
}


def visit(receiver: Receiver, data: bytes) -> None:
    """Send and say no more, and wait until the receiver has closed the connection."""
    with Peer(receiver.port, source="127.0.0.66", timeout=10) as peer:
        try:
            peer.send(data)
            peer.socket.shutdown(socket.SHUT_WR)
        except (Closed, OSError):
            return
        peer.until_closed()


def nothing_died(receiver: Receiver) -> None:
    """Assert that no process of an association ended by a signal, and that log and events are as they should be."""
    receiver.until_idle()
    assert [line for line in receiver.log() if "crashed" in line["message"] or "killed" in line["message"]] == []
    assert all(event["details"] for event in receiver.events())
    assert receiver.quarantined() == []


def test_lost_programs(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(acse_timeout_seconds=3)
    images = ct_series("1.2.3", len(PROBES))
    for (name, data), image in zip(PROBES.items(), images, strict=True):
        visit(receiver, data)
        with Peer(receiver.port) as peer:
            peer.associate()
            assert peer.store(image.data, image.sop).status == 0, f"after {name}"
            peer.release()
    nothing_died(receiver)
    assert sorted(receiver.data_sets()) == sorted(image.data for image in images)


def test_every_first_byte_beside_a_scanner(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(acse_timeout_seconds=3)
    chance = random.Random(8)
    images = ct_series("1.2.3", 32)
    with Peer(receiver.port, source="127.0.0.9") as scanner:
        scanner.associate()
        for first in range(256):
            for length in (0, 5, 200):
                visit(receiver, bytes([first]) + chance.randbytes(length))
            if first % 8 == 0:
                image = images[first // 8]
                assert scanner.store(image.data, image.sop).status == 0
        scanner.release()
    nothing_died(receiver)
    assert sorted(receiver.data_sets()) == sorted(image.data for image in images)
    (ended,) = receiver.events("association.closed")
    assert (ended["details"]["how"], ended["details"]["images"]) == ("released", 32)
    told = receiver.events("association.refused")
    assert all(event["details"]["address"] == "127.0.0.66" and event["details"]["reason"] for event in told)
