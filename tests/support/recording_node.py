"""A DICOM node in this process that takes every image, and keeps in mind what came, byte by byte and in which order."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from tests.oracle.lossless import as_explicit
from tests.oracle.record import Arrival, digest
from tests.support.pictures import file_of
from tests.support.ports import free_port
from tests.support.raw_target import DATA, RELEASE_REQUEST, RELEASE_RESPONSE, Peer, command_element, pdu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND, LAST = 1, 2
C_ECHO, RESPONSE = 0x0030, 0x8000
NO_DATA_SET = 0x0101
SUCCESS, BUSY = 0x0000, 0xA700
ABORTS = -1
"""Given in place of a status: the node ends the association, and answers the next one."""


def _always(_number: int) -> int | None:
    return SUCCESS


@dataclass
class RecordingNode:
    """Listens on `port` of loopback while it `is_there`.

    Parameters
    ----------
    answer
        Gives the status for the n-th image, from 1; only what is answered with Success counts as arrived. None: the
        node goes away for good, and has nothing of it.
    arrivals
        What came, in that order. A repetition stands there again.
    poison
        What an image must not hold: the node ends the association at it, and answers an echo all the same.
    is_full
        It answers each image with A700, for as long as this is so.
    takes
        The one transfer syntax that it takes; what was converted without loss for it counts as what was sent.
    """

    port: int = field(default_factory=free_port)
    answer: Callable[[int], int | None] = _always
    arrivals: list[Arrival] = field(default_factory=list)
    takes: str = ""
    poison: bytes = b""
    is_full: bool = False
    seen: int = 0
    _server: socket.socket | None = None
    _connections: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_there(self) -> bool:
        """Whether it answers."""
        return self._server is not None

    def come(self) -> None:
        """Begin to listen, or do so again."""
        if self._server is None:
            self._server = socket.create_server(("127.0.0.1", self.port))
            self._start(self._listen, self._server)

    def go(self) -> None:
        """Go away, in the middle of whatever it is doing."""
        server, self._server = self._server, None
        if server is not None:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        with self._lock:
            connections, self._connections = self._connections, []
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        threads, self._threads = self._threads, []
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(30)

    def state(self) -> tuple[int, int, bool]:
        """Return how far it got, for `back_to`."""
        return len(self.arrivals), self.seen, self.is_there

    def back_to(self, state: tuple[int, int, bool]) -> None:
        """Forget what came since."""
        self.go()
        came, self.seen, was_there = state
        del self.arrivals[came:]
        if was_there:
            self.come()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def _listen(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._connections.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(connection)
        with connection, suppress(OSError, AssertionError, struct.error):
            peer.accept(max_pdu=131072, takes=self.takes)
            while self._message(peer):
                pass
        with self._lock, suppress(ValueError):
            self._connections.remove(connection)

    def _message(self, peer: Peer) -> bool:
        """Read one request and answer it; false when the association ends instead."""
        command, data, context = b"", [], 0
        while True:
            kind, body = peer.read_pdu()
            if kind == RELEASE_REQUEST:
                peer.write(pdu(RELEASE_RESPONSE, bytes(4)))
            if kind != DATA:
                return False
            while body:
                length, context, control = struct.unpack(">IBB", body[:6])
                piece, body = body[6 : 4 + length], body[4 + length :]
                if control & COMMAND:
                    command += piece
                else:
                    data.append(piece)
                if control & LAST and not (control & COMMAND and _has_data_set(command)):
                    self._answer(peer, context, command, b"".join(data))
                    return True

    def _answer(self, peer: Peer, context: int, command: bytes, data: bytes) -> None:
        told = _elements(command)
        status: int | None = SUCCESS
        with self._lock:
            if data:
                if self.poison and self.poison in data:
                    raise ConnectionAbortedError
                self.seen += 1
                status = BUSY if self.is_full else self.answer(self.seen)
                if status == SUCCESS:
                    sop = told.get(0x1000, b"").rstrip(b"\0").decode()
                    as_sent = as_explicit(file_of(self.takes, data)) if self.takes else data
                    self.arrivals.append(Arrival(sop, digest(as_sent), monotonic()))
        if status is None:
            self.go()
        if status is None or status == ABORTS:
            raise ConnectionAbortedError
        (request,) = struct.unpack("<H", told[0x0100])
        answer: dict[int, bytes] = {number: told[number] for number in (0x0002, 0x1000) if number in told}
        answer |= {0x0100: struct.pack("<H", request | RESPONSE), 0x0120: told[0x0110]}
        answer |= {0x0800: struct.pack("<H", NO_DATA_SET), 0x0900: struct.pack("<H", status)}
        elements = b"".join(command_element(number, answer[number]) for number in sorted(answer))
        peer.write_command(context, command_element(0x0000, struct.pack("<I", len(elements))) + elements)


def _elements(command: bytes) -> dict[int, bytes]:
    elements = {}
    while command:
        _, number, length = struct.unpack("<HHI", command[:8])
        elements[number] = command[8 : 8 + length]
        command = command[8 + length :]
    return elements


def _has_data_set(command: bytes) -> bool:
    return _elements(command).get(0x0800) != struct.pack("<H", NO_DATA_SET)


@contextmanager
def recording_node(port: int | None = None) -> Iterator[RecordingNode]:
    """Run one for the length of a block."""
    node = RecordingNode(port or free_port())
    node.come()
    try:
        yield node
    finally:
        node.go()
