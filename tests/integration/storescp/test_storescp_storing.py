"""What becomes of an object that arrives whole: its file, its tag line, its event, its answer."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mercure.spool.versions import number_of, stem_of
from tests.support.data_sets import ct_image, data_set_of, element, uid
from tests.support.dcmtk import dcmsend
from tests.support.dicom_files import storable_files
from tests.support.dicom_peer import (
    CT_IMAGE,
    EXPLICIT_LITTLE,
    VERIFICATION,
    Context,
    Peer,
    associate_rq,
    echo_command,
    message,
    pdu,
    store_command,
    value,
)

if TYPE_CHECKING:
    from tests.support.fixtures import MakeStoreScp
    from tests.support.receiver import Receiver, StartReceiver

ID = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
HTJ2K = "1.2.840.10008.1.2.4.201"


def test_an_image_lands_under_its_series_with_tag_line_and_events(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series = uid(), uid()
    data = ct_image(sop, series)
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b"SCANNER_1", called=b"ROUTER"))
        response = peer.store(data, sop)
        peer.release()

    assert (response.status, response.message, response.sop_instance, response.comment) == (0, 1, sop, "")
    (image,) = receiver.images()
    assert image.relative_to(receiver.spool / "incoming").parts == (series, f"{sop}.dcm")
    assert data_set_of(image.read_bytes()) == data
    (line,) = receiver.tag_lines()
    assert line["FileName"] == image.name
    assert line["FileSize"] == image.stat().st_size
    assert (line["SOPInstanceUID"], line["Modality"], line["PatientName"]) == (sop, "CT", "Secret^Name")
    assert (line["SenderAET"], line["ReceiverAET"], line["SenderAddress"]) == ("SCANNER_1", "ROUTER", "127.0.0.1")
    assert ID.fullmatch(line["ImageID"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["ReceivedAt"])

    closed = receiver.event("association.closed")
    opened = receiver.event("association.opened")
    assert opened["details"]["contexts"] == 1
    assert (opened["details"]["implementation_uid"], opened["details"]["implementation_version"]) == ("1.2.3.4", "")
    assert closed["details"]["how"] == "released"
    assert (closed["details"]["images"], closed["details"]["bytes"]) == (1, image.stat().st_size)
    event = receiver.event("image.received")
    assert event["series"] == series
    assert event["service"] == "receiver"
    assert event["details"] == {
        "image": line["ImageID"],
        "association": line["AssociationID"],
        "file": image.name,
        "folder": series,
        "sop": sop,
        "sop_class": CT_IMAGE,
        "study": "1.2.3",
        "series": series,
        "patient": "PATIENT-1",
        "accession": "ACC-1",
        "modality": "CT",
        "bytes": image.stat().st_size,
        "transfer_syntax": EXPLICIT_LITTLE,
        "repetition": False,
        "address": "127.0.0.1",
        "calling_aet": "SCANNER_1",
        "called_aet": "ROUTER",
        "durable": True,
    }
    assert image.parent.joinpath(f"{line['AssociationID']}.jsonl").is_file()
    assert receiver.parts() == []


def test_the_meta_header_names_us_and_the_sender(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop = uid()
    with Peer(receiver.port) as peer:
        accepted = peer.associate(associate_rq(calling=b"SCANNER_1"))
        peer.store(ct_image(sop, uid()), sop)
        peer.release()
    (line,) = receiver.tag_lines()
    assert line["MediaStorageSOPClassUID"] == CT_IMAGE
    assert line["MediaStorageSOPInstanceUID"] == sop
    assert line["TransferSyntaxUID"] == EXPLICIT_LITTLE
    assert line["SourceApplicationEntityTitle"] == "SCANNER_1"
    assert line["ImplementationClassUID"] == accepted.implementation
    assert re.fullmatch(r"2\.25\.[1-9]\d{30,38}", accepted.implementation)
    assert line["ImplementationVersionName"] == accepted.version
    assert accepted.max_pdu == 131072


def test_an_echo_is_answered_and_told(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, VERIFICATION),)))
        peer.send(message(1, echo_command(7)))
        response = peer.response()
        peer.release()
    assert (response.field, response.message, response.status) == (0x8030, 7, 0)
    closed = receiver.event("association.closed")
    assert (closed["details"]["how"], closed["details"]["images"]) == ("released", 0)


@pytest.mark.parametrize("durability", ["image", "none"])
def test_what_dcmsend_sends_is_kept_bit_by_bit(
    start_receiver: StartReceiver, storescp: MakeStoreScp, durability: str
) -> None:
    receiver = start_receiver(durability=durability)
    stock = storescp("--bit-preserving", "--unique-filenames", "-pm", "--accept-all")
    files = storable_files()
    ours = dcmsend("127.0.0.1", receiver.port, files, "--no-halt", seconds=300)
    theirs = dcmsend("127.0.0.1", stock.port, files, "--no-halt", seconds=300)

    received = sorted(hashlib.sha256(data).hexdigest() for data in receiver.data_sets())
    expected = {hashlib.sha256(data_set_of(path.read_bytes())).hexdigest() for path in stock.files()}
    assert len(expected) > 100
    # What differs from stock storescp is only that an image that comes twice in a row is kept once.
    assert set(received) >= expected
    versions: dict[str, list[bytes]] = {}
    for path in sorted(receiver.images(), key=lambda path: number_of(path.name)):
        versions.setdefault(stem_of(path.name), []).append(data_set_of(path.read_bytes()))
    assert all(before != after for kept in versions.values() for before, after in pairwise(kept))
    assert receiver.events("image.refused") == []
    assert "with status SUCCESS" in ours.output, ours.output
    assert "with status SUCCESS" in theirs.output, theirs.output


@pytest.mark.parametrize("fragment", [1, 7, 4096, 131_060])
def test_a_data_set_may_come_in_any_pieces(start_receiver: StartReceiver, fragment: int) -> None:
    receiver = start_receiver()
    sop = uid()
    data = ct_image(sop, uid(), pixels=b"\5" * (600 if fragment < 100 else 400_000))
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(data, sop, fragment=fragment).status == 0
    assert receiver.data_sets() == [data]


def test_several_values_in_one_pdu_and_messages_back_to_back(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sops, series = [uid(), uid()], uid()
    images = [ct_image(sop, series) for sop in sops]
    with Peer(receiver.port) as peer:
        peer.associate()
        stream = b""
        for number, (sop, data) in enumerate(zip(sops, images, strict=True), start=1):
            values = value(1, store_command(sop, message=number), command=True, last=True)
            values += value(1, data[:100], command=False, last=False) + value(1, data[100:], command=False, last=True)
            stream += pdu(4, values)
        peer.send(stream)
        assert [(peer.response().message, peer.response().message)] == [(1, 2)]
        peer.release()
    assert sorted(receiver.data_sets()) == sorted(images)


@pytest.mark.parametrize(
    ("syntax", "data"),
    [
        pytest.param(DEFLATED, None, id="deflated"),
        pytest.param(BIG_ENDIAN, b"\0\x08\0\x18UI\0\x041.2\0\0\x20\0\x0eUI\0\x041.3\0", id="big endian"),
        pytest.param(HTJ2K, None, id="newer than the library"),
        pytest.param("1.3.6.1.4.1.5962.99.1", None, id="private"),
    ],
)
def test_every_transfer_syntax_passes_unharmed(start_receiver: StartReceiver, syntax: str, data: bytes | None) -> None:
    receiver = start_receiver()
    sop = uid()
    if data is None:
        data = ct_image(sop, uid())
        if syntax == DEFLATED:
            packer = zlib.compressobj(wbits=-15)
            data = packer.compress(data) + packer.flush()
    with Peer(receiver.port) as peer:
        accepted = peer.associate(associate_rq((Context(1, CT_IMAGE, (syntax,)),)))
        assert accepted.syntaxes == {1: syntax}
        assert peer.store(data, sop).status in {0, 0xB007}
        peer.release()
    assert receiver.data_sets() == [data]
    assert receiver.tag_lines()[0]["TransferSyntaxUID"] == syntax


@pytest.mark.parametrize(
    "sop_class", ["1.2.826.0.1.3680043.9.9999.1", "1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.2.1"]
)
def test_private_and_unusual_sop_classes_are_stored(start_receiver: StartReceiver, sop_class: str) -> None:
    receiver = start_receiver()
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, sop_class, (EXPLICIT_LITTLE,)),)))
        peer.send(message(1, store_command(sop, sop_class=sop_class), ct_image(sop, uid(), sop_class=sop_class)))
        assert peer.response().status == 0
    assert len(receiver.images()) == 1


def test_odd_lengths_and_private_elements_pass(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series = uid(), uid()
    data = ct_image(sop, series, pixels=b"") + element(0x7FE10010, b"LO", b"ODD")
    with Peer(receiver.port) as peer:
        peer.associate()
        assert len(data) % 2 == 1
        assert peer.store(data, sop).status == 0
    assert receiver.data_sets() == [data]


def test_the_same_image_again_is_a_repetition(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series = uid(), uid()
    data = ct_image(sop, series)
    for _ in range(2):
        with Peer(receiver.port) as peer:
            peer.associate(associate_rq(calling=b"FIRST"))
            assert peer.store(data, sop).status == 0
            peer.release()
    assert [image.name for image in receiver.images()] == [f"{sop}.dcm"]
    assert receiver.data_sets() == [data]
    receiver.event("association.closed", count=2)
    first, second = receiver.events("image.received")
    assert (first["details"]["repetition"], second["details"]["repetition"]) == (False, True)
    assert second["details"]["file"] == first["details"]["file"]
    assert second["details"]["image"] != first["details"]["image"]
    assert receiver.parts() == []


def test_the_same_image_from_another_sender_is_an_image_of_its_own(start_receiver: StartReceiver) -> None:
    """Other rules may want it: dropped as a repetition it would be acknowledged, and never decided upon."""
    receiver = start_receiver()
    sop, series = uid(), uid()
    data = ct_image(sop, series)
    origins = [(b"FIRST", b"ROUTER"), (b"SECOND", b"ROUTER"), (b"FIRST", b"OTHER"), (b"FIRST", b"ROUTER")]
    for calling, called in origins:
        with Peer(receiver.port) as peer:
            peer.associate(associate_rq(calling=calling, called=called))
            assert peer.store(data, sop).status == 0
            peer.release()
    names = [f"{sop}.dcm", f"{sop}~2.dcm", f"{sop}~3.dcm"]
    assert sorted(image.name for image in receiver.images()) == sorted(names)
    assert receiver.data_sets() == [data] * 3
    receiver.event("association.closed", count=4)
    details = [event["details"] for event in receiver.events("image.received")]
    assert [(entry["file"], entry["repetition"]) for entry in details] == [
        *((name, False) for name in names),
        (names[0], True),
    ]


def test_the_same_uid_with_other_bytes_is_kept_beside(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series = uid(), uid()
    images = [ct_image(sop, series, patient=f"P{number}") for number in range(3)]
    with Peer(receiver.port) as peer:
        peer.associate()
        for data in [*images, images[2]]:
            assert peer.store(data, sop).status == 0
        peer.release()
    names = [image.name for image in receiver.images()]
    assert names == [f"{sop}.dcm", f"{sop}~2.dcm", f"{sop}~3.dcm"]
    assert [data_set_of(image.read_bytes()) for image in receiver.images()] == images
    details = [event["details"] for event in receiver.events("image.received")]
    assert [entry["repetition"] for entry in details] == [False, False, False, True]
    assert details[3]["file"] == f"{sop}~3.dcm"
    assert [line["FileName"] for line in receiver.tag_lines()] == [*names, f"{sop}~3.dcm"]


def test_an_older_version_that_comes_again_is_the_last_one(start_receiver: StartReceiver) -> None:
    """Its sender took the correction back; as a repetition of the first one, the correction would stay the last."""
    receiver = start_receiver()
    sop, series = uid(), uid()
    wrong, right = (ct_image(sop, series, patient=name) for name in ("WRONG", "RIGHT"))
    with Peer(receiver.port) as peer:
        peer.associate()
        for data in (wrong, right, wrong, wrong):
            assert peer.store(data, sop).status == 0
        peer.release()
    assert [data_set_of(image.read_bytes()) for image in receiver.images()] == [wrong, right, wrong]
    details = [event["details"] for event in receiver.events("image.received")]
    assert [entry["repetition"] for entry in details] == [False, False, False, True]


def _bytes_read(receiver: Receiver) -> int:
    counters = (Path(f"/proc/{pid}/io").read_text() for pid in receiver.children())
    return sum(int(line.split()[1]) for text in counters for line in text.splitlines() if line.startswith("rchar"))


def test_many_versions_cost_no_more_than_as_many_images(start_receiver: StartReceiver) -> None:
    """The versions before are not compared with: each file that is opened is one of the last."""
    receiver = start_receiver()
    sop, series = uid(), uid()
    images = [ct_image(sop, series, patient=f"P{number}") for number in range(300)]
    with Peer(receiver.port) as peer:
        peer.associate()
        for data in images:
            assert peer.store(data, sop).status == 0
        reading = _bytes_read(receiver)
        for number in range(20):
            assert peer.store(ct_image(sop, series, patient=f"Q{number}"), sop).status == 0
        assert _bytes_read(receiver) - reading < 20 * 10 * len(images[0])
        peer.release()
    assert len(receiver.images()) == 320


def test_one_association_may_bring_many_series(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    series = [uid() for _ in range(5)]
    with Peer(receiver.port) as peer:
        peer.associate()
        for _ in range(4):
            for one in series:
                sop = uid()
                assert peer.store(ct_image(sop, one), sop).status == 0
        peer.release()
    folders = {path: len(list(path.glob("*.dcm"))) for path in (receiver.spool / "incoming").iterdir()}
    assert {path.name for path in folders} == set(series)
    assert set(folders.values()) == {4}


def test_an_association_per_image_loses_none(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(max_associations_per_sender=100)
    sops, series = [uid() for _ in range(40)], uid()
    for sop in sops:
        with Peer(receiver.port) as peer:
            peer.associate()
            assert peer.store(ct_image(sop, series), sop).status == 0
            peer.release()
    assert {image.stem for image in receiver.images()} == set(sops)


def test_large_objects_stream(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(max_object_bytes=200_000_000)
    sop = uid()
    head = ct_image(sop, uid(), pixels=b"")
    size = 96 * 1024 * 1024
    pixels = struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OW", size)
    block = bytes(range(256)) * 500
    with Peer(receiver.port, timeout=60) as peer:
        peer.associate()
        peer.send(message(1, store_command(sop)))
        digest = hashlib.sha256(head[:-12] + pixels)
        peer.send(pdu(4, value(1, head[:-12] + pixels, command=False, last=False)))
        sent = 0
        while sent < size:
            piece = block[: min(len(block), size - sent)]
            sent += len(piece)
            digest.update(piece)
            peer.send(pdu(4, value(1, piece, command=False, last=sent == size)))
        assert peer.response().status == 0
        peer.release()
    (image,) = receiver.images()
    assert hashlib.sha256(data_set_of(image.read_bytes())).hexdigest() == digest.hexdigest()
