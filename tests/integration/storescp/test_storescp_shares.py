"""Places are shared fairly, and what something costs does not grow with what came before."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    VERIFICATION,
    Context,
    Peer,
    PeerError,
    Rejected,
    associate_rq,
    echo_command,
    message,
    store_command,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

ECHO = associate_rq((Context(1, VERIFICATION),), calling=b"EVIL")


def hold(receiver: Receiver, stack: ExitStack, source: str, count: int) -> list[Peer]:
    """Open associations from an address and keep them."""
    peers = [stack.enter_context(Peer(receiver.port, source=source)) for _ in range(count)]
    for peer in peers:
        peer.associate(ECHO)
    return peers


def scan(receiver: Receiver, source: str) -> None:
    """Send one image in an association of its own."""
    with Peer(receiver.port, source=source) as peer:
        peer.associate(associate_rq(calling=b"CT1"))
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        peer.release()


def gone(receiver: Receiver) -> list[str]:
    """Return from where the associations came that had to give way."""
    ended = [event["details"] for event in receiver.events("association.closed")]
    return [one["address"] for one in ended if one.get("reason") == "its place was needed for another sender"]


def alive(peers: list[Peer]) -> int:
    """Count those that still get an answer."""
    count = 0
    for peer in peers:
        with suppress(PeerError):
            peer.send(message(1, echo_command()))
            peer.response()
            count += 1
    return count


def test_two_addresses_with_active_associations_keep_no_scanner_out(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=10, max_associations_per_sender=5)
    with ExitStack() as stack:
        held = [*hold(receiver, stack, "127.0.0.2", 5), *hold(receiver, stack, "127.0.0.3", 5)]
        for _ in range(5):
            scan(receiver, "127.0.0.4")
            eventually(lambda: len(receiver.children()) == 9, what="the scanner and the one that gave way are gone")
        (address,) = gone(receiver)
        assert alive(held) == 9
    assert address in {"127.0.0.2", "127.0.0.3"}
    assert len(gone(receiver)) == 1
    assert receiver.events("association.refused") == []


def test_the_longest_idle_of_the_largest_holder_goes(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=6)
    with ExitStack() as stack:
        (idle,) = hold(receiver, stack, "127.0.0.3", 1)
        many = hold(receiver, stack, "127.0.0.2", 5)
        assert alive([idle, many[0], *many[2:]]) == 5
        scan(receiver, "127.0.0.4")
        eventually(lambda: gone(receiver), what="one has given way")
        assert alive([idle, *many]) == 5
        assert alive([many[1]]) == 0


def test_who_has_as_many_as_the_others_makes_nobody_go(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=4, max_associations_per_sender=3)
    with ExitStack() as stack:
        held = [*hold(receiver, stack, "127.0.0.2", 2), *hold(receiver, stack, "127.0.0.3", 2)]
        with Peer(receiver.port, source="127.0.0.2") as peer, pytest.raises(Rejected):
            peer.associate(ECHO)
        assert alive(held) == 4
        told = receiver.event("association.refused")["details"]
        assert told["held"] == {"127.0.0.2": 2, "127.0.0.3": 2}
        assert told["reason"] == "too many associations at once: 4"


def test_a_place_is_kept_for_a_known_sender(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=4, senders=[{"addresses": ["127.0.0.9/32"]}])
    with ExitStack() as stack:
        for number in range(2, 5):
            hold(receiver, stack, f"127.0.0.{number}", 1)
        with Peer(receiver.port, source="127.0.0.5") as peer, pytest.raises(Rejected):
            peer.associate(ECHO)
        scan(receiver, "127.0.0.9")


def test_a_sender_that_brought_images_is_known(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=4)
    scan(receiver, "127.0.0.9")
    receiver.event("association.closed")
    receiver.until_idle()
    with ExitStack() as stack:
        for number in range(2, 5):
            hold(receiver, stack, f"127.0.0.{number}", 1)
        with Peer(receiver.port, source="127.0.0.5") as peer, pytest.raises(Rejected):
            peer.associate(ECHO)
        scan(receiver, "127.0.0.9")


def test_an_association_whose_place_is_wanted_may_end_its_image(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations=2)
    with Peer(receiver.port, source="127.0.0.2") as first, Peer(receiver.port, source="127.0.0.2") as second:
        sent = message(1, store_command("1.2.3.4"), ct_image("1.2.3.4", "1.2.3"))
        for peer in (first, second):
            peer.associate()
            peer.send(sent[:-1000])
        scan(receiver, "127.0.0.4")
        for peer in (first, second):
            peer.send(sent[-1000:])
            assert peer.response().status == 0
        eventually(lambda: gone(receiver), what="one has given way")


def test_what_an_image_costs_does_not_grow_with_its_versions(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(durability="none")
    sop = uid()
    spent = []
    stored = 0
    for until in (10, 100, 1000):
        with Peer(receiver.port) as peer:
            peer.associate()
            while stored < until - 10:
                stored += 1
                assert peer.store(ct_image(sop, "1.2.3", patient=f"P{stored}"), sop).status == 0
            begin = time.perf_counter()
            for _ in range(10):
                stored += 1
                assert peer.store(ct_image(sop, "1.2.3", patient=f"P{stored}"), sop).status == 0
            spent.append(time.perf_counter() - begin)
            # A repetition within the association is one, also far behind.
            assert peer.store(ct_image(sop, "1.2.3", patient=f"P{stored}"), sop).status == 0
            peer.release()
    eventually(lambda: len(receiver.images()) == stored, what="all versions")
    assert {path.name for path in receiver.images()} == {
        f"{sop}.dcm" if number == 1 else f"{sop}~{number}.dcm" for number in range(1, stored + 1)
    }
    # 10 of 1,000 and 10 of 10 take the same but for what the machine does besides.
    assert spent[2] < 10 * spent[0] + 0.5


def test_what_a_connection_of_garbage_costs_does_not_grow(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sizes = []
    for count in (5, 45, 450):
        for _ in range(count):
            with Peer(receiver.port) as peer:
                peer.send(b"GET / HTTP/1.0\r\n\r\n")
                peer.until_closed()
        receiver.until_idle()
        sizes.append(sum(path.stat().st_size for path in (receiver.spool / "outbox").iterdir()))
    assert sizes[2] - sizes[0] < 2000
