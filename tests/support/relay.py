"""A relay between a sender and a receiver that does to a connection what networks do: delay, fragment, cut, stall.

It works on any machine, and to the byte: what namespaces, ``tc`` and ``nft`` do to packets comes at a moment of the
kernel's own choice.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Ending = Literal["reset", "close", "stall"]
LARGEST_PIECE = 65_536


def wherever(few: Mapping[Ending, int], many: Mapping[Ending, int]) -> pytest.MarkDecorator:
    """Run a test (``ending``, ``count``) for each ending at so many places; at `many` in the slow tests only.

    Each stall takes the time limits of both sides, in real seconds.
    """
    marks = (pytest.mark.slow, pytest.mark.timeout(600))
    slow = [pytest.param(ending, count, marks=marks) for ending, count in many.items()]
    return pytest.mark.parametrize(("ending", "count"), [*few.items(), *slow])


@dataclass(frozen=True)
class Way:
    """What becomes of the bytes in one direction; as it stands here: nothing.

    Parameters
    ----------
    after
        So many bytes pass, then the connection ends by `ending`; None: it does not.
    ending
        ``reset`` and ``close`` reach both sides; after ``stall`` nothing is read or said any more, and nobody is told:
        what a pulled cable, a firewall that forgot, or a program that hangs look like.
    piece
        At most so many bytes are passed on at once.
    delay
        Seconds before each piece.
    """

    after: int | None = None
    ending: Ending = "reset"
    piece: int = LARGEST_PIECE
    delay: float = 0.0


@dataclass
class Relay:
    """A relay that listens on `port`; `there` (to the server) and `back` hold for the connections that come next."""

    target: tuple[str, int]
    there: Way = field(default_factory=Way)
    back: Way = field(default_factory=Way)
    passed: dict[str, int] = field(default_factory=lambda: {"there": 0, "back": 0})
    """Bytes that went through so far, in each direction."""
    connections: int = 0
    heard: list[dict[str, bytearray]] | None = None
    """Where each connection is written down, byte by byte in each direction; nowhere unless a list is put here."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self._start(self._listen)

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self._server.getsockname()[1])

    def mend(self) -> None:
        """Let everything pass on the connections that come next."""
        self.there = self.back = Way()

    def end(self) -> None:
        """End it and all its connections."""
        self._ended.set()
        for each in (self._server, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._server, *self._sockets):
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _listen(self) -> None:
        with suppress(OSError):
            while not self._ended.is_set():
                near, _ = self._server.accept()
                self._sockets.append(near)
                try:
                    far = socket.create_connection(self.target, timeout=10)
                except OSError:
                    near.shutdown(socket.SHUT_RDWR)
                    continue
                far.settimeout(None)
                self._sockets.append(far)
                self.connections += 1
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                heard = {"there": bytearray(), "back": bytearray()}
                if self.heard is not None:
                    self.heard.append(heard)
                self._start(self._pump, near, far, self.there, "there", heard)
                self._start(self._pump, far, near, self.back, "back", heard)

    def _pump(
        self, source: socket.socket, sink: socket.socket, way: Way, name: str, heard: dict[str, bytearray]
    ) -> None:
        left = way.after
        with suppress(OSError):
            while left is None or left > 0:
                data = source.recv(way.piece if left is None else min(way.piece, left))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if way.delay and self._ended.wait(way.delay):
                    return
                if self.heard is not None:
                    heard[name] += data
                sink.sendall(data)
                self.passed[name] += len(data)
                left = None if left is None else left - len(data)
            self._finish(source, sink, way.ending)

    @staticmethod
    def _finish(source: socket.socket, sink: socket.socket, ending: Ending) -> None:
        if ending == "stall":
            return
        for each in (source, sink):
            with suppress(OSError):
                if ending == "close":
                    each.shutdown(socket.SHUT_RDWR)
                else:
                    _reset(each)


def _reset(connection: socket.socket) -> None:
    """Send RST. Connecting to nowhere does it, and wakes the other pump from its `recv`, as a mere close would not."""
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    if ctypes.CDLL(None, use_errno=True).connect(connection.fileno(), nowhere, len(nowhere)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def relay(port: int, host: str = "127.0.0.1", *, there: Way | None = None, back: Way | None = None) -> Iterator[Relay]:
    """Relay to a server for the length of a block."""
    running = Relay((host, port), there or Way(), back or Way())
    try:
        yield running
    finally:
        running.end()
