"""An image on our disk is what was received, or it is told; and what has no digest is never called altered."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercure.dicom.integrity import CHUNK_BYTES, Integrity, IntegrityState, examine
from mercure.dicom.receipt import read_receipt
from tests.support.receipts import DATA_SET, EXPLICIT_LITTLE, flip, plain_header, received_file, received_header

if TYPE_CHECKING:
    from pathlib import Path

SMALL = received_file()
HEADER = len(received_header())


@pytest.fixture(params=[False, True], ids=["by the cache", "past the cache"])
def past(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def judged(path: Path, data: bytes, *, expected: str = "", past_cache: bool = False) -> Integrity:
    path.write_bytes(data)
    return examine(path, expected=expected, past_cache=past_cache)


@pytest.mark.parametrize("size", [0, 1, 1024, CHUNK_BYTES - HEADER, CHUNK_BYTES, 3 * CHUNK_BYTES + 17])
def test_what_was_received_is_intact(tmp_path: Path, size: int, past: bool) -> None:
    data = os.urandom(size) or b"\x08\0\0\0"
    file = received_file(data)
    assert judged(tmp_path / "i.dcm", file, past_cache=past) == Integrity(IntegrityState.INTACT, bytes=len(file))


def test_every_bit_of_a_small_image_counts(tmp_path: Path) -> None:
    """Header, transfer syntax, digests, data set: there is no place where a flipped bit goes unseen."""
    path = tmp_path / "i.dcm"
    path.write_bytes(SMALL)
    unseen = []
    for at in range(len(SMALL)):
        for bit in (0x01, 0x20, 0x80):
            flip(path, at, bit)
            if examine(path).state is not IntegrityState.ALTERED:
                unseen.append((at, bit))
            flip(path, at, bit)
    assert unseen == []
    assert examine(path).state is IntegrityState.INTACT


@pytest.mark.parametrize(
    ("place", "part"),
    [("pixel", "its data set"), ("syntax", "its header"), ("preamble", "its header"), ("digest", "its data set")],
)
def test_the_part_that_is_altered_is_named(tmp_path: Path, place: str, part: str, past: bool) -> None:
    at = {
        "pixel": len(SMALL) - 10,
        "syntax": SMALL.index(EXPLICIT_LITTLE.encode()) + len(EXPLICIT_LITTLE) - 1,
        "preamble": 3,
        "digest": SMALL.index(b'"data":"') + 8,
    }[place]
    path = tmp_path / "i.dcm"
    path.write_bytes(SMALL)
    flip(path, at, 0x01)
    found = examine(path, past_cache=past)
    assert found.state is IntegrityState.ALTERED
    assert part in found.text or "its header is damaged" in found.text


@pytest.mark.parametrize("left", [*range(0, HEADER + 1, 7), HEADER, HEADER + 1, len(SMALL) - 1])
def test_a_file_that_was_cut_off_is_altered(tmp_path: Path, left: int) -> None:
    assert judged(tmp_path / "i.dcm", SMALL[:left]).state is IntegrityState.ALTERED


def test_a_file_that_grew_is_altered(tmp_path: Path) -> None:
    assert judged(tmp_path / "i.dcm", SMALL + b"\0").state is IntegrityState.ALTERED


@pytest.mark.parametrize("lost", [512, 4096])
def test_a_header_of_zeros_is_altered_where_a_digest_is_expected(tmp_path: Path, lost: int) -> None:
    """A sector that the disk has given up and replaced."""
    path = tmp_path / "i.dcm"
    file = received_file(DATA_SET + os.urandom(8192))
    path.write_bytes(file)
    receipt = read_receipt(path)
    assert receipt is not None
    assert examine(path, expected=receipt.digest).state is IntegrityState.INTACT
    for broken in (bytes(lost) + file[lost:], bytes(len(file)), b"", plain_header() + DATA_SET):
        assert judged(path, broken, expected=receipt.digest).state is IntegrityState.ALTERED


@pytest.mark.parametrize(
    "data",
    [plain_header() + DATA_SET, DATA_SET, b"image 1.2.3 1\n", b'{"no": "image"}', plain_header()],
    ids=["older", "no header", "text", "json", "empty"],
)
def test_what_has_no_digest_is_not_checkable_and_never_altered(tmp_path: Path, data: bytes, past: bool) -> None:
    found = judged(tmp_path / "i.dcm", data, past_cache=past)
    assert (found.state, found.bytes, found.is_bad) == (IntegrityState.UNCHECKABLE, len(data), False)


@given(st.binary(max_size=600), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_file_is_too_strange(tmp_path_factory: pytest.TempPathFactory, data: bytes, prefixed: bool) -> None:
    path = tmp_path_factory.mktemp("strange") / "i.dcm"
    head = bytes(128) + b"DICM\x02\0\0\0UL\x04\0" if prefixed else b""
    assert judged(path, head + data).state in (IntegrityState.UNCHECKABLE, IntegrityState.ALTERED)


def test_a_file_that_is_gone_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "i.dcm")


def test_a_lost_sector_is_unreadable_and_named_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "i.dcm"
    path.write_bytes(received_file(bytes(3 * CHUNK_BYTES)))
    real = os.preadv

    def preadv(descriptor: int, buffers: list[memoryview], at: int) -> int:
        if at >= CHUNK_BYTES:
            raise OSError(errno.EIO, "lost")
        return real(descriptor, buffers, at)

    monkeypatch.setattr(os, "preadv", preadv)
    found = examine(path)
    assert found.state is IntegrityState.UNREADABLE
    assert f"byte {CHUNK_BYTES}" in found.text


def test_the_pace_is_told_every_piece(tmp_path: Path) -> None:
    path = tmp_path / "i.dcm"
    path.write_bytes(received_file(bytes(2 * CHUNK_BYTES)))
    told: list[int] = []
    examine(path, pace=told.append)
    assert sum(told) == path.stat().st_size
    assert max(told) <= CHUNK_BYTES
