"""Targets that do not take an image in the transfer syntax in which it is kept get it in one that they take."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from tests.support.encoded import BIG_ENDIAN, ENCODINGS, EXPLICIT, IMPLICIT, Element, encode
from tests.support.pictures import SECONDARY_CAPTURE, Picture, compress, file_of
from tests.support.storescu import send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeStoreScp
    from tests.support.router import FreePort

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
MPEG4 = "1.2.840.10008.1.2.4.102"


@contextmanager
def node(port: int, *syntaxes: str) -> Iterator[list[tuple[str, bytes]]]:
    """Run a node that takes secondary captures in some transfer syntaxes; what it gets is (syntax, data set)."""
    got: list[tuple[str, bytes]] = []

    def store(event: Any) -> int:
        got.append((str(event.context.transfer_syntax), event.request.DataSet.getvalue()))
        return 0x0000

    entity = AE(ae_title="CHOOSY")
    entity.add_supported_context(SECONDARY_CAPTURE, list(syntaxes))
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield got
    finally:
        server.shutdown()


def kept(folder: Path, syntax: str, picture: Picture) -> Path:
    """Keep a picture uncompressed in a transfer syntax."""
    path = folder / f"{syntax}.dcm"
    path.write_bytes(file_of(syntax, encode(picture.elements(), ENCODINGS[syntax])))
    return path


@pytest.mark.parametrize("taken", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("own", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_an_image_goes_as_it_is_or_in_what_the_target_takes(
    own: str, taken: str, free_port: FreePort, tmp_path: Path
) -> None:
    picture, port = Picture(), free_port()
    with node(port, taken) as got:
        sent = send(port, [kept(tmp_path, own, picture)])
    if taken == BIG_ENDIAN != own:
        assert got == []
        assert sent.outcomes == {"refused": 1}
        assert sent.results[0]["kind"] == "unsupported"
        return
    assert sent.outcomes == {"confirmed": 1}
    assert (sent.results[0]["syntax"], sent.results[0]["sent_as"]) == (own, taken)
    assert got == [(taken, encode(picture.elements(), ENCODINGS[taken]))]


def test_what_the_target_takes_as_it_is_goes_bit_by_bit_even_beside_the_default_syntaxes(
    free_port: FreePort, tmp_path: Path
) -> None:
    port = free_port()
    data = encode((Element(0x00080000, "UL", bytes(4)), *Picture().elements()), ENCODINGS[BIG_ENDIAN])
    (tmp_path / "image.dcm").write_bytes(file_of(BIG_ENDIAN, data))
    with node(port, IMPLICIT, EXPLICIT, BIG_ENDIAN) as got:
        assert send(port, [tmp_path / "image.dcm"]).outcomes == {"confirmed": 1}
    assert got == [(BIG_ENDIAN, data)]


@pytest.mark.parametrize("taken", [EXPLICIT, IMPLICIT])
def test_a_compressed_image_is_decoded_for_a_target_without_compression(
    taken: str, free_port: FreePort, tmp_path: Path
) -> None:
    picture, port = Picture(frames=3), free_port()
    file = compress("JPEG lossless by DCMTK", picture.file(tmp_path / "native.dcm"), tmp_path / "compressed.dcm")
    before = file.read_bytes()
    with node(port, taken) as got:
        sent = send(port, [file])
    assert sent.outcomes == {"confirmed": 1}
    assert (sent.results[0]["syntax"], sent.results[0]["sent_as"]) == (JPEG_LOSSLESS, taken)
    ((syntax, data),) = got
    assert syntax == taken
    assert data.endswith(picture.values), "every sample is what it was"
    assert file.read_bytes() == before, "what is kept is never touched"


@pytest.mark.parametrize(
    ("policy", "own", "syntax"),
    [
        ("as-received", EXPLICIT, None),
        ("as-received", IMPLICIT, IMPLICIT),
        ("uncompressed", JPEG_LOSSLESS, IMPLICIT),
        (f"{EXPLICIT},{IMPLICIT}", EXPLICIT, IMPLICIT),
        (EXPLICIT, IMPLICIT, None),
        (f"{IMPLICIT},{JPEG_LOSSLESS}", JPEG_LOSSLESS, IMPLICIT),
        (f"{JPEG_LOSSLESS},{IMPLICIT}", JPEG_LOSSLESS, JPEG_LOSSLESS),
    ],
)
def test_the_settings_of_a_target_say_what_is_proposed(
    policy: str, own: str, syntax: str | None, free_port: FreePort, tmp_path: Path
) -> None:
    picture, port = Picture(), free_port()
    file = kept(tmp_path, EXPLICIT if own == JPEG_LOSSLESS else own, picture)
    if own == JPEG_LOSSLESS:
        file = compress("JPEG lossless by DCMTK", file, tmp_path / "compressed.dcm")
    with node(port, IMPLICIT, JPEG_LOSSLESS) as got:
        sent = send(port, [file], "--transfer-syntaxes", policy)
    assert [taken for taken, _ in got] == ([syntax] if syntax else [])
    assert sent.outcomes == {"confirmed" if syntax else "refused": 1}


def test_what_cannot_be_converted_is_refused_by_name_and_the_others_go(free_port: FreePort, tmp_path: Path) -> None:
    port, picture = free_port(), Picture()
    video = tmp_path / "video.dcm"
    video.write_bytes(file_of(MPEG4, encode(picture.elements()[:-1], ENCODINGS[EXPLICIT])))
    damaged = tmp_path / "damaged.dcm"
    fragment = struct.pack("<HHI", 0xFFFE, 0xE000, 4) + b"\xff\xd8\xff\xd9"
    pixels = struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OB", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    head = encode(picture.elements()[:-1], ENCODINGS[EXPLICIT])
    damaged.write_bytes(file_of(JPEG_LOSSLESS, head + pixels + fragment + end))
    good = [picture.file(tmp_path / f"good{number}.dcm") for number in range(3)]
    with node(port, EXPLICIT) as got:
        sent = send(port, [good[0], video, good[1], damaged, good[2]])
    assert len(got) == 3, "and nothing of the others, not half of it either"
    assert sent.outcomes == {"confirmed": 3, "refused": 1, "failed": 1}
    results = sent.by_name()
    assert results["video.dcm"]["comment"] == (
        "the target takes no Secondary Capture Image Storage in MPEG-4 AVC/H.264 High Profile / Level 4.1"
    )
    assert results["video.dcm"]["kind"] == "unsupported"
    assert "frame 1 of 1 cannot be decoded" in results["damaged.dcm"]["comment"]
    assert results["damaged.dcm"]["kind"] == "local"
    assert sent.error is None, "it says nothing of the target"


@pytest.mark.parametrize("option", ["+xi", "+xe", "+xb"])
def test_stock_storescp_that_takes_one_syntax_gets_every_image(
    option: str, storescp: MakeStoreScp, tmp_path: Path
) -> None:
    files = [kept(tmp_path, own, Picture()) for own in (EXPLICIT, IMPLICIT, BIG_ENDIAN)]
    files.append(compress("RLE by DCMTK", files[0], tmp_path / "rle.dcm"))
    sent = send(storescp(option, "--promiscuous").port, files)
    assert sent.outcomes == {"confirmed": 4}


def test_more_than_128_contexts_are_spread_and_nothing_is_dropped(free_port: FreePort, tmp_path: Path) -> None:
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:100]]
    entity = AE(ae_title="CHOOSY")
    files = []
    for number, sop_class in enumerate(classes):
        entity.add_supported_context(sop_class, [EXPLICIT])
        description = [*Picture().elements()]
        description[0] = Element(0x00080016, "UI", sop_class.encode() + b"\0" * (len(sop_class) % 2))
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(file_of(IMPLICIT, encode(tuple(description), ENCODINGS[IMPLICIT])))
    port = free_port()
    handlers: list[Any] = [(evt.EVT_C_STORE, lambda _event: 0x0000)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        sent = send(port, files)
    finally:
        server.shutdown()
    assert sent.outcomes == {"confirmed": 100}
    assert sent.summary["associations"] == 2
