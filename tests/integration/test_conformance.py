"""What the conformance statement says of associations, real ones do: as receiver, as sender, and with an echo."""

from __future__ import annotations

import zlib
from itertools import permutations
from pathlib import Path

import pytest

from mercure.config.models import Receiver as ReceiverSettings
from mercure.dicom.echo import echo
from mercure.targets import DicomSettings
from tests.support.conformance import statement
from tests.support.dicom_peer import CT_IMAGE, EXPLICIT_LITTLE, VERIFICATION, Context, Peer, Rejected, associate_rq
from tests.support.pictures import SECONDARY_CAPTURE, file_of
from tests.support.raw_target import AssociationRequest, raw_target
from tests.support.receiver import receiver
from tests.support.storescu import send

ACCEPTED, NO_ABSTRACT_SYNTAX = 0, 3
MOST = 100
"""Contexts of one association here."""

MAX_PDU, IMPLEMENTATION, VERSION = 0x51, 0x52, 0x55
"""Items of the user information: of extended negotiation there is none."""

DEFLATED = "1.2.840.10008.1.2.1.99"
OTHERS = ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.94", "1.2.3.4.5")
"""Video, JPIP, and a private transfer syntax."""


def chosen_by_rank(proposed: tuple[str, ...]) -> str:
    """Return the transfer syntax that the page says is accepted of several."""
    ranks = statement().ranks()

    def rank(uid: str) -> int:
        if uid == statement().NATIVE[0]:
            return 1
        fits = next((ranks[row] for row in ranks if uid == row or uid.startswith(f"{row}.")), "Other")
        return ("Compressed", "Uncompressed", "Other").index(fits)

    return min(proposed, key=rank)


def test_the_receiver_negotiates_as_the_statement_says(tmp_path: Path) -> None:
    tool = statement()
    syntaxes = (
        EXPLICIT_LITTLE,
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.5",
        OTHERS[1],
        OTHERS[2],
    )
    wanted = dict.fromkeys([*tool.stored_classes(), VERIFICATION, "1.2.3.4.5.6"], ACCEPTED)
    wanted |= dict.fromkeys(tool.refused_services(), NO_ABSTRACT_SYNTAX)
    pairs = [*permutations(syntaxes, 2)]
    with receiver(tmp_path / "receiver") as running:
        said: dict[str, int] = {}
        for start in range(0, len(wanted), MOST):
            names = [*wanted][start : start + MOST]
            contexts = tuple(Context(2 * place + 1, name) for place, name in enumerate(names))
            with Peer(running.port) as peer:
                accepted = peer.associate(associate_rq(contexts))
                peer.release()
            said |= {name: accepted.results[2 * place + 1] for place, name in enumerate(names)}
        with Peer(running.port) as peer:
            contexts = tuple(Context(2 * place + 1, CT_IMAGE, pair) for place, pair in enumerate(pairs))
            accepted = peer.associate(associate_rq(contexts))
            peer.release()
    assert said == wanted
    assert {pair: accepted.syntaxes[2 * place + 1] for place, pair in enumerate(pairs)} == {
        pair: chosen_by_rank(pair) for pair in pairs
    }
    assert (accepted.implementation, accepted.version) == tool.implementation()
    assert accepted.max_pdu == ReceiverSettings().max_pdu


@pytest.mark.parametrize(
    ("request_", "rejection"),
    [
        (associate_rq(application="1.2.3"), ("1", "1", "2")),
        (associate_rq(called=b"OTHER"), ("1", "1", "7")),
    ],
)
def test_the_receiver_rejects_as_the_statement_says(
    request_: bytes, rejection: tuple[str, str, str], tmp_path: Path
) -> None:
    assert rejection in [row[:3] for row in statement()._REJECTIONS]
    with (
        receiver(tmp_path / "receiver", called_aets=["MERCURE"]) as running,
        Peer(running.port) as peer,
        pytest.raises(Rejected) as raised,
    ):
        peer.associate(request_)
    assert (raised.value.result, raised.value.source, raised.value.reason) == tuple(map(int, rejection))


def proposed_for(files: list[Path], *options: str) -> AssociationRequest:
    """Return what the sender asks of a target for some files."""
    requests: list[AssociationRequest] = []
    with raw_target(lambda peer: requests.append(peer.read_request())) as target:
        send(target.port, files, *options)
    return requests[0]


def file_in(folder: Path, syntax: str) -> Path:
    path = folder / f"{syntax}.dcm"
    data_set = bytes(64)
    if syntax == DEFLATED:
        data_set = zlib.compress(data_set, wbits=-15)
    path.write_bytes(file_of(syntax, data_set))
    return path


def test_the_sender_proposes_as_the_statement_says(tmp_path: Path) -> None:
    tool = statement()
    converted = [*tool.uncompressed(), *tool.decoded()]
    for syntaxes, also in ((converted, tool.NATIVE), (OTHERS, ())):
        request = proposed_for([file_in(tmp_path, syntax) for syntax in syntaxes])
        contexts = list(request.contexts.values())
        assert all(len(proposed) == 1 for _, proposed in contexts), "one transfer syntax in each context"
        assert sorted(contexts) == sorted((SECONDARY_CAPTURE, [uid]) for uid in {*syntaxes, *also})
    for syntax in OTHERS:
        assert list(proposed_for([file_in(tmp_path, syntax)]).contexts.values()) == [(SECONDARY_CAPTURE, [syntax])]


def test_the_sender_says_who_it_is_and_negotiates_nothing_else(tmp_path: Path) -> None:
    user = proposed_for([file_in(tmp_path, EXPLICIT_LITTLE)]).user_information
    assert set(user) == {MAX_PDU, IMPLEMENTATION, VERSION}
    assert (user[IMPLEMENTATION].decode(), user[VERSION].decode()) == statement().implementation()
    assert int.from_bytes(user[MAX_PDU], "big") == DicomSettings.model_fields["max_pdu"].default


def test_an_echo_says_who_it_is() -> None:
    requests: list[AssociationRequest] = []
    with raw_target(lambda peer: requests.append(peer.read_request())) as target:
        echo("127.0.0.1", target.port, called_aet="NODE", calling_aet="MERCURE", timeout=5)
    user = requests[0].user_information
    assert set(user) == {MAX_PDU, IMPLEMENTATION, VERSION}
    assert (user[IMPLEMENTATION].decode(), user[VERSION].decode()) == statement().implementation()
    assert {sop_class for sop_class, _ in requests[0].contexts.values()} == {VERIFICATION}
