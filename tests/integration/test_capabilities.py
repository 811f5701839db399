"""What a node takes is found out by an echo and negotiations: of choosy, busy and broken nodes too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mercure.clock import Clock
from mercure.dicom import capabilities
from mercure.dicom.association import AssociationFailure, DicomNode
from mercure.dicom.capabilities import Capabilities, CapabilityQuery, probe, storage_classes, transfer_syntaxes
from tests.support.counting_node import Seen, node
from tests.support.fixtures import MakeStoreScp
from tests.support.orthanc import orthanc
from tests.support.raw_target import ABORT, RELEASE_REQUEST, RELEASE_RESPONSE, Peer, pdu, raw_target

CT, MR, SC = (f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "7"))
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_LOSSLESS, JPEG_2000, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
MPEG4 = "1.2.840.10008.1.2.4.102"

FreePort = Callable[[], int]


def ask(
    port: int,
    *,
    classes: Sequence[str] = (CT, MR, SC),
    syntaxes: Sequence[str] = (IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_LOSSLESS, JPEG_2000, RLE, MPEG4),
    at_once: int = 0,
    timeout: float = 10.0,
) -> Capabilities | AssociationFailure:
    peer = DicomNode("127.0.0.1", port, "NODE", "MERCURE", timeout)
    question = CapabilityQuery(
        peer,
        f"dicom:127.0.0.1:{port}:NODE",
        classes,
        syntaxes,
        at_once,
        pause_seconds=0,
        again_seconds=(0.05, 0.1, 0.5),
    )
    return probe(question, lambda done, total: None, Clock())


def known(port: int, **settings: Any) -> Capabilities:
    found = ask(port, **settings)
    assert isinstance(found, Capabilities), found
    assert found.unfinished == ""
    return found


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_2000, MPEG4])
def test_a_node_that_takes_one_syntax_is_known_by_it_and_gets_no_image(syntax: str, free_port: FreePort) -> None:
    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [syntax], SC: [syntax]}) as seen:
        found = known(seen.port)
    assert found.classes == {CT: (syntax,), SC: (syntax,)}
    assert found.echo == "answered"
    assert seen.messages == ["C_ECHO_RQ"], "an echo, and no image"
    assert seen.most_open == 1
    assert seen.open == 0
    assert found.requests == seen.requests


def test_each_class_has_its_own_syntaxes(free_port: FreePort) -> None:
    takes = {CT: (IMPLICIT, EXPLICIT), MR: (JPEG_LOSSLESS,), SC: (EXPLICIT, JPEG_2000, RLE)}
    with node(free_port(), {VERIFICATION: [IMPLICIT], **takes}) as seen:
        assert known(seen.port).classes == takes


def test_a_node_without_the_echo_is_asked_all_the_same(free_port: FreePort) -> None:
    with node(free_port(), {CT: [EXPLICIT]}) as seen:
        found = known(seen.port)
    assert (found.echo, found.classes) == ("unsupported", {CT: (EXPLICIT,)})
    assert seen.messages == []


@pytest.mark.parametrize(
    ("option", "syntaxes"),
    [
        ("+xi", (IMPLICIT,)),
        ("+xe", (IMPLICIT, EXPLICIT, BIG_ENDIAN)),
        ("+xs", (IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_LOSSLESS)),
        ("+xr", (IMPLICIT, EXPLICIT, BIG_ENDIAN, RLE)),
        ("+xa", (IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_LOSSLESS, JPEG_2000, RLE, MPEG4)),
    ],
)
def test_stock_storescp_says_what_its_options_say(
    option: str, syntaxes: tuple[str, ...], storescp: MakeStoreScp
) -> None:
    scp = storescp(option, "--max-pdu", "28672")
    found = known(scp.port, at_once=0)
    assert found.classes == dict.fromkeys((CT, MR, SC), syntaxes)
    assert (found.max_pdu, found.implementation_version[:11]) == (28672, "OFFIS_DCMTK")
    assert found.seconds <= found.slowest_seconds < 10
    assert scp.files() == []


def test_orthanc_says_what_it_is_set_to(tmp_path: Path) -> None:
    with orthanc(tmp_path, {"AcceptedTransferSyntaxes": [EXPLICIT, JPEG_LOSSLESS]}) as server:
        found = known(server.port, at_once=2)
        assert server.images() == {}
    assert found.classes == dict.fromkeys((CT, MR, SC), (EXPLICIT, JPEG_LOSSLESS))
    assert found.at_once is not None
    assert found.at_once.accepted == 2


def test_a_node_that_accepts_everything_is_asked_for_everything_one_association_after_the_other() -> None:
    lock, now_open, most_open, requests = threading.Lock(), 0, 0, 0

    def accept(peer: Peer) -> None:
        nonlocal now_open, most_open, requests
        with peer.connection:
            first = peer.connection.recv(1, 2)  # MSG_PEEK: the first connection only looks whether somebody listens
            if not first:
                return
            peer.accept(max_pdu=0)
            with lock:
                now_open, requests = now_open + 1, requests + 1
                most_open = max(most_open, now_open)
            kind, body = peer.read_pdu()
            while kind not in (0, RELEASE_REQUEST, ABORT):
                peer.answer(body[4], 1, 0, field=0x8030)
                kind, body = peer.read_pdu()
            with lock:
                now_open -= 1
            peer.write(pdu(RELEASE_RESPONSE, bytes(4)))

    with raw_target(accept) as target:
        found = known(target.port, classes=storage_classes()[:30], syntaxes=transfer_syntaxes())
    assert found.classes == dict.fromkeys(storage_classes()[:30], transfer_syntaxes())
    assert found.max_pdu == 0
    assert (most_open, now_open) == (1, 0)
    assert requests == found.requests == 1 + 1 + -(-30 * (len(transfer_syntaxes()) - 2) // 127)


def test_what_is_accepted_in_a_syntax_that_was_not_proposed_is_not_accepted() -> None:
    def accept(peer: Peer) -> None:
        peer.accept(syntax=IMPLICIT)
        kind, body = peer.read_pdu()
        while kind not in (0, RELEASE_REQUEST, ABORT):
            peer.answer(body[4], 1, 0, field=0x8030)
            kind, body = peer.read_pdu()
        peer.write(pdu(RELEASE_RESPONSE, bytes(4)))

    with raw_target(accept) as target:
        assert known(target.port).classes == dict.fromkeys((CT, MR, SC), (IMPLICIT,))


def test_nothing_more_is_asked_of_a_class_that_the_node_does_not_know(free_port: FreePort) -> None:
    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [EXPLICIT]}) as seen:
        found = known(seen.port, classes=storage_classes(), syntaxes=transfer_syntaxes())
    assert found.classes == {CT: (EXPLICIT,)}
    assert len(found.asked_classes) > 190
    assert seen.requests == 1 + -(-2 * len(storage_classes()) // 127) + 1


def test_how_many_associations_it_has_is_asked_only_where_that_is_wanted(free_port: FreePort) -> None:
    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [EXPLICIT]}, maximum_associations=2) as seen:
        assert known(seen.port).at_once is None
        assert seen.most_open == 1
        at_once = known(seen.port, at_once=4).at_once
    assert at_once is not None
    assert (at_once.asked, at_once.accepted) == (4, 2)
    assert "as many associations as it allows" in at_once.text
    assert (seen.most_open, seen.open) == (2, 0)


def test_no_more_are_opened_than_were_asked_for(free_port: FreePort) -> None:
    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [EXPLICIT]}) as seen:
        at_once = known(seen.port, at_once=3).at_once
    assert at_once is not None
    assert (at_once.accepted, at_once.text) == (3, "")
    assert (seen.most_open, seen.open) == (3, 0)


def test_a_node_with_one_association_that_lets_the_next_one_wait(
    storescp: MakeStoreScp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "_AT_ONCE_SECONDS", 1.0)
    at_once = known(storescp().port, classes=(CT,), at_once=4).at_once
    assert at_once is not None
    assert at_once.accepted == 1
    assert "did not answer" in at_once.text


def test_a_node_that_is_busy_for_a_moment_is_asked_again(free_port: FreePort) -> None:
    asked = 0

    def refuse(seen: Seen, event: Any) -> None:
        nonlocal asked
        asked += 1
        if asked in (2, 3):
            event.assoc.acse.send_reject(2, 3, 2)
            event.assoc.kill()

    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [EXPLICIT]}, refuse=refuse) as seen:
        assert known(seen.port).classes == {CT: (EXPLICIT,)}


def test_a_node_that_stays_busy_is_known_as_far_as_it_answered(free_port: FreePort) -> None:
    def refuse(seen: Seen, event: Any) -> None:
        if seen.requests:
            event.assoc.acse.send_reject(2, 3, 1)
            event.assoc.kill()

    with node(free_port(), {VERIFICATION: [IMPLICIT], CT: [EXPLICIT]}, refuse=refuse) as seen:
        found = ask(seen.port)
    assert isinstance(found, Capabilities)
    assert found.classes == {}
    assert "is too busy" in found.unfinished


def test_a_node_that_stands_no_long_request_gets_shorter_ones(free_port: FreePort) -> None:
    def refuse(seen: Seen, event: Any) -> None:
        if len(event.assoc.requestor.requested_contexts) > 50:
            event.assoc.abort()

    takes = dict.fromkeys(storage_classes()[:40], (EXPLICIT,))
    with node(free_port(), {VERIFICATION: [IMPLICIT], **takes}, refuse=refuse) as seen:
        assert known(seen.port, classes=storage_classes()[:40], syntaxes=(IMPLICIT, EXPLICIT)).classes == takes


def test_a_node_that_refuses_is_named_with_what_to_do(storescp: MakeStoreScp) -> None:
    found = ask(storescp("--refuse").port)
    assert isinstance(found, AssociationFailure)
    assert (found.kind, bool(found.advice)) == ("rejected", True)


def test_a_node_that_never_answers_ends_it_after_the_time_limit() -> None:
    with raw_target(lambda peer: peer.read(1_000_000)) as target:
        found = ask(target.port, timeout=0.3)
    assert isinstance(found, AssociationFailure)
    assert found.kind == "timeout"


def test_nothing_on_the_port(free_port: FreePort) -> None:
    found = ask(free_port())
    assert isinstance(found, AssociationFailure)
    assert found.kind == "unreachable"


def test_classes_and_syntaxes_are_those_of_the_standard() -> None:
    assert {CT, MR, SC, "1.2.840.10008.5.1.4.1.1.5"} <= set(storage_classes()), "one that is retired among them"
    assert not {VERIFICATION, "1.2.840.10008.1.3.10", "1.2.840.10008.1.20.1"} & set(storage_classes())
    assert {IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG_2000, RLE, MPEG4} <= set(transfer_syntaxes())
    assert not {"1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.7.1", "1.2.840.10008.1.2.4.52"} & set(transfer_syntaxes())
