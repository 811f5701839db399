"""What two DICOM nodes said to each other, from the bytes between them (PS3.8 section 9.3, PS3.7 section 9.3.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASSOCIATE_RQ, ASSOCIATE_AC, P_DATA = 1, 2, 4
PROPOSED, ANSWERED, ABSTRACT, TRANSFER = 0x20, 0x21, 0x30, 0x40
COMMAND, LAST = 1, 2
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
CLASS, FIELD, STATUS, INSTANCE = 0x0002, 0x0100, 0x0900, 0x1000
ACCEPTED: Final = 0
_FIXED_FIELDS: Final = 68


@dataclass(frozen=True)
class Context:
    """A presentation context: what was proposed, and what was chosen of it (None: it was refused)."""

    sop_class: str
    proposed: tuple[str, ...]
    chosen: str | None


@dataclass
class Stored:
    """A C-STORE: the instance and its data set as they went, and the status that came back (None: none did)."""

    instance: str
    syntax: str
    data_set: bytes
    status: int | None = None


@dataclass
class Conversation:
    """An association."""

    contexts: list[Context] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)


def conversation(heard: Mapping[str, bytearray]) -> Conversation:
    """Read one connection."""
    said = Conversation()
    answers: dict[int, tuple[int, str]] = {}
    for kind, body in _pdus(bytes(heard["back"])):
        if kind == ASSOCIATE_AC:
            answers = {content[0]: (content[2], _syntaxes(content)[0]) for content in _contexts(body, ANSWERED)}
    chosen: dict[int, str] = {}
    was_answered = bool(answers)  # a sender that goes away before the answer was refused nothing
    for kind, body in _pdus(bytes(heard["there"])):
        if kind == ASSOCIATE_RQ and was_answered:
            for content in _contexts(body, PROPOSED):
                result, syntax = answers.get(content[0], (-1, ""))
                names = [text.decode().rstrip("\0 ") for item, text in _items(content[4:]) if item == ABSTRACT]
                picked = syntax if result == ACCEPTED else None
                said.contexts.append(Context(names[0], tuple(_syntaxes(content)), picked))
                chosen[content[0]] = picked or ""
    statuses = [
        _number(command, STATUS) for _, command, _ in _messages(bytes(heard["back"])) if _is(command, C_STORE_RSP)
    ]
    for context, command, data in _messages(bytes(heard["there"])):
        if _is(command, C_STORE_RQ):
            instance = command.get(INSTANCE, b"").decode().rstrip("\0 ")
            status = statuses[len(said.stored)] if len(said.stored) < len(statuses) else None
            said.stored.append(Stored(instance, chosen.get(context, ""), data, status))
    return said


def _pdus(stream: bytes) -> Iterator[tuple[int, bytes]]:
    while len(stream) >= 6:
        kind, length = struct.unpack(">BxI", stream[:6])
        if len(stream) < 6 + length:
            return
        yield kind, stream[6 : 6 + length]
        stream = stream[6 + length :]


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, length = struct.unpack(">BxH", data[:4])
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _contexts(body: bytes, kind: int) -> list[bytes]:
    return [content for item, content in _items(body[_FIXED_FIELDS:]) if item == kind]


def _syntaxes(context: bytes) -> list[str]:
    found = [text.decode().rstrip("\0 ") for item, text in _items(context[4:]) if item == TRANSFER]
    return found or [""]


def _values(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield each presentation data value: its context, its control bits, its bytes."""
    for kind, body in _pdus(stream):
        left = body if kind == P_DATA else b""
        while left:
            length, context, control = struct.unpack(">IBB", left[:6])
            yield context, control, left[6 : 4 + length]
            left = left[4 + length :]


def _messages(stream: bytes) -> Iterator[tuple[int, dict[int, bytes], bytes]]:
    """Yield each whole message: its context, its command set, its data set."""
    command, data = b"", []
    for context, control, piece in _values(stream):
        if control & COMMAND:
            command += piece
        else:
            data.append(piece)
        elements = _elements(command) if control & LAST else {}
        if control & LAST and not (control & COMMAND and _has_data_set(elements)):
            yield context, elements, b"".join(data)
            command, data = b"", []


def _elements(command: bytes) -> dict[int, bytes]:
    found = {}
    while len(command) >= 8:
        _, number, length = struct.unpack("<HHI", command[:8])
        found[number] = command[8 : 8 + length]
        command = command[8 + length :]
    return found


def _number(command: Mapping[int, bytes], element: int) -> int:
    return int.from_bytes(command.get(element, b""), "little")


def _is(command: Mapping[int, bytes], kind: int) -> bool:
    return _number(command, FIELD) == kind


def _has_data_set(command: Mapping[int, bytes]) -> bool:
    return _number(command, 0x0800) != 0x0101
