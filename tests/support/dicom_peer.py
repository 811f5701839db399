"""A scripted DICOM sender on a raw socket: it can say anything, in any pieces, and stop anywhere.

DCMTK and pynetdicom keep to the protocol; a receiver must also stand those who do not. The functions build bytes
(PS3.8 section 9.3, PS3.7 section 6.3), `Peer` sends them and reads what comes back.
"""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass, field
from types import TracebackType

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

C_STORE, C_ECHO = 0x0001, 0x0030
NO_DATA_SET, DATA_SET = 0x0101, 0x0000

DICOM_APPLICATION = "1.2.840.10008.3.1.1.1"
HEADER_BYTES = 6


@dataclass(frozen=True)
class Context:
    """A presentation context to propose."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = (IMPLICIT_LITTLE,)


STORE_CT = Context(1, CT_IMAGE, (EXPLICIT_LITTLE,))


def pdu(kind: int, body: bytes) -> bytes:
    """Put the header of a PDU before its body."""
    return struct.pack(">BxI", kind, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _context_item(context: Context) -> bytes:
    body = struct.pack(">Bxxx", context.number) + _item(0x30, context.abstract_syntax.encode())
    for syntax in context.transfer_syntaxes:
        body += _item(0x40, syntax.encode())
    return _item(0x20, body)


def associate_rq(
    contexts: tuple[Context, ...] = (STORE_CT,),
    *,
    calling: bytes = b"PEER",
    called: bytes = b"MERCURE",
    max_pdu: int = 16384,
    application: str = DICOM_APPLICATION,
    protocol: int = 1,
    user_items: bytes = b"",
) -> bytes:
    """Build an A-ASSOCIATE-RQ; `user_items` are added to the user information as they are."""
    user = _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, b"1.2.3.4") + user_items
    body = struct.pack(">Hxx16s16s32x", protocol, called.ljust(16), calling.ljust(16))
    body += _item(0x10, application.encode())
    body += b"".join(_context_item(context) for context in contexts)
    return pdu(ASSOCIATE_RQ, body + _item(0x50, user))


def asynchronous_operations(invoked: int, performed: int) -> bytes:
    """Build the user item that asks for an asynchronous operations window (PS3.7 annex D.3.3.3)."""
    return _item(0x53, struct.pack(">HH", invoked, performed))


def value(context: int, data: bytes, *, command: bool, last: bool) -> bytes:
    """Build one presentation data value."""
    return struct.pack(">IBB", len(data) + 2, context, int(command) | int(last) << 1) + data


def _element(number: int, data: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(data)) + data


def _uid(text: str) -> bytes:
    data = text.encode()
    return data + b"\0" * (len(data) % 2)


def command_set(elements: dict[int, bytes]) -> bytes:
    """Build a command set from elements of group 0000, with its group length."""
    body = b"".join(_element(number, elements[number]) for number in sorted(elements))
    return _element(0, struct.pack("<I", len(body))) + body


def store_command(sop_instance: str, *, message: int = 1, sop_class: str = CT_IMAGE, data_set: int = DATA_SET) -> bytes:
    """Build the command set of a C-STORE-RQ; an empty UID is left out."""
    elements = {
        0x0100: struct.pack("<H", C_STORE),
        0x0110: struct.pack("<H", message),
        0x0700: struct.pack("<H", 0),
        0x0800: struct.pack("<H", data_set),
    }
    if sop_class:
        elements[0x0002] = _uid(sop_class)
    if sop_instance:
        elements[0x1000] = _uid(sop_instance)
    return command_set(elements)


def echo_command(message: int = 1, field_value: int = C_ECHO) -> bytes:
    """Build the command set of a C-ECHO-RQ, or of another request without a data set."""
    return command_set(
        {
            0x0002: _uid(VERIFICATION),
            0x0100: struct.pack("<H", field_value),
            0x0110: struct.pack("<H", message),
            0x0800: struct.pack("<H", NO_DATA_SET),
        }
    )


def message(context: int, command: bytes, data: bytes | None = None, *, fragment: int = 16_000) -> bytes:
    """Build the PDUs of one message: the command, and the data set in fragments of so many bytes, one per PDU."""
    parts = [pdu(P_DATA, value(context, command, command=True, last=True))]
    if data is not None:
        starts = range(0, max(len(data), 1), fragment)
        for start in starts:
            piece = data[start : start + fragment]
            last = start + fragment >= len(data)
            parts.append(pdu(P_DATA, value(context, piece, command=False, last=last)))
    return b"".join(parts)


RELEASE = pdu(RELEASE_RQ, b"\0\0\0\0")
ABORT_BY_USER = pdu(ABORT, b"\0\0\0\0")


@dataclass(frozen=True)
class Response:
    """A DIMSE response."""

    field: int
    message: int
    status: int
    comment: str
    sop_instance: str


@dataclass(frozen=True)
class Accepted:
    """An A-ASSOCIATE-AC: for each context its result (0: accepted) and transfer syntax."""

    results: dict[int, int]
    syntaxes: dict[int, str]
    max_pdu: int
    implementation: str
    version: str


class PeerError(Exception):
    """The other side did not answer as expected; the message says what came instead."""


class Rejected(PeerError):
    """An A-ASSOCIATE-RJ."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(f"rejected: result {result}, source {source}, reason {reason}")
        self.result, self.source, self.reason = result, source, reason


