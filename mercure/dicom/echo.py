"""C-ECHO: does a DICOM node answer, and if not, why, and what is to be done."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mercure.model import Record

if TYPE_CHECKING:
    from pynetdicom.association import Association

Kind = Literal["answered", "unreachable", "rejected", "aborted", "timeout", "unsupported", "failed"]
SUCCESS: Final = 0x0000
_PLAIN: Final = "is it a DICOM server, without TLS, on this port?"

_REJECTIONS: Final[dict[tuple[int, int], tuple[str, str]]] = {
    (1, 1): ("gives no reason", "ask who runs it; most often it does not know our AE title or address"),
    (1, 2): ("does not know the application context", "it is no usual DICOM node; check host and port"),
    (1, 3): (
        "does not know our AE title {calling!r}",
        "have {calling!r} added there, or set 'calling_aet' to a known one",
    ),
    (1, 7): ("is not called {called!r}", "correct 'called_aet': it must be spelled as over there, case included"),
    (2, 1): ("gives no reason", "ask who runs it"),
    (2, 2): ("does not support our version of the protocol", "it is no usual DICOM node; check host and port"),
    (3, 1): ("is too busy at the moment", "try again later"),
    (3, 2): ("has as many associations as it allows", "try again later, or have its limit raised"),
}
"""Source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21), and what to do about each."""


class EchoResult(Record):
    """What came of a C-ECHO.

    ``text`` says what happened, ``advice`` what to do about it (empty when all is well), ``seconds`` how long it took.
    """

    ok: bool
    kind: Kind
    text: str
    advice: str = ""
    seconds: float = 0.0


@dataclass
class _Trace:
    """What pynetdicom's threads saw: the connection, and the kinds of PDU that came."""

    sockets: list[socket.socket] = field(default_factory=list)
    pdus: set[str] = field(default_factory=set)

    def on_open(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's event
        self.sockets.append(event.assoc.dul.socket.socket)

    def on_pdu(self, event: Any) -> None:  # noqa: ANN401
        self.pdus.add(type(event.pdu).__name__)

    def close(self, association: Association, timeout: float) -> None:
        """Close the socket, which pynetdicom leaves open when the peer has closed it first."""
        association.dul.join(timeout)
        for connection in self.sockets:
            connection.close()


def echo(host: str, port: int, *, called_aet: str, calling_aet: str, timeout: float = 10.0) -> EchoResult:
    """Ask a DICOM node for a C-ECHO (PS3.7 section 9.1.5).

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        TCP port, 1 to 65535.
    called_aet, calling_aet : str
        The node's AE title and ours, 1 to 16 characters.
    timeout : float
        Seconds to wait for each of: the connection, the answer to the association request, the echo, the release.

    Returns
    -------
    EchoResult
        Whatever the network does is a result.

    Raises
    ------
    ValueError
        An AE title is none.
    """
    # Here, because it takes a tenth of a second that whoever never sends an echo should not pay.
    from pynetdicom import AE, evt  # noqa: PLC0415
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # noqa: PLC0415

    for title in (called_aet, calling_aet):
        if not 1 <= len(title.strip()) <= 16:  # noqa: PLR2004 - PS3.5 section 6.2
            raise ValueError(f"{title!r} is no AE title: it has 1 to 16 characters")
    # It logs what the result says, and a failure is to be told once.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    entity = AE(ae_title=calling_aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = timeout
    entity.add_requested_context(Verification)
    trace = _Trace()
    start = time.monotonic()
    node = f"{called_aet} at {host}:{port}"
    try:
        # A connection of its own, because pynetdicom does not tell why it got none.
        socket.create_connection((host, port), timeout=timeout).close()
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, trace.on_open), (evt.EVT_PDU_RECV, trace.on_pdu)]
        association = entity.associate(host, port, ae_title=called_aet, evt_handlers=handlers)
    except OSError as error:
        return _unreachable(error, host, port, timeout, start)
    if association.is_established:
        result = _ask(association, node, timeout, start)
        trace.close(association, timeout)
        return result
    seconds = _since(start)
    trace.close(association, timeout)
    if association.is_rejected:
        return _rejected(association, node, calling_aet, called_aet, seconds)
    return _not_established(association, trace.pdus, node, timeout, seconds)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _ask(association: Association, node: str, timeout: float, start: float) -> EchoResult:
    """Send the echo over an association that stands."""
    try:
        status = association.send_c_echo()
    except (RuntimeError, ValueError):
        # The peer ended the association in the moment before.
        status = None
    seconds = _since(start)
    if association.is_established:
        association.release()
    if status is None or "Status" not in status:
        if seconds >= timeout:
            text = f"{node} accepted the association but did not answer the echo within {timeout:g} s"
            return EchoResult(ok=False, kind="timeout", text=text, advice="it hangs: restart it", seconds=seconds)
        text = f"{node} accepted the association and then ended it instead of answering"
        return EchoResult(ok=False, kind="aborted", text=text, advice="its log will say why", seconds=seconds)
    if status.Status != SUCCESS:
        text = f"{node} answered the echo with status 0x{status.Status:04X}"
        return EchoResult(ok=False, kind="failed", text=text, advice="its log will say why", seconds=seconds)
    return EchoResult(ok=True, kind="answered", text=f"{node} answered", seconds=seconds)


