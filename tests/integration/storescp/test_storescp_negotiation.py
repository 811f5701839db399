"""Who is let in, and what of a proposal is accepted."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from pydicom._uid_dict import UID_dictionary

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    ABORT,
    CT_IMAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    MR_IMAGE,
    VERIFICATION,
    Aborted,
    Closed,
    Context,
    Peer,
    Rejected,
    associate_rq,
    message,
    pdu,
    store_command,
)

if TYPE_CHECKING:
    from tests.support.receiver import StartReceiver

ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
CONTEXTS_AT_ONCE = 100

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
HTJ2K = "1.2.840.10008.1.2.4.201"
JPIP = "1.2.840.10008.1.2.4.94"
PRIVATE = "1.2.840.113619.5.2"


def standard_sop_classes() -> dict[str, bool]:
    """Return the SOP classes that pydicom knows, and whether each is for storage, by its name."""
    found = {}
    for number, (name, kind, _, retired, *_) in UID_dictionary.items():
        if kind in {"SOP Class", "Meta SOP Class"} and name and number != VERIFICATION:
            is_storage = "Storage" in name and "Commitment" not in name and "Media Storage Directory" not in name
            found[number] = is_storage
            assert retired in {"", "Retired"}
    return found


def test_every_storage_class_is_accepted_and_no_other_service(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    classes = standard_sop_classes()
    assert sum(classes.values()) > 150
    results: dict[str, int] = {}
    names = list(classes)
    for start in range(0, len(names), CONTEXTS_AT_ONCE):
        contexts = tuple(
            Context(2 * place + 1, name) for place, name in enumerate(names[start : start + CONTEXTS_AT_ONCE])
        )
        with Peer(receiver.port) as peer:
            accepted = peer.associate(associate_rq(contexts))
            peer.release()
        results.update({context.abstract_syntax: accepted.results[context.number] for context in contexts})
    wrong = {name for name, is_storage in classes.items() if (results[name] == 0) != is_storage}
    assert wrong == set()
    assert {results[name] for name, is_storage in classes.items() if not is_storage} == {ABSTRACT_SYNTAX_NOT_SUPPORTED}


def test_listed_sop_classes_are_the_only_ones(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(sop_classes=[MR_IMAGE])
    with Peer(receiver.port) as peer:
        contexts = (Context(1, CT_IMAGE), Context(3, MR_IMAGE), Context(5, VERIFICATION))
        accepted = peer.associate(associate_rq(contexts))
    assert accepted.results == {1: ABSTRACT_SYNTAX_NOT_SUPPORTED, 3: 0, 5: 0}


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((IMPLICIT_LITTLE, EXPLICIT_LITTLE), IMPLICIT_LITTLE),
        ((EXPLICIT_LITTLE, BIG_ENDIAN, IMPLICIT_LITTLE), EXPLICIT_LITTLE),
        ((EXPLICIT_LITTLE, JPEG_LOSSLESS, JPEG_2000), JPEG_LOSSLESS),
        ((IMPLICIT_LITTLE, RLE), RLE),
        ((EXPLICIT_LITTLE, HTJ2K), HTJ2K),
        ((EXPLICIT_LITTLE, DEFLATED), EXPLICIT_LITTLE),
        ((DEFLATED, EXPLICIT_LITTLE), DEFLATED),
        ((PRIVATE, IMPLICIT_LITTLE), IMPLICIT_LITTLE),
        ((JPIP, EXPLICIT_LITTLE), EXPLICIT_LITTLE),
        ((PRIVATE,), PRIVATE),
        ((JPIP,), JPIP),
    ],
)
def test_the_form_that_the_sender_most_likely_holds_is_taken(
    start_receiver: StartReceiver, proposed: tuple[str, ...], chosen: str
) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        accepted = peer.associate(associate_rq((Context(1, CT_IMAGE, proposed),)))
        peer.release()
    assert accepted.syntaxes == {1: chosen}


def test_more_transfer_syntaxes_than_dcmtk_has_room_for(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    many = tuple(f"1.3.6.1.4.1.5962.99.{number}" for number in range(150))
    with Peer(receiver.port) as peer:
        accepted = peer.associate(
            associate_rq((Context(1, CT_IMAGE, (*many, EXPLICIT_LITTLE)), Context(3, CT_IMAGE, (EXPLICIT_LITTLE,))))
        )
        peer.release()
    assert accepted.syntaxes == {1: EXPLICIT_LITTLE, 3: EXPLICIT_LITTLE}


def test_of_a_context_proposed_twice_the_first_counts(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    contexts = (Context(3, CT_IMAGE, (EXPLICIT_LITTLE,)), Context(3, MR_IMAGE, (IMPLICIT_LITTLE,)))
    with Peer(receiver.port) as peer:
        accepted = peer.associate(associate_rq(contexts))
        peer.release()
    assert accepted.syntaxes == {3: EXPLICIT_LITTLE}


def refusal(port: int, request: bytes) -> Rejected:
    with Peer(port) as peer, pytest.raises(Rejected) as caught:
        peer.associate(request)
    return caught.value


def test_called_titles_are_checked_when_listed(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(ae_title="MERCURE", called_aets=["ARCHIVE"])
    rejected = refusal(receiver.port, associate_rq(called=b"OTHER", calling=b"SCANNER"))
    assert (rejected.result, rejected.source, rejected.reason) == (1, 1, 7)
    event = receiver.event("association.refused")
    assert event["details"]["called_aet"] == "OTHER"
    assert event["details"]["calling_aet"] == "SCANNER"
    assert event["details"]["address"] == "127.0.0.1"
    assert "called" in event["details"]["reason"]
    for title in (b"ARCHIVE", b"MERCURE"):
        with Peer(receiver.port) as peer:
            peer.associate(associate_rq(called=title))
            peer.release()


@pytest.mark.parametrize(
    ("access", "sender", "calling", "reason"),
    [
        ("open", {}, b"ANYBODY", None),
        ("listed", {"ae_titles": ["SCANNER"]}, b"SCANNER", None),
        ("listed", {"ae_titles": ["SCANNER"]}, b" SCANNER", None),
        ("listed", {"ae_titles": ["SCANNER"]}, b"STRANGER", 3),
        ("listed", {"ae_titles": ["SCANNER"]}, b"scanner", 3),
        ("listed", {"ae_titles": ["SCANNER"]}, b"SCANNER 2", 3),
        ("listed", {"addresses": ["127.0.0.0/8"]}, b"ANYBODY", None),
        ("listed", {"addresses": ["192.0.2.0/24", "2001:db8::/32"]}, b"ANYBODY", 3),
        ("listed", {"ae_titles": ["SCANNER"], "addresses": ["192.0.2.0/24"]}, b"SCANNER", 3),
        ("open", {"ae_titles": ["SCANNER"], "addresses": ["192.0.2.0/24"]}, b"ANYBODY", None),
        ("learn", {"ae_titles": ["SCANNER"], "addresses": ["192.0.2.0/24"]}, b"ANYBODY", None),
        ("open", {"ae_titles": ["SCANNER"], "disabled": True}, b"SCANNER", 3),
        ("learn", {"ae_titles": ["SCANNER"], "disabled": True}, b"SCANNER", 3),
        ("listed", {"ae_titles": ["SCANNER"], "disabled": True}, b"SCANNER", 3),
        ("open", {"ae_titles": ["SCANNER"], "disabled": True}, b"ANYBODY", None),
        ("open", {"ae_titles": ["SCANNER"], "called_aets": ["OTHER"]}, b"SCANNER", 7),
        ("open", {"ae_titles": ["SCANNER"], "called_aets": ["OTHER"]}, b"ANYBODY", None),
        ("listed", {"ae_titles": ["SCANNER"], "called_aets": ["OTHER", "MERCURE"]}, b"SCANNER", None),
    ],
)
def test_senders_are_checked_when_listed(
    start_receiver: StartReceiver, access: str, sender: dict[str, Any], calling: bytes, reason: int | None
) -> None:
    senders = [{"name": "ct", **sender}] if sender else []
    receiver = start_receiver(access=access, senders=senders)
    request = associate_rq(calling=calling)
    if reason is None:
        with Peer(receiver.port) as peer:
            peer.associate(request)
            peer.release()
    else:
        rejected = refusal(receiver.port, request)
        assert (rejected.result, rejected.source, rejected.reason) == (1, 1, reason)
        assert receiver.event("association.refused")["details"]["calling_aet"] == calling.decode().strip()
        assert receiver.events("association.opened") == []


def test_another_application_context_is_refused(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    rejected = refusal(receiver.port, associate_rq(application="1.2.3"))
    assert (rejected.result, rejected.source, rejected.reason) == (1, 1, 2)


def test_another_protocol_version_is_refused(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    rejected = refusal(receiver.port, associate_rq(protocol=2))
    assert (rejected.result, rejected.source, rejected.reason) == (1, 2, 2)


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
        pdu(1, b"\0" * 10),
        pdu(1, b"\0\1" + b"\xff" * 200),
        b"\1\0\xff\xff\xff\xff" + b"\0" * 200,
        pdu(4, b"\0" * 30),
        pdu(7, b"\0\0\0\0"),
    ],
    ids=["http", "tls", "short request", "nonsense request", "huge request", "data first", "abort first"],
)
def test_what_is_no_association_request_is_refused_and_told(start_receiver: StartReceiver, noise: bytes) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer, pytest.raises((Aborted, Closed)):
        peer.associate(noise)
    assert receiver.event("association.refused")["details"]["address"] == "127.0.0.1"
    receiver.until_idle()
    assert receiver.events("association.opened") == []


def test_a_probe_of_the_port_is_not_told(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    for _ in range(3):
        with Peer(receiver.port):
            pass
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.release()
    receiver.event("association.closed")
    receiver.until_idle()
    assert receiver.events("association.refused") == []


def test_data_on_a_context_that_was_not_accepted_ends_the_association(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.send(message(9, store_command("1.2.3"), ct_image("1.2.3", uid())))
        kind, _ = peer.read_pdu()
    assert kind == ABORT
    assert receiver.event("association.closed")["details"]["how"] == "aborted"
    assert receiver.images() == []


def test_the_dcmtk_tools_get_along_with_it(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    target = ["127.0.0.1", str(receiver.port)]
    assert subprocess.run(["echoscu", *target], timeout=30, check=False).returncode == 0
    find = ["findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", *target]
    assert subprocess.run(find, timeout=30, check=False, capture_output=True).returncode != 0
    receiver.event("association.closed", count=2)
