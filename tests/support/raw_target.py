"""A DICOM target made of bytes, to do what no real one should: see PS3.8 section 9.3 for the PDUs."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST, ACCEPT, REJECT, DATA, RELEASE_REQUEST, RELEASE_RESPONSE, ABORT = 1, 2, 3, 4, 5, 6, 7
PRESENTATION_CONTEXT, ABSTRACT_SYNTAX, TRANSFER_SYNTAX, USER_INFORMATION = 0x20, 0x30, 0x40, 0x50
HEADER_OF_REQUEST = 68
LAST_COMMAND = 3


def pdu(kind: int, body: bytes) -> bytes:
    """Return a PDU."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    """Return an item of a PDU."""
    return struct.pack(">BBH", kind, 0, len(body)) + body


def items(body: bytes) -> list[tuple[int, bytes]]:
    """Return the items in a body, each with its kind."""
    found = []
    while body:
        kind, _, length = struct.unpack(">BBH", body[:4])
        found.append((kind, body[4 : 4 + length]))
        body = body[4 + length :]
    return found


@dataclass(frozen=True)
class AssociationRequest:
    """What a sender asks for."""

    called: str
    calling: str
    contexts: dict[int, tuple[str, list[str]]]  # id → abstract syntax, transfer syntaxes
    user_information: dict[int, bytes]  # kind of item → its content


SYNTAXES_NOT_SUPPORTED = 4


class Peer:
    """The target's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def read(self, size: int) -> bytes:
        """Read so many bytes; fewer only where the sender has closed."""
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                break
            data += piece
        return data

    def read_pdu(self) -> tuple[int, bytes]:
        """Read one PDU; kind 0 when the sender has closed."""
        head = self.read(6)
        if len(head) < 6:
            return 0, b""
        kind, _, length = struct.unpack(">BBI", head)
        return kind, self.read(length)

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self.connection.sendall(data)

    def read_request(self) -> AssociationRequest:
        """Read an association request."""
        kind, body = self.read_pdu()
        assert kind == REQUEST
        contexts, user = {}, {}
        for item_kind, content in items(body[HEADER_OF_REQUEST:]):
            if item_kind == PRESENTATION_CONTEXT:
                syntaxes = items(content[4:])
                abstract = next(text.decode() for kind, text in syntaxes if kind == ABSTRACT_SYNTAX)
                contexts[content[0]] = (abstract, [text.decode() for kind, text in syntaxes if kind == TRANSFER_SYNTAX])
            elif item_kind == USER_INFORMATION:
                user = dict(items(content))
        return AssociationRequest(body[4:20].decode().strip(), body[20:36].decode().strip(), contexts, user)

    def accept(self, *, max_pdu: int = 16384, syntax: str = "", takes: str = "") -> AssociationRequest:
        """Read an association request and accept it, each context in its first transfer syntax.

        With `syntax` all are accepted in that, proposed or not; with `takes` only those that propose it.
        """
        request = self.read_request()

        def result(syntaxes: list[str]) -> int:
            return 0 if not takes or takes in syntaxes else SYNTAXES_NOT_SUPPORTED

        def chosen(syntaxes: list[str]) -> bytes:
            return (syntax or takes or syntaxes[0]).encode()

        answers = b"".join(
            item(0x21, bytes([number, 0, result(syntaxes), 0]) + item(TRANSFER_SYNTAX, chosen(syntaxes)))
            for number, (_, syntaxes) in request.contexts.items()
        )
        user = item(USER_INFORMATION, item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.3"))
        names = request.called.ljust(16).encode() + request.calling.ljust(16).encode()
        application = item(0x10, b"1.2.840.10008.3.1.1.1")
        self.write(pdu(ACCEPT, struct.pack(">HH", 1, 0) + names + bytes(32) + application + answers + user))
        return request

    def read_image(self) -> tuple[int, bytes] | None:
        """Read a C-STORE request: context and data set. Nothing when the association ends instead."""
        data_set, context = b"", 0
        while True:
            kind, body = self.read_pdu()
            if kind == RELEASE_REQUEST:
                self.write(pdu(RELEASE_RESPONSE, bytes(4)))
            if kind != DATA:
                return None
            while body:
                length, context, control = struct.unpack(">IBB", body[:6])
                if not control & 1:
                    data_set += body[6 : 4 + length]
                    if control & 2:
                        return context, data_set
                body = body[4 + length :]

    def answer(self, context: int, message_id: int, status: int, *, field: int = 0x8001, comment: bytes = b"") -> None:
        """Send a C-STORE response."""
        elements = command_element(0x0100, struct.pack("<H", field))
        elements += command_element(0x0120, struct.pack("<H", message_id))
        elements += command_element(0x0800, struct.pack("<H", 0x0101))
        elements += command_element(0x0900, struct.pack("<H", status))
        if comment:
            elements += command_element(0x0902, comment)
        self.write_command(context, command_element(0x0000, struct.pack("<I", len(elements))) + elements)

    def write_command(self, context: int, command: bytes) -> None:
        """Send any bytes as a command."""
        self.write(pdu(DATA, struct.pack(">IBB", len(command) + 2, context, LAST_COMMAND) + command))


def command_element(number: int, value: bytes) -> bytes:
    """Return an element of group 0000."""
    return struct.pack("<HHI", 0, number, len(value)) + value


@dataclass
class RawTarget:
    """A listening target. What goes wrong in its threads is raised at the end of the block."""

    port: int
    connections: list[socket.socket] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


@contextmanager
def raw_target(serve: Callable[[Peer], object]) -> Iterator[RawTarget]:
    """Listen on a free port and call ``serve`` for each connection, in a thread of its own.

    Nobody else is given the port afterwards: a test may let something else listen there.
    """
    with socket.create_server(("127.0.0.1", free_port())) as server:
        target = RawTarget(server.getsockname()[1])
        threads: list[threading.Thread] = []

        def handle(connection: socket.socket) -> None:
            with connection:
                try:
                    serve(Peer(connection))
                except OSError:
                    return  # the sender has gone
                except BaseException as error:  # noqa: BLE001 raised again below, in the thread of the test
                    target.errors.append(error)

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    target.connections.append(connection)
                    threads.append(threading.Thread(target=handle, args=(connection,)))
                    threads[-1].start()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield target
        finally:
            server.shutdown(socket.SHUT_RDWR)
            listener.join()
            for connection in target.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
        for error in target.errors:
            raise error
