"""Targets that answer in odd ways: what leaves a doubt about the image, or comes too early, confirms nothing."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.support.odd_target import OddTarget
from tests.support.raw_target import ACCEPT, TRANSFER_SYNTAX, USER_INFORMATION, Peer, item, pdu, raw_target
from tests.support.series import synthetic_series
from tests.support.storescu import send

LIMITS = ("--dimse-timeout", "5", "--acse-timeout", "5")
WATCH = (*LIMITS, "--answer-watch", "5")

TAKEN = [
    "plain",
    "no uids",
    "uids of length 0",
    "other class",
    "instance padded with a blank",
    "no group length",
    "status of 4 bytes",
    "says a data set follows, none does",
    "data set in the answer",
]
REFUSED = {
    "other message id": "answered another message than the one sent",
    "no message id": "does not say which message it answers",
    "other instance": "names another instance than the one sent",
    "instance with one more part": "names another instance than the one sent",
    "no status": "an answer that is none to a C-STORE",
    "status of 1 byte": "an answer that is none to a C-STORE",
    "status of 4 bytes, big": "an answer that is none to a C-STORE",
    "command field of a request": "an answer that is none to a C-STORE",
    "early": "answered before it had the whole image",
    "early warning": "answered before it had the whole image",
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return synthetic_series(tmp_path, 3, 100, 100)


@pytest.mark.parametrize("kind", TAKEN)
def test_what_leaves_no_doubt_is_taken(kind: str, files: list[Path]) -> None:
    target = OddTarget(kind)
    with raw_target(target.serve) as server:
        sent = send(server.port, files, *LIMITS)
        assert len(server.connections) == 1
    assert sent.outcomes == {"confirmed": 3}
    assert (sent.code, sent.error) == (0, None)
    assert len(target.taken) == 3


@pytest.mark.parametrize(("kind", "why"), REFUSED.items(), ids=list(REFUSED))
def test_what_leaves_a_doubt_confirms_nothing(kind: str, why: str, files: list[Path]) -> None:
    target = OddTarget(kind)
    with raw_target(target.serve) as server:
        sent = send(server.port, files, *(WATCH if kind.startswith("early") else LIMITS))
    assert sent.outcomes["confirmed"] == sent.outcomes["warning"] == 0
    assert sent.error is not None
    assert (sent.error["kind"], sent.code) == ("violation", 66)
    assert why in sent.error["text"]
    if kind.startswith("early"):
        assert target.taken == [], "what was answered too early does not even go to its end"


def test_an_answer_that_comes_twice_is_no_answer_to_the_next_image(files: list[Path]) -> None:
    target = OddTarget("twice")
    with raw_target(target.serve) as server:
        sent = send(server.port, files, *LIMITS)
    assert sent.outcomes == {"confirmed": 3}
    assert set(target.taken) == {result["sop"] for result in sent.results}, "each was taken, and not only answered"


def test_a_refusal_may_come_early(files: list[Path]) -> None:
    """A full archive need not wait for the end of what it cannot keep."""
    with raw_target(OddTarget("early refusal").serve) as server:
        sent = send(server.port, files, *WATCH)
    assert {result["status"] for result in sent.results} == {"0xA700"}
    assert (sent.code, sent.error) == (64, None)


def test_an_image_of_one_fragment_is_watched_too(tmp_path: Path) -> None:
    small = synthetic_series(tmp_path, 1, 8, 8)
    with raw_target(OddTarget("early").serve) as server:
        sent = send(server.port, small, *WATCH)
    assert sent.outcomes["confirmed"] == 0


def accept_with(peer: Peer, number: int | None, syntax: bytes) -> None:
    """Accept a presentation context (None: that of the request) in some transfer syntax."""
    request = peer.read_request()
    contexts = [number] if number is not None else list(request.contexts)
    answers = b"".join(item(0x21, bytes([one, 0, 0, 0]) + item(TRANSFER_SYNTAX, syntax)) for one in contexts)
    user = item(USER_INFORMATION, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    names = request.called.ljust(16).encode() + request.calling.ljust(16).encode()
    application = item(0x10, b"1.2.840.10008.3.1.1.1")
    peer.write(pdu(ACCEPT, struct.pack(">HH", 1, 0) + names + bytes(32) + application + answers + user))


@pytest.mark.parametrize(
    ("number", "syntax"), [(None, b"1.2.840.10008.1.2.4.50"), (77, b"1.2.840.10008.1.2.1"), (None, b"")], ids=str
)
def test_an_acceptance_of_what_was_not_proposed_is_a_refusal(number: int, syntax: bytes, files: list[Path]) -> None:
    got: list[object] = []

    def serve(peer: Peer) -> None:
        accept_with(peer, number, syntax)
        got.append(peer.read_image())

    with raw_target(serve) as server:
        sent = send(server.port, files, *LIMITS)
    assert sent.outcomes["confirmed"] == 0
    assert set(got) <= {None}, "no image is sent in another transfer syntax than its own"
    assert sent.code in {63, 64}
