"""Behind a proxy: whoever calls by way of it counts as himself, and nobody else can say that he is another."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

from mercure.dicom.receipt import read_receipt
from tests.support.certificates import make_authority
from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Aborted, Closed, Peer, PeerError, Rejected, associate_rq
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import running
from tests.support.proxy_header import LOCAL, PROXY, TCP4, TCP6, UNIX, UNSPECIFIED, addition, header, proxied
from tests.support.tls_receiver import client_context, tls_port, tls_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.receiver import Receiver, StartReceiver

AT = "127.0.0.2"
"""The address of the proxy."""
SCANNER, OTHER = "192.0.2.9", "192.0.2.10"
LINE = "1.2.3"
HAPROXY = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend dicom
    bind 127.0.0.1:{front}
    default_backend routers
backend routers
    source {at}
    default-server check inter 100ms fall 2 rise 1 send-proxy-v2
    server router1 127.0.0.1:{router}
"""


def by_way(receiver: Receiver, preface: bytes, **settings: Any) -> Peer:
    return Peer(receiver.port, source=AT, preface=preface, **settings)


def store_one(peer: Peer, calling: bytes = b"CT1") -> None:
    peer.associate(associate_rq(calling=calling))
    assert peer.store(ct_image(sop := uid(), LINE), sop).status == 0
    peer.release()


def senders(receiver: Receiver) -> list[str]:
    return [str(line["SenderAddress"]) for line in receiver.tag_lines()]


def reasons(receiver: Receiver) -> dict[str, str]:
    return {event["details"]["reason"]: event["details"]["address"] for event in receiver.events("association.refused")}


def refused(receiver: Receiver, words: str, address: str = AT) -> None:
    """Wait until a refusal with these words is told of an address."""
    eventually(
        lambda: [one for reason, one in reasons(receiver).items() if words in reason] == [address],
        what=f"a refusal of {address} that says: {words}",
    )


@pytest.mark.parametrize(
    ("preface", "known_as"),
    [
        (proxied(SCANNER), SCANNER),
        (proxied(SCANNER, addition(0x03, b"\0\0\0\0") + addition(0x02, b"router.example")), SCANNER),
        (proxied("2001:db8::7"), "2001:db8::7"),
        (proxied(f"::ffff:{SCANNER}"), SCANNER),
        (header(LOCAL, UNSPECIFIED), AT),
        (header(LOCAL, TCP4, b"\xc0\0\2\1\xc0\0\2\1\0\1\0\1"), AT),
    ],
    ids=["IPv4", "additions", "IPv6", "IPv4-mapped", "local", "local with an address"],
)
def test_an_image_is_of_the_caller_and_not_of_the_proxy(
    start_receiver: StartReceiver, preface: bytes, known_as: str
) -> None:
    receiver = start_receiver(proxies=[AT])
    with by_way(receiver, preface) as peer:
        store_one(peer)
    assert senders(receiver) == [known_as]
    (image,) = (receiver.spool / "incoming").glob("*/*.dcm")
    receipt = read_receipt(image)
    assert receipt is not None
    assert receipt.members()["SenderAddress"] == known_as
    ended = receiver.event("association.closed")["details"]
    assert ended["address"] == receiver.event("association.opened")["details"]["address"] == known_as
    assert [line["address"] for line in receiver.log() if line["message"] == "an association ended"] == [known_as]


@pytest.mark.parametrize("bind", ["127.0.0.1", "::"])
def test_rules_of_access_see_the_caller(start_receiver: StartReceiver, bind: str) -> None:
    listed = {"name": "ct", "ae_titles": ["CT1"], "addresses": [SCANNER]}
    receiver = start_receiver(access="listed", senders=[listed], proxies=["127.0.0.0/30"], bind=bind)
    with by_way(receiver, proxied(SCANNER)) as peer:
        store_one(peer)
    assert [line["SenderName"] for line in receiver.tag_lines()] == ["ct"]
    with by_way(receiver, proxied(OTHER)) as peer, pytest.raises(Rejected):
        peer.associate(associate_rq(calling=b"CT1"))
    refused(receiver, "not listed with this address", OTHER)


