"""Targets that do not take an image in the transfer syntax in which it is kept get it in one that they take."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from tests.oracle.record import digest
from tests.support.account import ct_series
from tests.support.binaries import tool
from tests.support.data_sets import data_set_of
from tests.support.encoded import BIG_ENDIAN, ENCODINGS, EXPLICIT, IMPLICIT, Element, encode
from tests.support.pictures import SECONDARY_CAPTURE, Picture, compress, converted, file_of, pixels_in
from tests.support.recording_node import RecordingNode
from tests.support.storescu import listing, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fixtures import MakeStoreScp
    from tests.support.router import FreePort

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
RLE = "1.2.840.10008.1.2.5"
MADE = (JPEG_LS, RLE, "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201")
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


@pytest.mark.parametrize("syntax", MADE)
def test_a_list_has_images_compressed_without_loss(syntax: str, free_port: FreePort, tmp_path: Path) -> None:
    picture, port = Picture(frames=3), free_port()
    file = kept(tmp_path, IMPLICIT, picture)
    with node(port, EXPLICIT, IMPLICIT, syntax) as got:
        as_needed = send(port, [file])
        sent = send(port, [file], "--transfer-syntaxes", f"{syntax},{EXPLICIT}")
    assert as_needed.results[0]["sent_as"] == IMPLICIT, "only where it is asked for"
    assert sent.outcomes == {"confirmed": 1}
    assert (sent.results[0]["syntax"], sent.results[0]["sent_as"]) == (IMPLICIT, syntax)
    assert "passed_over" not in sent.results[0]
    taken, data = got[1]
    assert taken == syntax
    assert len(data) < len(picture.values)
    assert pixels_in(converted(data, syntax, tmp_path), len(picture.values)) == picture.values


def test_what_cannot_be_compressed_goes_in_the_next_of_the_list_or_without_compression(
    free_port: FreePort, tmp_path: Path
) -> None:
    port, files = free_port(), {}
    files["wide"] = kept(tmp_path, EXPLICIT, Picture(allocated=32, stored=32)).rename(tmp_path / "wide.dcm")
    bits = {0x00280100: b"\1\0", 0x00280101: b"\1\0", 0x00280102: b"\0\0"}
    mask = tuple(replace(part, value=bits.get(part.tag, part.value)) for part in Picture().elements())
    document = (*Picture().elements()[:2], Element(0x00420011, "OB", b"%PDF"))
    for name, elements in (("mask", mask), ("document", document)):
        files[name] = tmp_path / f"{name}.dcm"
        files[name].write_bytes(file_of(EXPLICIT, encode(elements, ENCODINGS[EXPLICIT])))
    with node(port, JPEG_LS, RLE, EXPLICIT) as got:
        sent = send(port, files.values(), "--transfer-syntaxes", f"{JPEG_LS},{RLE}")
    assert sent.outcomes == {"confirmed": 3}
    results = {name: sent.by_name()[f"{name}.dcm"] for name in files}
    assert {name: result["sent_as"] for name, result in results.items()} == {
        "wide": RLE,
        "mask": EXPLICIT,
        "document": EXPLICIT,
    }
    assert results["wide"]["passed_over"].startswith("JPEG")
    assert "32 bits a sample" in results["wide"]["passed_over"]
    assert "1 bits a sample" in results["mask"]["passed_over"]
    assert "no pixel data" in results["document"]["passed_over"]
    assert got[1:] == [(EXPLICIT, data_set_of(files[name].read_bytes())) for name in ("mask", "document")]


def test_a_target_that_takes_no_syntax_of_its_list_gets_nothing_else(free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    with node(port, EXPLICIT, IMPLICIT) as got:
        sent = send(port, [Picture().file(tmp_path / "image.dcm")], "--transfer-syntaxes", f"{JPEG_LS},{RLE}")
    assert got == []
    assert sent.outcomes == {"refused": 1}
    assert "JPEG" in sent.results[0]["comment"]
    assert "Explicit" not in sent.results[0]["comment"], "that was no wish of the list"


def test_a_frame_that_is_lost_to_its_encoder_costs_the_association_and_not_the_image(
    free_port: FreePort, tmp_path: Path
) -> None:
    """A codec program that is ended whenever it has read so much: the second frame meets it when half is sent."""
    port, picture = free_port(), Picture(frames=3)
    sender = shutil.copy(tool("mercure-storescu"), tmp_path)
    (tmp_path / "mercure-codec").write_text(f"#!/bin/sh\ndd bs=1 count=6000 2>/dev/null | {tool('mercure-codec')}\n")
    (tmp_path / "mercure-codec").chmod(0o755)
    files = [picture.file(tmp_path / f"{number}.dcm") for number in range(2)]
    with node(port, JPEG_LS, EXPLICIT) as got:
        command = [sender, "--host=127.0.0.1", f"--port={port}", f"--transfer-syntaxes={JPEG_LS}"]
        done = subprocess.run(command, input=listing(files), capture_output=True, timeout=60, check=False)
    *results, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(result["outcome"], result["sent_as"]) for result in results] == [("confirmed", EXPLICIT)] * 2
    assert "frame 2 of 3 cannot be encoded" in results[0]["passed_over"]
    assert end["error"] is None
    assert [syntax for syntax, _ in got] == [EXPLICIT] * 2, "half an image is none"


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


def test_a_codec_that_is_ended_costs_its_image_and_the_next_has_a_new_one(free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    sender = shutil.copy(tool("mercure-storescu"), tmp_path)
    (tmp_path / "mercure-codec").write_text(f"#!/bin/sh\ndd bs=1 count=3000 2>/dev/null | {tool('mercure-codec')}\n")
    (tmp_path / "mercure-codec").chmod(0o755)
    files = []
    for number, side in enumerate((10, 60, 10, 60, 10)):
        native = Picture(rows=side, columns=side).file(tmp_path / "native.dcm")
        files.append(compress("RLE by DCMTK", native, tmp_path / f"{number}.dcm"))
    with node(port, EXPLICIT) as got:
        command = [sender, "--host=127.0.0.1", f"--port={port}"]
        done = subprocess.run(command, input=listing(files), capture_output=True, timeout=60, check=False)
    *results, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["outcome"] for result in results] == ["confirmed", "failed"] * 2 + ["confirmed"]
    assert "the codec ended without an answer" in results[1]["comment"]
    assert results[1]["kind"] == "local"
    assert end["error"] is None
    assert len(got) == 3


def test_a_node_of_the_soak_that_takes_one_syntax_counts_what_was_sent(tmp_path: Path) -> None:
    images = ct_series("1.2.9.1", 2)
    files = [tmp_path / f"{number}.dcm" for number in range(2)]
    for path, image in zip(files, images, strict=True):
        path.write_bytes(file_of(EXPLICIT, image.data))
    node = RecordingNode(takes=IMPLICIT)
    node.come()
    try:
        sent = send(node.port, files)
    finally:
        node.go()
    assert [result["sent_as"] for result in sent.results] == [IMPLICIT] * 2
    assert [came.digest for came in node.arrivals] == [digest(image.data) for image in images]
