"""Targets that hang, lie, abort and go away: each wait ends, each image has a true result, and the rest is sent."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.raw_target import ABORT, DATA, RELEASE_REQUEST, Peer, pdu, raw_target
from tests.support.series import synthetic_series
from tests.support.storescu import Sent, send

SHORT = ("--acse-timeout", "0.5", "--dimse-timeout", "0.5")
# What a time limit of half a second may really take on a busy machine.
SOON = 10.0


def aborted(peer: Peer) -> None:
    peer.write(pdu(ABORT, bytes([0, 0, 0, 0])))


def error_of(sent: Sent) -> tuple[str, str]:
    assert sent.error is not None, sent.results
    return sent.error["kind"], sent.error["text"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return synthetic_series(tmp_path, 6, 8, 8)


def test_only_what_is_needed_is_asked_for(files: list[Path]) -> None:
    asked = []

    def serve(peer: Peer) -> None:
        asked.append(peer.accept())
        number = 0
        while (image := peer.read_image()) is not None:
            number += 1
            peer.answer(image[0], number, 0x0000)

    with raw_target(serve) as target:
        assert send(target.port, files, "--max-pdu", "65536").code == 0
    (request,) = asked
    # What the files are in and what PS3.5 section 10.1 asks for, each in a context of its own.
    syntaxes = (["1.2.840.10008.1.2.1"], ["1.2.840.10008.1.2"])
    assert list(request.contexts.values()) == [("1.2.840.10008.5.1.4.1.1.2", syntax) for syntax in syntaxes]
    # Maximum length, implementation class and version name; above all no asynchronous operations window (0x53).
    assert set(request.user_information) == {0x51, 0x52, 0x55}
    assert request.user_information[0x51] == struct.pack(">I", 65536)


@pytest.mark.parametrize("max_pdu", [128, 4096, 16384, 131072, 0], ids=str)
def test_data_sets_are_cut_as_the_target_wants_them(max_pdu: int, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 200, 200)
    received = []

    def serve(peer: Peer) -> None:
        peer.accept(max_pdu=max_pdu)
        while (got := peer.read_image()) is not None:
            received.append(got[1])
            peer.answer(got[0], 1, 0x0000)

    with raw_target(serve) as target:
        assert send(target.port, [image]).code == 0
    assert image.read_bytes().endswith(received[0])
    assert len(received[0]) > 80_000


@pytest.mark.parametrize(
    "speaks", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(1000)], ids=["nothing", "http", "zeros"]
)
def test_a_target_that_does_not_negotiate(speaks: bytes, files: list[Path]) -> None:
    closed = threading.Event()

    def serve(peer: Peer) -> None:
        if speaks:
            peer.write(speaks)
        try:
            while peer.read(4096):
                pass
        finally:  # by a reset, if it left something unread
            closed.set()

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files, *SHORT)
        assert time.monotonic() - start < SOON
        assert closed.wait(10)
    assert sent.outcomes == {"not-sent": 6}
    kind, text = error_of(sent)
    if speaks:
        assert (kind, sent.code) == ("aborted", 63)
    else:
        assert (kind, sent.code) == ("timeout", 62)
        assert text == "the target did not answer the association request within 0.5 s"


def test_a_target_that_answers_one_byte_at_a_time(files: list[Path]) -> None:
    # Each byte would begin DCMTK's own time limit anew.
    stop = threading.Event()

    def serve(peer: Peer) -> None:
        peer.read_request()
        for byte in pdu(2, bytes(200)):
            peer.write(bytes([byte]))
            if stop.wait(0.1):
                return

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files, *SHORT)
        assert time.monotonic() - start < SOON
        stop.set()
    assert sent.code == 62


def test_a_target_that_never_answers_an_image(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        while peer.read(4096):
            pass

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files, *SHORT)
        assert time.monotonic() - start < SOON
        assert len(target.connections) == 1, "a target that hangs is not asked again"
    assert sent.code == 62
    assert error_of(sent) == ("timeout", "nothing happened for 0.5 s before the target answered")
    assert sent.outcomes == {"failed": 1, "not-sent": 5}
    assert sent.results[0]["status"] is None


def test_a_target_that_stops_reading(tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 4000, 4000)  # 32 MB, more than any socket holds
    done = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        done.wait(30)

    with raw_target(serve) as target:
        sent = send(target.port, [image], *SHORT)
        done.set()
    assert sent.code == 62
    assert error_of(sent) == ("timeout", "nothing happened for 0.5 s while it was sent")


def test_a_slow_target_that_goes_on_reading_is_waited_for(tmp_path: Path) -> None:
    # 20 MB in pieces with pauses take longer than the limit for an answer, which counts from the last progress.
    (image,) = synthetic_series(tmp_path, 1, 3200, 3200)
    pause = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        for _ in range(10):
            peer.read(1 << 20)
            pause.wait(0.15)
        while peer.read(1 << 20):
            pass

    with raw_target(serve) as target:
        sent = send(target.port, [image], "--dimse-timeout", "1", "--acse-timeout", "1")
    assert error_of(sent)[1] == "nothing happened for 1 s before the target answered"


def test_everything_has_a_limit(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        while peer.read(4096):
            pass

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files, "--total-timeout", "0.5")
        assert time.monotonic() - start < SOON
    assert sent.code == 62
    assert "limit of 0.5 s for everything" in error_of(sent)[1]


def test_an_image_that_makes_the_target_abort_does_not_hold_up_the_others(files: list[Path]) -> None:
    poison = files[2].read_bytes()[-4096:]

    def serve(peer: Peer) -> None:
        peer.accept()
        number = 0
        while (image := peer.read_image()) is not None:
            number += 1
            if image[1].endswith(poison):
                return aborted(peer)
            peer.answer(image[0], number, 0x0000)
        return None

    # The images differ in their first pixels; make the third one differ at its end.
    files[2].write_bytes(files[2].read_bytes() + b"\0\0\0\0")
    poison = b"\0\0\0\0"
    with raw_target(serve) as target:
        sent = send(target.port, files, *SHORT, "--order-kept")
        assert len(target.connections) == 3, "once more for the image, and once for the others"
    assert [result["outcome"] for result in sent.results] == ["confirmed"] * 2 + ["failed"] + ["confirmed"] * 3
    assert sent.by_name()[files[2].name]["comment"] == "the target aborted the association before the target answered"
    assert sent.error is None
    assert sent.code == 64


def test_a_target_that_closes_after_each_image_gets_them_all(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        image = peer.read_image()
        assert image is not None
        peer.answer(image[0], 1, 0x0000)

    with raw_target(serve) as target:
        sent = send(target.port, files, *SHORT)
    assert sent.outcomes == {"confirmed": 6}
    assert sent.code == 0


def test_a_target_that_always_aborts_is_given_up(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        peer.read_image()
        aborted(peer)

    with raw_target(serve) as target:
        sent = send(target.port, files, *SHORT)
        assert len(target.connections) == 3
    assert sent.code == 63
    assert error_of(sent) == ("aborted", "the target aborted the association before the target answered")
    assert sent.outcomes["confirmed"] == 0
    assert sent.outcomes["failed"] == 1
    assert sent.outcomes["not-sent"] == 5


def test_a_target_that_vanishes_in_the_middle(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        peer.read(10)

    with raw_target(serve) as target:
        sent = send(target.port, files, *SHORT)
    assert sent.code == 63
    assert error_of(sent)[0] == "aborted"


STATUS = 0x0900
WRONG_ANSWERS: dict[str, Callable[[Peer, int], None]] = {
    "to another message": lambda peer, context: peer.answer(context, 77, 0x0000),
    "to an echo": lambda peer, context: peer.answer(context, 1, 0x0000, field=0x8030),
    "empty": lambda peer, context: peer.write_command(context, b""),
    "torn": lambda peer, context: peer.write_command(context, bytes(7)),
    "huge element": lambda peer, context: peer.write_command(
        context, struct.pack("<HHI", 0, STATUS, 0xFFFFFFFE) + bytes(2)
    ),
    "without status": lambda peer, context: peer.write_command(context, struct.pack("<HHI", 0, STATUS, 0) * 3),
    "huge fragment": lambda peer, _: peer.write(pdu(DATA, struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + bytes(100))),
    "huge PDU": lambda peer, _: peer.write(struct.pack(">BBI", DATA, 0, 0xFFFFFFF0) + bytes(100)),
    "a data set": lambda peer, _: peer.write(pdu(DATA, struct.pack(">IBB", 3, 1, 0) + b"x")),
    "unknown PDU": lambda peer, _: peer.write(pdu(99, bytes(100))),
    "a release": lambda peer, _: peer.write(pdu(RELEASE_REQUEST, bytes(4))),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_an_answer_that_is_none_confirms_nothing(answer: Callable[[Peer, int], None], files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        image = peer.read_image()
        if image is not None:
            answer(peer, image[0])
            peer.read(1000)

    with raw_target(serve) as target:
        sent = send(target.port, files[:1], *SHORT)
    assert sent.code in {62, 63, 66}
    assert sent.outcomes == {"failed": 1}
    assert error_of(sent)[0] in {"aborted", "timeout", "violation"}


def test_a_comment_that_is_no_text_is_made_one(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        image = peer.read_image()
        assert image is not None
        peer.answer(image[0], 1, 0xA700, comment=b"full \x1b[2J\xff")
        peer.read_image()

    with raw_target(serve) as target:
        sent = send(target.port, files[:1])
    assert sent.results[0]["status"] == "0xA700"
    assert sent.results[0]["comment"] == "full \x1b[2J\ufffd"


def test_a_target_that_does_not_answer_the_release_changes_no_result(files: list[Path]) -> None:
    def serve(peer: Peer) -> None:
        peer.accept()
        for number in range(1, len(files) + 1):
            image = peer.read_image()
            assert image is not None
            peer.answer(image[0], number, 0x0000)
        while peer.read(4096):
            pass

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files, *SHORT)
        assert time.monotonic() - start < SOON
    assert sent.code == 0
    assert sent.error is None
    assert sent.outcomes == {"confirmed": 6}


def asks_for_release_again_and_again(peer: Peer) -> None:
    while True:
        peer.write(pdu(RELEASE_REQUEST, bytes(4)))


ENDS: dict[str, Callable[[Peer], object]] = {
    "silence": lambda _: None,
    "a release": lambda peer: peer.write(pdu(RELEASE_REQUEST, bytes(4))),
    "releases": asks_for_release_again_and_again,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_limit_of_the_release_is_its_own(end: Callable[[Peer], object], files: list[Path]) -> None:
    """That of messages, which may be long, does not count any more."""

    def serve(peer: Peer) -> None:
        peer.accept()
        image = peer.read_image()
        assert image is not None
        peer.answer(image[0], 1, 0x0000)
        assert peer.read_pdu()[0] == RELEASE_REQUEST
        end(peer)
        while peer.read(4096):
            pass

    with raw_target(serve) as target:
        start = time.monotonic()
        sent = send(target.port, files[:1], "--acse-timeout", "0.5", "--dimse-timeout", "40")
        assert time.monotonic() - start < SOON
    assert sent.code == 0
    assert sent.outcomes == {"confirmed": 1}


def test_one_association_that_hangs_does_not_stop_the_others(files: list[Path]) -> None:
    first = threading.Lock()

    def serve(peer: Peer) -> None:
        peer.accept()
        hangs = first.acquire(blocking=False)
        number = 0
        while (image := peer.read_image()) is not None:
            number += 1
            if not hangs:
                peer.answer(image[0], number, 0x0000)

    with raw_target(serve) as target:
        sent = send(target.port, files, *SHORT, "--associations", "2")
    assert sent.outcomes == {"confirmed": 5, "failed": 1}
    assert error_of(sent)[0] == "timeout"