class Aborted(PeerError):
    """An A-ABORT."""


class Closed(PeerError):
    """The connection was closed or reset."""


@dataclass
class Peer:
    """One connection to a receiver; a context manager that closes it. The preface goes before anything else."""

    port: int
    host: str = "127.0.0.1"
    timeout: float = 20.0
    source: str = ""
    tls: ssl.SSLContext | None = None
    preface: bytes = b""
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        """Connect."""
        origin = (self.source, 0) if self.source else None
        self.socket = socket.create_connection((self.host, self.port), timeout=self.timeout, source_address=origin)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(self.preface)
        if self.tls is not None:
            self.socket = self.tls.wrap_socket(self.socket, server_hostname=self.host)

    def __enter__(self) -> Peer:
        """Return the peer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises
        ------
        Closed
            The other side is gone.
        """
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error

    def read_pdu(self) -> tuple[int, bytes]:
        """Read one PDU: its type and body.

        Raises
        ------
        Closed
            The connection ended first.
        """
        kind, length = struct.unpack(">BxI", self._exactly(HEADER_BYTES))
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Closed(str(error)) from error
            if not piece:
                raise Closed(f"closed after {len(data)} of {size} bytes")
            data += piece
        return data

    def associate(self, request: bytes | None = None) -> Accepted:
        """Send an association request and return what was accepted.

        Raises
        ------
        Rejected, Aborted, Closed
            It was not.
        """
        self.send(associate_rq() if request is None else request)
        kind, body = self.read_pdu()
        if kind == ASSOCIATE_RJ:
            raise Rejected(body[1], body[2], body[3])
        if kind == ABORT:
            raise Aborted
        if kind != ASSOCIATE_AC:
            raise PeerError(f"PDU type {kind} for an association request")
        return _parse_accept(body)

    def response(self) -> Response:
        """Read the next DIMSE response.

        Raises
        ------
        Aborted, Closed
            None came.
        """
        data, last = b"", False
        while not last:
            kind, body = self.read_pdu()
            if kind == ABORT:
                raise Aborted
            if kind != P_DATA:
                raise PeerError(f"PDU type {kind} for a response")
            while body:
                length, _, control = struct.unpack(">IBB", body[:6])
                data += body[6 : 4 + length]
                last = bool(control & 2)
                body = body[4 + length :]
        return _parse_response(data)

    def store(self, data: bytes, sop_instance: str, *, context: int = 1, fragment: int = 16_000) -> Response:
        """Send one C-STORE and return the response."""
        self.send(message(context, store_command(sop_instance), data, fragment=fragment))
        return self.response()

    def release(self) -> None:
        """Release the association, and wait until the other side has closed the connection.

        Raises
        ------
        PeerError
            Something else than the release came back.
        """
        self.send(RELEASE)
        kind, _ = self.read_pdu()
        if kind != RELEASE_RP:
            raise PeerError(f"PDU type {kind} for a release")
        self.until_closed()

    def until_closed(self) -> bytes:
        """Read until the other side closes, and return what it still sent."""
        data = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not piece:
                return data
            data += piece


def _parse_accept(body: bytes) -> Accepted:
    results: dict[int, int] = {}
    syntaxes: dict[int, str] = {}
    texts: dict[int, bytes] = {}
    for kind, content in _items(body[68:]):
        if kind == 0x21:
            results[content[0]] = content[2]
            for _, syntax in _items(content[4:]):
                syntaxes[content[0]] = syntax.decode().rstrip("\0")
        elif kind == 0x50:
            texts.update(_items(content))
    return Accepted(
        results,
        syntaxes,
        int.from_bytes(texts.get(0x51, b""), "big"),
        texts.get(0x52, b"").decode().rstrip("\0"),
        texts.get(0x55, b"").decode(),
    )


def _items(data: bytes) -> list[tuple[int, bytes]]:
    items = []
    while data:
        kind, length = struct.unpack(">BxH", data[:4])
        items.append((kind, data[4 : 4 + length]))
        data = data[4 + length :]
    return items


def _parse_response(data: bytes) -> Response:
    elements: dict[int, bytes] = {}
    while data:
        _, number, length = struct.unpack("<HHI", data[:8])
        elements[number] = data[8 : 8 + length]
        data = data[8 + length :]

    def short(number: int) -> int:
        return int.from_bytes(elements.get(number, b""), "little")

    return Response(
        short(0x0100),
        short(0x0120),
        short(0x0900),
        elements.get(0x0902, b"").decode().rstrip(),
        elements.get(0x1000, b"").decode().rstrip("\0"),
    )