def test_limits_count_for_the_caller(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT], max_associations_per_sender=2)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(by_way(receiver, proxied(SCANNER))).associate()
        third = stack.enter_context(by_way(receiver, proxied(SCANNER)))
        with pytest.raises(Rejected) as caught:
            third.associate()
        assert (caught.value.result, caught.value.reason) == (2, 2)
        with by_way(receiver, proxied(OTHER)) as peer:
            store_one(peer)
    refused(receiver, "too many associations at once from this sender", SCANNER)
    assert receiver.events("association.refused")[0]["details"]["held"] == {SCANNER: 2}


def test_it_comes_before_the_handshake_of_tls(start_receiver: StartReceiver, tmp_path: Path) -> None:
    hospital = make_authority(tmp_path)
    receiver = start_receiver(proxies=[AT], **tls_settings(hospital.sign("router", purpose="server")))
    port = tls_port(receiver)
    with Peer(port, source=AT, preface=proxied(SCANNER), tls=client_context(hospital)) as peer:
        store_one(peer)
    assert senders(receiver) == [SCANNER]
    with pytest.raises((OSError, PeerError)):
        Peer(port, source=AT, tls=client_context(hospital))
    refused(receiver, "no header of the PROXY protocol")
    with Peer(port, tls=client_context(hospital)) as peer:
        store_one(peer)
    assert sorted(senders(receiver)) == ["127.0.0.1", SCANNER]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (associate_rq(), "no header"),
        (b"GET / HTTP/1.1\r\n\r\n", "no header"),
        (b"PROXY TCP4 192.0.2.9 10.0.0.1 50000 11112\r\n", "version 1"),
        (header(0x31, TCP4, bytes(12)), "version 3"),
        (header(0x2F, TCP4, bytes(12)), "command 15"),
        (header(PROXY, UNIX, bytes(216)), "no address of TCP"),
        (header(PROXY, UNSPECIFIED), "no address of TCP"),
        (header(PROXY, 0x12, bytes(12)), "no address of TCP"),
        (header(PROXY, TCP6, bytes(12)), "too short"),
        (header(PROXY, TCP4, bytes(60_000)), "too long"),
    ],
)
def test_what_is_no_header_ends_the_connection(start_receiver: StartReceiver, said: bytes, words: str) -> None:
    receiver = start_receiver(proxies=[AT])
    with by_way(receiver, b"") as peer:
        with contextlib.suppress(Closed):
            peer.send(said + associate_rq())
        assert peer.until_closed() == b""
    refused(receiver, words)
    assert receiver.events("association.opened") == []
    assert receiver.children() == []


def test_a_header_of_anybody_else_is_never_taken_as_one(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT])
    for preface in (proxied(SCANNER), header(LOCAL, UNSPECIFIED), b"PROXY TCP4 192.0.2.9 10.0.0.1 1 2\r\n"):
        with Peer(receiver.port, preface=preface) as peer, pytest.raises((Aborted, Closed)):
            peer.associate()
    refused(receiver, "not a DICOM association request", "127.0.0.1")
    assert not any("PROXY" in reason for reason in reasons(receiver))
    with Peer(receiver.port) as peer:
        store_one(peer)
    assert senders(receiver) == ["127.0.0.1"]


def test_without_proxies_nobody_is_one(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with by_way(receiver, proxied(SCANNER)) as peer, pytest.raises((Aborted, Closed)):
        peer.associate()
    refused(receiver, "not a DICOM association request")


def test_a_second_header_is_none(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT])
    with by_way(receiver, proxied(SCANNER) + proxied(OTHER)) as peer, pytest.raises((Aborted, Closed)):
        peer.associate()
    refused(receiver, "not a DICOM association request", SCANNER)


