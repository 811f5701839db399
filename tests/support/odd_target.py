"""A DICOM target that answers in odd ways: what PS3.7 section 9.3.1.2 asks of a C-STORE response, but for one thing."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.raw_target import DATA, RELEASE_REQUEST, RELEASE_RESPONSE, command_element, pdu

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.raw_target import Peer

Elements = dict[int, bytes]
CLASS, FIELD, REQUEST_ID, ANSWERED_ID, DATA_SET_TYPE, STATUS, INSTANCE = 0x2, 0x100, 0x110, 0x120, 0x800, 0x900, 0x1000
COMMAND, LAST = 1, 2


def elements_of(command: bytes) -> Elements:
    """Return the elements of a command set, by number."""
    found = {}
    while command:
        _, number, length = struct.unpack("<HHI", command[:8])
        found[number] = command[8 : 8 + length]
        command = command[8 + length :]
    return found


def encoded(elements: Elements, *, group_length: bool = True) -> bytes:
    """Return a command set."""
    body = b"".join(command_element(number, value) for number, value in sorted(elements.items()))
    return (command_element(0, struct.pack("<I", len(body))) if group_length else b"") + body


def _without(*numbers: int) -> Callable[[Elements], Elements]:
    return lambda answer: {number: value for number, value in answer.items() if number not in numbers}


def _with(number: int, value: bytes) -> Callable[[Elements], Elements]:
    return lambda answer: {**answer, number: value}


def _other_message(answer: Elements) -> Elements:
    (number,) = struct.unpack("<H", answer[ANSWERED_ID])
    return {**answer, ANSWERED_ID: struct.pack("<H", number + 7)}


def _longer_instance(answer: Elements) -> Elements:
    return {**answer, INSTANCE: answer[INSTANCE].rstrip(b"\0") + b".1"}


CHANGES: Final[dict[str, Callable[[Elements], Elements]]] = {
    "plain": lambda answer: answer,
    "no uids": _without(CLASS, INSTANCE),
    "uids of length 0": lambda answer: {**answer, CLASS: b"", INSTANCE: b""},
    "other class": _with(CLASS, b"1.2.840.10008.5.1.4.1.1.4\0"),
    "instance padded with a blank": lambda answer: {**answer, INSTANCE: answer[INSTANCE].rstrip(b"\0") + b" "},
    "no group length": lambda answer: answer,
    "status of 4 bytes": _with(STATUS, bytes(4)),
    "says a data set follows, none does": _with(DATA_SET_TYPE, bytes(2)),
    "data set in the answer": _with(DATA_SET_TYPE, bytes(2)),
    "twice": lambda answer: answer,
    "early refusal": _with(STATUS, struct.pack("<H", 0xA700)),
    "other message id": _other_message,
    "no message id": _without(ANSWERED_ID),
    "other instance": _with(INSTANCE, b"9.9.9.9.9\0"),
    "instance with one more part": _longer_instance,
    "no status": _without(STATUS),
    "status of 1 byte": _with(STATUS, bytes(1)),
    "status of 4 bytes, big": _with(STATUS, struct.pack(">I", 0xA700)),
    "command field of a request": _with(FIELD, b"\1\0"),
    "early": lambda answer: answer,
    "early warning": _with(STATUS, struct.pack("<H", 0xB000)),
}
"""What is changed in each kind of answer."""


@dataclass
class OddTarget:
    """Accepts everything, and answers each image in one odd way.

    Parameters
    ----------
    kind
        Which of `CHANGES`.
    taken
        The instances that arrived whole and were answered, in this order.
    """

    kind: str
    taken: list[str] = field(default_factory=list)

    def serve(self, peer: Peer) -> None:
        """Serve one connection to its end."""
        peer.accept(max_pdu=4096)
        command, answered = b"", False
        while True:
            kind, body = peer.read_pdu()
            if kind == RELEASE_REQUEST:
                peer.write(pdu(RELEASE_RESPONSE, bytes(4)))
            if kind != DATA:
                return
            while body:
                length, context, control = struct.unpack(">IBB", body[:6])
                piece, body = body[6 : 4 + length], body[4 + length :]
                if control & COMMAND:
                    command, answered = command + piece, False
                    continue
                if not answered and (self.kind.startswith("early") or control & LAST):
                    self._answer(peer, context, elements_of(command))
                    answered = True
                if control & LAST:
                    self.taken.append(elements_of(command)[INSTANCE].rstrip(b"\0").decode())
                    command = b""

    def _answer(self, peer: Peer, context: int, request: Elements) -> None:
        answer = {
            CLASS: request[CLASS],
            FIELD: struct.pack("<H", 0x8001),
            ANSWERED_ID: request[REQUEST_ID],
            DATA_SET_TYPE: struct.pack("<H", 0x0101),
            STATUS: bytes(2),
            INSTANCE: request[INSTANCE],
        }
        bytes_ = encoded(CHANGES[self.kind](answer), group_length=self.kind != "no group length")
        peer.write_command(context, bytes_)
        if self.kind == "twice":
            peer.write_command(context, bytes_)
        if self.kind == "data set in the answer":
            peer.write(pdu(DATA, struct.pack(">IBB", 12, context, LAST) + bytes(10)))
