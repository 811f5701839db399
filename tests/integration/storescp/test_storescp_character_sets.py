"""Texts of senders that name no character set: read by the one that the configuration assumes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercure.config import Config
from mercure.dicom.records import made_again
from tests.support.data_sets import ct_image, element, text, uid
from tests.support.dicom_peer import Peer, associate_rq

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

PLAIN, LATIN = text(0x00100010, b"PN", "Secret^Name"), element(0x00100010, b"PN", b"M\xfcller^Zo\xeb")
SENDERS = {"old": {"ae_titles": ["OLD"], "character_set": "ISO_IR 100"}, "any": {"addresses": ["127.0.0.0/8"]}}


def stored(receiver: Receiver, calling: bytes, name: bytes = LATIN) -> dict[str, Any]:
    """Send an image that names no character set, and return its tag line."""
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq(calling=calling))
        assert peer.store(ct_image(sop, uid()).replace(PLAIN, name), sop).status == 0
        peer.release()
    (line,) = [line for line in receiver.tag_lines() if line["SOPInstanceUID"] == sop]
    return line


def test_the_set_of_the_sender_counts_before_that_of_all(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(character_set="ISO_IR 144", senders=list(SENDERS.values()))
    line = stored(receiver, b"OLD")
    assert line["PatientName"] == "Müller^Zoë"
    assert line["DecodingProblems"] == ["PatientName: no character set, read as ISO_IR 100"]
    assert stored(receiver, b"OTHER")["PatientName"] == "Mќller^Zoы"


def test_nothing_is_assumed_by_default_and_utf_8_is_known_by_itself(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    assert stored(receiver, b"OLD")["PatientName"] == "M\ufffdller^Zo\ufffd"
    utf8 = element(0x00100010, b"PN", "Müller ".encode())
    assert stored(receiver, b"OLD", utf8)["PatientName"] == "Müller"
    assert "DecodingProblems" not in stored(receiver, b"OLD", PLAIN)


def test_a_tag_line_that_is_made_again_says_the_same(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=list(SENDERS.values()))
    line = stored(receiver, b"OLD")
    (image,) = receiver.images()
    config = Config.model_validate({"senders": SENDERS})
    again = made_again(image.parent, [image.name], config.character_set_of)[image.name]
    assert {key: again.get(key) for key in line if key != "ReceivedAt"} == {
        key: value for key, value in line.items() if key != "ReceivedAt"
    }
