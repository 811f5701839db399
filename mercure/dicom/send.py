"""C-STORE with ``mercure-storescu`` (DCMTK): one process an attempt, one JSON line an image."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from mercure.config.tls import TargetTls
from mercure.dicom.tls import NodeCertificate, tls_options
from mercure.dicom.tools import tool_path

GRACE_SECONDS: Final = 10.0
"""How long the sender may take to end after TERM."""

LONGEST_SECONDS: Final = 7 * 86400.0
"""The longest limit that the sender knows; beyond, it makes no difference."""

LONGEST_LINE: Final = 1_000_000
_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class StorePeer:
    """Whom to send to, and how.

    Parameters
    ----------
    host, port
        Address.
    called_aet, calling_aet
        AE titles.
    connect_seconds, acse_seconds, dimse_seconds : float
        Limits for the connection, the negotiation, and each answer.
    max_pdu : int
        Longest PDU to receive, in bytes.
    router : str
        The mark of the router: 4 hexadecimal digits, or nothing.
    associations : int
        Associations in parallel; 1 keeps the order.
    answer_watch_seconds : float
        Before the end of the first image: the wait for an answer that comes too early.
    transfer_syntaxes : tuple of str
        In which images may go, as the sender's option of that name says it.
    tls : TargetTls, optional
        Over TLS, and how.
    on_certificate : callable, optional
        Called with the certificate that it showed over TLS, believed or not.
    """

    host: str
    port: int
    called_aet: str
    calling_aet: str
    connect_seconds: float = 10
    acse_seconds: float = 30
    dimse_seconds: float = 60
    max_pdu: int = 131072
    router: str = ""
    associations: int = 1
    answer_watch_seconds: float = 0
    transfer_syntaxes: tuple[str, ...] = ("as-needed",)
    tls: TargetTls | None = None
    on_certificate: Callable[[NodeCertificate], None] | None = None


class SendError(Exception):
    """The sender ended without a word on why; the text tells what is known."""


def send(
    peer: StorePeer,
    files: Sequence[Path],
    *,
    seconds: float,
    report: Callable[[dict[str, Any]], None],
    stopping: Callable[[], bool],
    held: Sequence[int] = (),
    digests: Mapping[str, str] | None = None,
) -> tuple[str, str] | None:
    """Send files and report each result as it comes.

    Parameters
    ----------
    peer : StorePeer
        Whom to.
    files : sequence of Path
        Files of our spool.
    seconds : float
        After this time the sender gets TERM, and KILL a little later.
    report : callable
        Called with each line that the sender prints for a file (``docs/reference/mercure-storescu.1.md``).
    stopping : callable
        Asked twice a second; True ends the sending in order.
    held : sequence of int
        Descriptors of locks that the sender holds too: killed, we end before it does.
    digests : mapping, optional
        By file name what its tag line says of the data set (``DataSetDigest``): what the sender must find in it.

    Returns
    -------
    tuple of str or None
        Kind and text of what went wrong as a whole; None when nothing did.

    Raises
    ------
    mercure.dicom.tools.ToolMissingError
        The sender is not installed.
    SendError
        It crashed.
    """
    command = _command(peer, seconds)
    # It inherits the lock of the task: a flock belongs to the open file, so when the dispatcher is killed the task
    # stays claimed until the sender has ended its image, too.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=held) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above; this tells mypy
        assert process.stdout is not None  # noqa: S101
        try:
            _give(process.stdin, files, digests or {})
            failure: tuple[str, str] | None = None
            done = False
            for line in _lines(process, process.stdout, time.monotonic() + seconds, stopping):
                if "summary" in line:
                    done = True
                    failure = _failure(line.get("error"))
                    if peer.on_certificate is not None and isinstance(line.get("tls"), dict):
                        peer.on_certificate(NodeCertificate.model_validate(line["tls"]))
                else:
                    report(line)
        except BaseException:
            process.terminate()  # what it sends from now on would not be recorded
            raise
        finally:
            _end(process)
    if not done:
        if stopping():
            return None
        if process.returncode in (-signal.SIGTERM, -signal.SIGKILL):
            return ("timeout", f"sending took longer than {seconds:.0f} s and was ended")
        raise SendError(f"the sender ended with code {process.returncode} and without a summary")
    return failure


def _command(peer: StorePeer, seconds: float) -> list[str]:
    options: dict[str, object] = {
        "--host": peer.host,
        "--port": peer.port,
        "--called-aet": peer.called_aet,
        "--calling-aet": peer.calling_aet,
        "--max-pdu": peer.max_pdu,
        "--associations": peer.associations,
        "--answer-watch": peer.answer_watch_seconds,
        "--transfer-syntaxes": ",".join(peer.transfer_syntaxes),
    }
    limits = {
        "--connect-timeout": peer.connect_seconds,
        "--acse-timeout": peer.acse_seconds,
        "--dimse-timeout": peer.dimse_seconds,
        "--total-timeout": seconds,
    }
    options |= {name: min(limit, LONGEST_SECONDS) for name, limit in limits.items()}
    if peer.router:
        options["--router"] = peer.router
    return [
        str(tool_path("mercure-storescu")),
        *(f"{name}={value}" for name, value in options.items()),
        *tls_options(peer.tls),
    ]


def _give(stdin: IO[bytes], files: Sequence[Path], digests: Mapping[str, str]) -> None:
    lines = (f"{path}\t{digests[path.name]}" if path.name in digests else str(path) for path in files)
    try:
        with stdin:
            stdin.writelines(os.fsencode(line) + b"\n" for line in lines)
    except BrokenPipeError:
        return  # it ended early; its last line, or its exit code, says why


def _lines(
    process: subprocess.Popen[bytes], stdout: IO[bytes], end: float, stopping: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of the sender until it closes its output; past `end`, or when stopping, tell it to end."""
    pending = b""
    terminated = False
    descriptor = stdout.fileno()
    os.set_blocking(descriptor, False)
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not terminated and (time.monotonic() > end + GRACE_SECONDS or stopping()):
                process.terminate()
                terminated = True
                end = time.monotonic()
            if terminated and time.monotonic() > end + GRACE_SECONDS:
                process.kill()
            if not selector.select(_POLL_SECONDS):
                continue
            data = os.read(descriptor, 65536)
            if not data:
                return
            *complete, pending = (pending + data)[-LONGEST_LINE:].split(b"\n")
            for text in complete:
                line = _decode(text)
                if line is not None:
                    yield line


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _failure(error: object) -> tuple[str, str] | None:
    if not isinstance(error, dict):
        return None
    return str(error.get("kind", "local")), str(error.get("text", "unknown error"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that it is gone, whatever happened above."""
    if process.poll() is None:
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
