"""Outcome of a try to send, and the watchdog that ends one which takes too long."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mercure.printable import one_line

TOO_LONG: Final = "took too long"


@dataclass(frozen=True)
class SendResult:
    """A message was taken; `problem` is what was not right all the same (a recipient of several, say)."""

    problem: str = ""


class ChannelError(Exception):
    """A message was not taken.

    Parameters
    ----------
    text : str
        What happened, and where.
    final : bool
        It will not be taken later either: the other side has said so.
    wait : float
        Seconds that the other side asked to wait; 0: it did not say.
    """

    def __init__(self, text: str, *, final: bool = False, wait: float = 0.0) -> None:
        super().__init__(text)
        self.final = final
        self.wait = wait


@dataclass(frozen=True)
class ChannelCall:
    """A connection that is ended when its time is up."""

    socket: socket.socket
    late: threading.Event


@contextlib.contextmanager
def calling(host: str, port: int, seconds: float) -> Iterator[ChannelCall]:
    """Connect, and end the connection when all takes longer than so many seconds.

    A time-out of the socket is for each read and write, and who sends a byte every few seconds never meets it.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        TCP port.
    seconds : float
        To connect; and then for everything else.

    Raises
    ------
    ChannelError
        There is no connection, it was lost, or the time was up: within the block, any `OSError` becomes one.
    """
    where, late = f"{host}:{port}", threading.Event()
    try:
        connection = socket.create_connection((host, port), seconds)
    except OSError as error:
        raise ChannelError(f"{where}: {_reason(error)}") from error
    # A second descriptor of the same connection: TLS takes the first one over, and it is another object then.
    guard = connection.dup()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            guard.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        with connection, guard:
            yield ChannelCall(connection, late)
    except OSError as error:
        raise ChannelError(f"{where}: {TOO_LONG if late.is_set() else _reason(error)}") from error
    finally:
        timer.cancel()
        timer.join()


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return TOO_LONG
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"there is no such host: {error.strerror}"
    return one_line(str(error.strerror or error) or type(error).__name__, 300)
