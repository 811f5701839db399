"""A part of the matrix that is run with every change, and the proof that it would find what is wrong."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.interop import made, syntaxes
from tests.interop.cells import WRONG, brought, delivered
from tests.interop.judge import Arrival, Judge
from tests.interop.matrix import Matrix
from tests.interop.receivers import RECEIVERS
from tests.interop.refusals import BY_SENDER, BY_TARGET, Node, Object, may_be_refused
from tests.interop.report import page
from tests.interop.samples import samples
from tests.interop.senders import SENDERS
from tests.interop.wire import Context, Conversation, Stored, conversation
from tests.support.dicom_peer import ASSOCIATE_AC, associate_rq, pdu

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    "CT, 16 bit signed",
    "RGB, odd, big endian",
    "SEG, 1 bit",
    "RT dose, RLE",
    "SR, comprehensive",
    "YBR_FULL_422 s2",
    "JPEG lossless SV1 by DCMTK, 3 frames RGB",
    "JPEG-LS by DCMTK, 12 bit",
    "JPEG 2000 by GDCM, 16 bit signed",
    "HTJ2K, RGB",
    "enhanced MR, JPEG lossless",
    "odd elements",
    "video, MPEG-4",
    "private syntax",
)
SENDING = ("pynetdicom", "dcmsend")
RECEIVING = ("storescp +xi", "storescp +xv", "Explicit LE only", "JPEG baseline only")
NATIVE = "native, RGB"
EVERYTHING = frozenset([syntaxes.EXPLICIT])


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    (tmp_path / "judge").mkdir()
    return Judge(tmp_path / "judge")


def test_a_part_of_the_matrix(tmp_path: Path, judge: Judge) -> None:
    matrix = Matrix(tmp_path, judge, samples(tmp_path / "samples", FILES))
    for sender in SENDERS:
        if sender.name in SENDING:
            matrix.run_sender(sender)
    receivers = [receiver for receiver in RECEIVERS if receiver.name in RECEIVING]
    drawn = matrix.drawn(receivers, 5, seed=1)
    for receiver in receivers:
        matrix.run_receiver(receiver, drawn.get(receiver.name, []))
    assert matrix.troubles() == []
    assert len(matrix.brought) == len(FILES) * len(SENDING)
    assert len(matrix.delivered) == (len(FILES) - 1) * len(RECEIVING), "the private data set is not kept"
    assert len(matrix.triples) == sum(map(len, map(set, drawn.values())))
    marks = {cell.mark for cell in matrix.delivered.values()}
    assert {"=", "E", "I", "1", "5"} <= marks
    written = page(matrix, receivers, {})
    assert all(file in written for file in FILES)
    assert WRONG not in written


def told(**changes: str) -> dict[str, str]:
    return {"outcome": "confirmed", "sent_as": syntaxes.EXPLICIT, **changes}


def test_what_is_not_as_it_was_is_found(tmp_path: Path, judge: Judge) -> None:
    (sample,) = samples(tmp_path / "samples", (NATIVE,))
    receiver = next(each for each in RECEIVERS if each.name == "Explicit LE only")
    good = sample.data_set
    place = len(good) - 100

    def mark(data: bytes, **changes: str) -> str:
        arrival = Arrival(sample.instance, syntaxes.EXPLICIT, data)
        return delivered(sample, receiver, told(**changes), [arrival], judge).mark

    assert mark(good) == "="
    assert mark(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]) == WRONG, "one bit of one sample"
    assert mark(good.replace(b"INTEROP1", b"INTEROP2")) == WRONG, "another patient"
    assert mark(good.replace(b"RGB ", b"HSV ")) == WRONG, "other colours"
    assert mark(good, outcome="refused", kind="unsupported", comment="it does not want it") == WRONG
    assert delivered(sample, receiver, told(), [], judge).mark == WRONG, "it is not there"


def test_what_was_refused_needs_a_reason_in_words(tmp_path: Path, judge: Judge) -> None:
    (sample,) = samples(tmp_path / "samples", (NATIVE,))
    receiver = next(each for each in RECEIVERS if each.name == "JPEG baseline only")
    refused = told(outcome="refused", kind="unsupported", comment="the target takes no such object")
    assert delivered(sample, receiver, refused, [], judge).mark == "5"
    assert delivered(sample, receiver, {**refused, "comment": ""}, [], judge).mark == WRONG
    half = Arrival(sample.instance, syntaxes.EXPLICIT, sample.data_set[:500])
    assert delivered(sample, receiver, refused, [half], judge).mark == WRONG, "and half of it is there"


def test_a_sender_is_to_blame_only_for_what_it_did_not_send(tmp_path: Path) -> None:
    (sample,) = samples(tmp_path / "samples", (NATIVE,))
    own = Context(sample.sop_class, (sample.syntax,), sample.syntax)
    whole = Stored(sample.instance, sample.syntax, sample.data_set, 0)

    def mark(said: Conversation, stored: bytes | None = sample.data_set, *, digest: bool = True) -> str:
        return brought(sample, [said], stored, sample.syntax, digest).mark

    assert mark(Conversation([own], [whole])) == "="
    assert mark(Conversation([own], []), None) == "8"
    assert mark(Conversation([], []), None) == "8"
    mixed = Context(sample.sop_class, (sample.syntax, syntaxes.RLE), syntaxes.RLE)
    assert mark(Conversation([mixed], []), None) == "9"
    assert mark(Conversation([Context(sample.sop_class, (sample.syntax,), None)], []), None) == WRONG, "we refused it"
    assert mark(Conversation([own], [whole]), sample.data_set[:-2]) == WRONG
    assert mark(Conversation([own], [whole]), digest=False) == WRONG
    assert mark(Conversation([own], [Stored(sample.instance, sample.syntax, sample.data_set, 0xA700)])) == WRONG
    assert mark(Conversation([own], [Stored(sample.instance, sample.syntax, sample.data_set, 0xC000)])) == WRONG
    assert mark(Conversation([own], [Stored(sample.instance, syntaxes.DEFLATED, sample.data_set, 0xC000)])) == "11"
    good = made.deflated(sample.data_set)
    assert mark(Conversation([own], [Stored(sample.instance, syntaxes.DEFLATED, good, 0xC000)])) == WRONG


def test_a_sender_that_goes_away_before_the_answer_was_refused_nothing() -> None:
    request = bytearray(associate_rq())
    assert conversation({"there": request, "back": bytearray()}).contexts == []
    chosen = struct.pack(">BxH", 0x40, len(syntaxes.EXPLICIT)) + syntaxes.EXPLICIT.encode()
    answer = struct.pack(">BxHBxxx", 0x21, 4 + len(chosen), 1) + chosen
    back = bytearray(pdu(ASSOCIATE_AC, bytes(68) + answer))
    (context,) = conversation({"there": request, "back": back}).contexts
    assert context.chosen == syntaxes.EXPLICIT


@pytest.mark.parametrize(
    ("image", "node", "number"),
    [
        (Object(syntaxes.EXPLICIT, 100, 16), Node(EVERYTHING), None),
        (Object(syntaxes.JPEG_2000, 100, 16), Node(EVERYTHING), None),
        (Object(syntaxes.MPEG4, 100, 8), Node(EVERYTHING), 1),
        (Object(syntaxes.MPEG4, 100, 8), Node(frozenset([syntaxes.MPEG4])), None),
        (Object(syntaxes.JPIP, 100, 8), Node(EVERYTHING), 2),
        (Object(syntaxes.PRIVATE, 0), Node(EVERYTHING), 3),
        (Object(syntaxes.RLE, 2**32, 16), Node(EVERYTHING), 4),
        (Object(syntaxes.RLE, 2**32 - 2, 16), Node(EVERYTHING), None),
        (Object(syntaxes.EXPLICIT, 100, 16), Node(frozenset([syntaxes.JPEG_BASELINE])), 5),
        (Object(syntaxes.EXPLICIT, 100, 16), Node(frozenset([syntaxes.RLE])), 6),
        (Object(syntaxes.EXPLICIT, 100, 16), Node(frozenset([syntaxes.RLE]), frozenset([syntaxes.RLE])), None),
        (Object(syntaxes.EXPLICIT, 0), Node(frozenset([syntaxes.RLE]), frozenset([syntaxes.RLE])), 7),
        (Object(syntaxes.EXPLICIT, 100, 1), Node(frozenset([syntaxes.RLE]), frozenset([syntaxes.RLE])), 7),
    ],
)
def test_what_may_be_refused(image: Object, node: Node, number: int | None) -> None:
    assert may_be_refused(image, node) == number


def test_each_reason_has_a_number_of_its_own() -> None:
    numbers = [*(refusal.number for refusal in BY_TARGET), *BY_SENDER]
    assert numbers == list(range(1, len(numbers) + 1))