@pytest.mark.parametrize("preface", [b"", header(LOCAL, UNSPECIFIED)], ids=["plain", "local"])
def test_a_look_that_ends_by_a_reset_is_no_refusal(start_receiver: StartReceiver, preface: bytes) -> None:
    receiver = start_receiver(proxies=[AT] if preface else [])
    for _ in range(5):
        peer = by_way(receiver, preface)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.socket.close()
    looks = "a connection was closed without a word"
    eventually(lambda: sum(line["message"] == looks for line in receiver.log()) >= 3, what="looks at the port")
    receiver.until_idle()
    assert reasons(receiver) == {}


def test_a_torn_header_is_told_and_a_look_at_the_port_is_not(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT])
    by_way(receiver, b"").socket.close()
    with by_way(receiver, header(LOCAL, UNSPECIFIED)) as peer:
        peer.socket.shutdown(socket.SHUT_WR)
        peer.until_closed()
    for size in (1, 15, 20, 27):
        with by_way(receiver, proxied(SCANNER)[:size]) as peer:
            peer.socket.shutdown(socket.SHUT_WR)
            assert peer.until_closed() == b""
    refused(receiver, "ended within the header")
    assert list(reasons(receiver)) == ["the connection ended within the header of the PROXY protocol"]


@pytest.mark.parametrize("speak", [lambda _: None, lambda peer: peer.send(b"\r\n")], ids=["silent", "slow"])
def test_a_header_has_its_time(start_receiver: StartReceiver, speak: Callable[[Peer], None]) -> None:
    receiver = start_receiver(proxies=[AT], acse_timeout_seconds=0.5)
    begun = time.monotonic()
    with by_way(receiver, b"") as peer:
        speak(peer)
        assert peer.until_closed() == b""
    assert time.monotonic() - begun < 5
    refused(receiver, "no header of the PROXY protocol in time")


def test_header_and_request_share_one_time(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT], acse_timeout_seconds=0.5)
    with by_way(receiver, proxied(SCANNER)) as peer:
        assert peer.until_closed()[:1] == b"\x07"
    refused(receiver, "no association request in time", SCANNER)


def test_silent_connections_of_a_proxy_keep_nobody_out(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT], max_associations=4)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(by_way(receiver, b""))
        with by_way(receiver, proxied(SCANNER)) as peer:
            store_one(peer)
        with Peer(receiver.port) as peer:
            store_one(peer)
        assert receiver.children() == []
    refused(receiver, "too many others wait")


def test_a_header_in_single_bytes_is_one(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(proxies=[AT])
    with by_way(receiver, b"") as peer:
        for byte in proxied(SCANNER):
            peer.send(bytes([byte]))
        store_one(peer)
    assert senders(receiver) == [SCANNER]


def test_proxies_count_for_new_connections_without_a_restart(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(revision=1)
    with by_way(receiver, b"") as open_before:
        open_before.associate()
        receiver.configure(proxies=[AT], revision=2)
        receiver.event("config.loaded", count=2)
        with by_way(receiver, proxied(SCANNER)) as peer:
            store_one(peer)
        assert open_before.store(ct_image(sop := uid(), LINE), sop).status == 0
        open_before.release()
    assert sorted(senders(receiver)) == [AT, SCANNER]


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_tells_who_calls_and_looks_whether_we_are_alive(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver, front = start_receiver(proxies=[AT]), free_port()
    settings = tmp_path / "haproxy.cfg"
    settings.write_text(HAPROXY.format(front=front, at=AT, router=receiver.port))
    with running(["haproxy", "-db", "-f", settings], ready=lambda _: is_listening(front)):
        for address in ("127.0.0.5", "127.0.0.6"):
            with Peer(front, source=address) as peer:
                store_one(peer)
        looks = "a connection was closed without a word"
        eventually(lambda: sum(line["message"] == looks for line in receiver.log()) >= 3, what="looks of the proxy")
    assert sorted(senders(receiver)) == ["127.0.0.5", "127.0.0.6"]
    assert reasons(receiver) == {}