def _rejected(association: Association, node: str, calling: str, called: str, seconds: float) -> EchoResult:
    primitive = association.acceptor.primitive
    source = getattr(primitive, "result_source", None) or 0
    reason = getattr(primitive, "diagnostic", None) or 0
    unknown = (f"gives reason {reason} of source {source}", "ask who runs it")
    text, advice = _REJECTIONS.get((source, reason), unknown)
    words = {"calling": calling, "called": called}
    return EchoResult(
        ok=False,
        kind="rejected",
        text=f"{node} rejects the association: it {text.format(**words)}",
        advice=advice.format(**words),
        seconds=seconds,
    )


def _not_established(
    association: Association, pdus: list[object], node: str, timeout: float, start: float
) -> EchoResult:
    """Tell why there is no association although the node can be reached."""
    seconds = _since(start)
    received = {type(pdu).__name__ for pdu in pdus}
    if "A_ASSOCIATE_AC" in received and association.rejected_contexts:
        text = f"{node} accepts associations, but not the echo (Verification SOP Class)"
        advice = "it may take images all the same: try a test send"
        return EchoResult(ok=False, kind="unsupported", text=text, advice=advice, seconds=seconds)
    if "A_ABORT_RQ" in received:
        text = f"{node} aborted the association request"
        return EchoResult(ok=False, kind="aborted", text=text, advice="its log will say why", seconds=seconds)
    if seconds >= timeout:
        text = f"{node} took the connection but did not answer the association request within {timeout:g} s"
        return EchoResult(ok=False, kind="timeout", text=text, advice=_PLAIN, seconds=seconds)
    text = f"{node} took the connection and closed it without a DICOM answer"
    return EchoResult(ok=False, kind="aborted", text=text, advice=_PLAIN, seconds=seconds)


def _unreachable(error: OSError, host: str, port: int, timeout: float, start: float) -> EchoResult:
    words = {"host": host, "port": port, "timeout": f"{timeout:g}", "reason": error.strerror or str(error)}
    text, advice = next(texts for kind, texts in _EXPLANATIONS.items() if isinstance(error, kind))
    return EchoResult(ok=False, kind="unreachable", text=text.format(**words), advice=advice, seconds=_since(start))


_EXPLANATIONS: Final[dict[type[OSError], tuple[str, str]]] = {
    socket.gaierror: ("the name {host!r} cannot be resolved", "check 'host', or the DNS"),
    ConnectionRefusedError: (
        "{host}:{port} refuses the connection",
        "nothing listens on this port: check 'port', and that the node runs",
    ),
    TimeoutError: (
        "{host}:{port} did not answer within {timeout} s",
        "the machine is off, or a firewall drops the connection: check 'host', 'port' and the firewall",
    ),
    OSError: ("{host}:{port} cannot be reached: {reason}", "check host, port, cable and routing"),
}
"""Why a connection fails, and what to do about it, from the most special to the most general."""
