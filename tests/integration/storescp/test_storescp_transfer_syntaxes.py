"""Which transfer syntax a sender is given: as it is set, and as was learned of one that could not send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    ABORT_BY_USER,
    CT_IMAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    VERIFICATION,
    Context,
    Peer,
    associate_rq,
    echo_command,
    message,
)

if TYPE_CHECKING:
    from tests.support.receiver import Receiver, StartReceiver

JPEG = "1.2.840.10008.1.2.4.70"
DEFLATED = "1.2.840.10008.1.2.1.99"
PRIVATE = "1.2.3.4.5"
MIXED = Context(1, CT_IMAGE, (JPEG, EXPLICIT_LITTLE))


def given(receiver: Receiver, *contexts: Context, calling: bytes = b"CT1", source: str = "127.0.0.1") -> dict[int, str]:
    """Propose, release, and return what was accepted; an echo says that the sender is well."""
    with Peer(receiver.port, source=source) as peer:
        accepted = peer.associate(associate_rq((*contexts, Context(255, VERIFICATION)), calling=calling))
        peer.send(message(255, echo_command()))
        assert peer.response().status == 0
        peer.release()
    good = {number for number, result in accepted.results.items() if result == 0} - {255}
    return {number: accepted.syntaxes[number] for number in good}


def test_as_it_is_held_by_default(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    assert given(receiver, MIXED, Context(3, CT_IMAGE, (EXPLICIT_LITTLE, JPEG))) == {1: JPEG, 3: JPEG}


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        ((JPEG, EXPLICIT_LITTLE), EXPLICIT_LITTLE),
        ((JPEG, IMPLICIT_LITTLE, EXPLICIT_LITTLE), IMPLICIT_LITTLE),
        ((DEFLATED, JPEG, EXPLICIT_LITTLE), EXPLICIT_LITTLE),
        ((JPEG, DEFLATED), DEFLATED),
        ((JPEG,), JPEG),
        ((PRIVATE,), PRIVATE),
    ],
)
def test_uncompressed_where_it_is_offered(start_receiver: StartReceiver, proposed: tuple[str, ...], taken: str) -> None:
    receiver = start_receiver(transfer_syntaxes="uncompressed")
    assert given(receiver, Context(1, CT_IMAGE, proposed)) == {1: taken}


def test_uncompressed_where_it_is_offered_in_another_context(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(transfer_syntaxes="uncompressed")
    other = Context(5, "1.2.840.10008.5.1.4.1.1.4", (JPEG,))
    assert given(receiver, Context(1, CT_IMAGE, (JPEG,)), Context(3, CT_IMAGE), other) == {3: IMPLICIT_LITTLE, 5: JPEG}
    assert receiver.event("context.refused")["details"]["what"] == "transfer syntaxes"


def test_one_sender_may_be_an_exception(start_receiver: StartReceiver) -> None:
    senders = [
        {"ae_titles": ["CT1"], "addresses": ["127.0.0.2/32"], "transfer_syntaxes": "uncompressed"},
        {"ae_titles": ["CT2"]},
    ]
    receiver = start_receiver(senders=senders)
    assert given(receiver, MIXED, source="127.0.0.2") == {1: EXPLICIT_LITTLE}
    assert given(receiver, MIXED) == {1: JPEG}
    assert given(receiver, MIXED, calling=b"CT2", source="127.0.0.2") == {1: JPEG}
    receiver.configure(
        transfer_syntaxes="uncompressed",
        senders=[{"ae_titles": ["CT1"], "transfer_syntaxes": "as-the-sender-holds-it"}],
    )
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.release()
    assert given(receiver, MIXED) == {1: JPEG}
    assert given(receiver, MIXED, calling=b"CT2") == {1: EXPLICIT_LITTLE}


@pytest.mark.parametrize("how", ["abort", "release", "close", "abort after an image"])
def test_who_cannot_send_what_it_mixes_gets_the_other_kind_the_next_time(
    start_receiver: StartReceiver, how: str
) -> None:
    receiver = start_receiver()
    with Peer(receiver.port) as peer:
        assert peer.associate(associate_rq((MIXED,), calling=b"CT1")).syntaxes == {1: JPEG}
        if how == "abort after an image":
            assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        if how.startswith("abort"):
            peer.send(ABORT_BY_USER)
        elif how == "release":
            peer.release()
    told = receiver.event("sender.uncompressed")["details"]
    assert (told["calling_aet"], told["address"], told["transfer_syntax"]) == ("CT1", "127.0.0.1", JPEG)
    receiver.until_idle()
    separate = Context(3, CT_IMAGE, (JPEG,))
    assert given(receiver, MIXED, separate) == {1: EXPLICIT_LITTLE, 3: JPEG}
    assert given(receiver, MIXED, calling=b"CT2") == {1: JPEG}
    assert given(receiver, MIXED, source="127.0.0.2") == {1: JPEG}
    again = start_receiver(folder=receiver.spool.parent)  # the hint is on disk
    assert given(again, MIXED) == {1: EXPLICIT_LITTLE}
    assert len(receiver.events("sender.uncompressed")) == 1


def test_nobody_is_taken_for_unable_without_a_sign(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    for contexts in ((Context(1, CT_IMAGE, (JPEG,)),), (Context(1, CT_IMAGE, (EXPLICIT_LITTLE, IMPLICIT_LITTLE)),)):
        with Peer(receiver.port) as peer:
            peer.associate(associate_rq(contexts, calling=b"CT1"))
            peer.send(ABORT_BY_USER)
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((MIXED,), calling=b"CT1"))
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        peer.release()
    receiver.until_idle()
    assert given(receiver, MIXED) == {1: JPEG}
    assert receiver.events("sender.uncompressed") == []


def test_what_a_person_decided_of_a_sender_counts_more(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(senders=[{"ae_titles": ["CT1"], "transfer_syntaxes": "as-the-sender-holds-it"}])
    for _ in range(2):
        with Peer(receiver.port) as peer:
            assert peer.associate(associate_rq((MIXED,), calling=b"CT1")).syntaxes == {1: JPEG}
            peer.send(ABORT_BY_USER)
        receiver.until_idle()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"senders": 1}', '{"senders": [1, {"calling_aet": 2}]}'])
def test_a_damaged_hint_is_none(start_receiver: StartReceiver, content: str) -> None:
    folder = start_receiver().spool.parent
    state = folder / "spool" / "state"
    state.mkdir(exist_ok=True)
    (state / "unable-senders.json").write_text(content)
    receiver = start_receiver(folder=folder)
    assert given(receiver, MIXED) == {1: JPEG}


def test_the_hint_is_bounded(start_receiver: StartReceiver) -> None:
    folder = start_receiver().spool.parent
    state = folder / "spool" / "state"
    state.mkdir(exist_ok=True)
    known = [{"calling_aet": f"CT{number}", "address": "192.0.2.1"} for number in range(1000)]
    (state / "unable-senders.json").write_text(json.dumps({"version": 1, "senders": known}))
    receiver = start_receiver(folder=folder)
    with Peer(receiver.port) as peer:
        peer.associate(associate_rq((MIXED,), calling=b"CT1"))
        peer.send(ABORT_BY_USER)
    receiver.event("sender.uncompressed")
    kept = json.loads((state / "unable-senders.json").read_text())["senders"]
    assert kept == [*known[1:], {"calling_aet": "CT1", "address": "127.0.0.1"}]
