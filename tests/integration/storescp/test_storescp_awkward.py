"""Objects that are awkward or hostile: names, missing and contradicting UIDs, what cannot be read."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, data_set_of, element, nested_sequences, text, uid
from tests.support.dicom_peer import (
    CT_IMAGE,
    EXPLICIT_LITTLE,
    MR_IMAGE,
    NO_DATA_SET,
    VERIFICATION,
    Context,
    Peer,
    associate_rq,
    asynchronous_operations,
    echo_command,
    message,
    store_command,
)

if TYPE_CHECKING:
    from tests.support.receiver import StartReceiver


@pytest.mark.parametrize(
    "hostile",
    ["../../evil", "..", ".", "/etc/passwd", "a\\b", ".hidden", "outbox", "1.2/../3", "1.2.3\x1b[31m", "9" * 65, "ü.1"],
)
def test_no_uid_leads_out_of_its_folder(start_receiver: StartReceiver, hostile: str) -> None:
    receiver = start_receiver()
    before = set(receiver.spool.parent.iterdir())
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(ct_image(hostile, hostile), "1.2.3").status in {0, 0xB007}
        peer.release()
    (image,) = (path for path in receiver.spool.rglob("*.dcm"))
    series, name = image.relative_to(receiver.spool / "incoming").parts
    for part in (series, name.removesuffix(".dcm")):
        assert re.fullmatch(r"x[0-9a-f]{40}", part)
    assert set(receiver.spool.parent.iterdir()) == before


@pytest.mark.parametrize("nothing", [None, ""], ids=["missing", "empty"])
def test_images_without_series_are_grouped_with_their_neighbours(
    start_receiver: StartReceiver, nothing: str | None
) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        peer.associate()
        for patient in ("A", "B"):
            peer.send(message(1, store_command(""), ct_image(nothing, nothing, patient=patient)))
            assert peer.response().status == 0
        peer.release()
    opened = receiver.event("association.opened")
    images = receiver.images()
    assert {image.parent.name for image in images} == {f"none-{opened['details']['association']}"}
    # Nobody named the instance either, so each goes by the id it was given.
    received = receiver.events("image.received")
    assert [event["details"]["file"] for event in received] == [
        f"none-{event['details']['image']}.dcm" for event in received
    ]
    assert sorted(image.name for image in images) == sorted(event["details"]["file"] for event in received)
    assert len(images) == 2
    assert received[0]["series"] is None


def test_an_instance_that_only_the_command_names_goes_by_that(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(ct_image(None, uid(), sop_class=None), sop).status == 0
        peer.release()
    assert [image.stem for image in receiver.images()] == [sop]


def test_uids_of_the_command_that_differ_are_corrected_and_warned_of(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop, series, other = uid(), uid(), uid()
    data = ct_image(sop, series, sop_class=MR_IMAGE)
    with Peer(receiver.port) as peer:
        peer.associate()
        response = peer.store(data, other)
        peer.release()
    assert response.status == 0xB007
    assert "data set" in response.comment
    assert receiver.data_sets() == [data]
    (line,) = receiver.tag_lines()
    assert (line["MediaStorageSOPInstanceUID"], line["MediaStorageSOPClassUID"]) == (sop, MR_IMAGE)
    assert (line["AffectedSOPInstanceUID"], line["AffectedSOPClassUID"]) == (other, CT_IMAGE)
    assert line["FileSize"] == receiver.images()[0].stat().st_size
    assert receiver.events("image.received")[0]["details"]["sop"] == sop


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(nested_sequences(20_000), "", id="nested"),
        pytest.param(b"\x08\0\x18\0UI\xff\xff1.2", "", id="torn"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"<html>" * 50, "", id="no dicom"),
    ],
)
def test_what_cannot_be_read_goes_to_quarantine(start_receiver: StartReceiver, data: bytes, reason: str) -> None:
    receiver = start_receiver()
    good = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        response = peer.store(data, "1.2.3.4")
        assert response.status == 0xC000
        assert response.comment.startswith("Cannot understand: ")
        # The association stays of use.
        assert peer.store(ct_image(good, uid()), good).status == 0
        peer.release()
    (entry,) = receiver.quarantined()
    event = receiver.event("image.quarantined")
    assert entry.name == event["details"]["entry"] == event["details"]["image"]
    assert data_set_of((entry / "object.part").read_bytes()) == data
    told = json.loads((entry / "reason.json").read_text())
    assert told["reason"] == event["details"]["reason"]
    assert reason in told["reason"]
    assert (told["sop"], told["calling_aet"], told["bytes"]) == (
        "1.2.3.4",
        "PEER",
        (entry / "object.part").stat().st_size,
    )
    assert len(receiver.images()) == 1
    assert receiver.event("association.closed")["details"]["refused"] == 1


def test_commands_that_store_nothing_are_answered_truthfully(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((Context(1, CT_IMAGE, (EXPLICIT_LITTLE,)), Context(3, VERIFICATION))))
        peer.send(message(1, store_command("1.2.3", data_set=NO_DATA_SET)))
        assert peer.response().status == 0xC000
        peer.send(message(3, store_command("1.2.3"), ct_image("1.2.3", "1.2")))
        assert peer.response().status == 0x0122
        peer.send(message(1, echo_command(9, 0x0020)))
        answer = peer.response()
        assert (answer.field, answer.message, answer.status) == (0x8020, 9, 0x0211)
        peer.send(message(1, echo_command(10, 0x0FFF)))  # C-CANCEL has no response
        peer.send(message(3, echo_command(11)))
        assert peer.response().message == 11
        peer.release()
    assert receiver.images() == []


def test_a_window_of_asynchronous_operations_is_not_granted_but_stood(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sops, series = [uid() for _ in range(20)], uid()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(user_items=asynchronous_operations(8, 8)))
        stream = [message(1, store_command(sop, message=n), ct_image(sop, series)) for n, sop in enumerate(sops)]
        peer.send(b"".join(stream))
        assert [peer.response().message for _ in sops] == list(range(20))
        peer.release()
    assert len(receiver.images()) == 20


def test_names_in_odd_bytes_do_not_break_event_or_log(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=b'A"\xff\x1b[2J'))
        peer.store(ct_image(sop, uid()), sop)
        peer.release()
    closed = receiver.event("association.closed")
    assert closed["details"]["calling_aet"].startswith('A"\ufffd')
    assert any(line["message"] == "an association ended" for line in receiver.log())


def test_text_that_cannot_be_decoded_rejects_nothing(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    sop = uid()
    data = text(0x00080005, b"CS", "ISO_IR 192") + ct_image(sop, uid())
    data = data.replace(b"Secret^Name ", b"Secret^\xff\xfe\xfd  ")
    sequence = element(0x00081140, b"SQ", b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(data.replace(b"\x08\x00\x50\x00", sequence + b"\x08\x00\x50\x00"), sop).status == 0
        peer.release()
    (line,) = receiver.tag_lines()
    assert "PatientName" in line["DecodingProblems"][0]
    assert line["PatientName"].startswith("Secret^\ufffd")


def test_the_log_holds_no_patient_data(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(log_level="debug")
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.store(ct_image(sop, uid()), sop)
        broken = (
            text(0x00100010, b"PN", "Secret^Name") + text(0x00100020, b"LO", "PATIENT-1") + struct.pack("<HH", 1, 1)
        )
        assert peer.store(broken, "1.2").status == 0xC000
        peer.release()
    receiver.event("association.closed")
    output = receiver.program.output()
    assert "Secret" not in output
    assert "PATIENT-1" not in output


SHAPE = element(0x00280010, b"US", b"\x40\0") + element(0x00280011, b"US", b"\x40\0")
SHAPE += element(0x00280100, b"US", b"\x10\0")
WHOLE = bytes(64 * 64 * 2)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (element(0x7FE00010, b"OW", WHOLE[:-2]), "the pixel data has 8190 of 8192 bytes"),
        (element(0x7FE00010, b"OW", WHOLE)[:-1], "the data set breaks off within the pixel data"),
        (b"", "the pixel data is missing"),
        (element(0x7FE00010, b"OW", WHOLE), None),
    ],
    ids=["short", "torn", "missing", "whole"],
)
def test_pixel_data_that_is_not_whole_is_kept_and_told(
    start_receiver: StartReceiver, rest: bytes, reason: str | None
) -> None:
    receiver = start_receiver()
    series = uid()
    head = ct_image(None, series, pixels=b"").removesuffix(element(0x7FE00010, b"OW", b""))
    with Peer(receiver.port) as peer:
        peer.associate()
        for _ in range(3):
            assert peer.store(head + SHAPE + rest, uid()).status == 0
        peer.release()
    receiver.until_idle()
    told = receiver.events("image.truncated")
    logged = [line for line in receiver.log() if "not whole" in line["message"]]
    assert len(receiver.events("image.received")) == 3
    if reason is None:
        assert (told, logged) == ([], [])
        return
    assert [event["details"]["reason"].startswith(reason) for event in told] == [True, True, True]
    assert {(event["series"], event["details"]["calling_aet"]) for event in told} == {(series, "PEER")}
    assert [(line["level"], line["series"]) for line in logged] == [("warning", series)], "once for a series"
