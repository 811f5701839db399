"""C-ECHO: does a DICOM node answer, and if not, why, and what is to be done."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mercure.model import Record

if TYPE_CHECKING:
    from collections.abc import Collection

    from pynetdicom.association import Association

Kind = Literal["answered", "unreachable", "rejected", "aborted", "timeout", "unsupported", "failed"]
SUCCESS: Final = 0x0000
_ACCEPT, _REJECT, _ABORT = 2, 3, 7
"""Types of PDU (PS3.8 section 9.3)."""
_REASON_AT: Final = 9
LONGEST_AE_TITLE: Final = 16
_PLAIN: Final = "is it a DICOM server, without TLS, on this port?"
_SEE_LOG: Final = "its log will say why"

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


@dataclass(frozen=True)
class _Question:
    """Whom we ask, how long we wait, and since when."""

    host: str
    port: int
    called: str
    calling: str
    timeout: float
    start: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.start, 3)

    def answer(self, kind: Kind, text: str, advice: str = "", *, seconds: float | None = None) -> EchoResult:
        """Make the result, with the words in braces filled in."""
        words = {
            "node": f"{self.called} at {self.host}:{self.port}",
            "host": self.host,
            "port": self.port,
            "called": self.called,
            "calling": self.calling,
            "timeout": f"{self.timeout:g}",
        }
        return EchoResult(
            ok=kind == "answered",
            kind=kind,
            text=text.format(**words),
            advice=advice.format(**words),
            seconds=self.seconds if seconds is None else seconds,
        )


@dataclass
class _Trace:
    """What pynetdicom's threads saw: the connection, and the last PDU of each type that came, as bytes.

    Its own account of an association is not to be had: one that is rejected before its caller's thread goes on counts
    as aborted, and a reason that it does not know keeps it from telling of the PDU.
    """

    sockets: list[socket.socket] = field(default_factory=list)
    pdus: dict[int, bytes] = field(default_factory=dict)

    def on_open(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's event
        self.sockets.append(event.assoc.dul.socket.socket)

    def on_data(self, event: Any) -> None:  # noqa: ANN401
        self.pdus[event.data[0]] = event.data

    def finish(self, association: Association, timeout: float) -> None:
        """Wait for the last event, and close the socket, which pynetdicom leaves open when the peer was first."""
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
        The node's AE title and ours.
    timeout : float
        Seconds to wait for each of: the connection, the answer to the association request, the echo, the release.

    Returns
    -------
    EchoResult
        Whatever the network does is a result.

    Raises
    ------
    ValueError
        An AE title has not 1 to 16 characters (PS3.5 section 6.2).
    """
    for title in (called_aet, calling_aet):
        if not 1 <= len(title.strip()) <= LONGEST_AE_TITLE:
            raise ValueError(f"{title!r} is no AE title: it has 1 to {LONGEST_AE_TITLE} characters")
    question = _Question(host, port, called_aet, calling_aet, timeout)
    try:
        # A connection of its own, because pynetdicom does not tell why it got none.
        socket.create_connection((host, port), timeout=timeout).close()
        trace = _Trace()
        association = _associate(question, trace)
    except OSError as error:
        return question.answer("unreachable", *_explain(error))
    if association.is_established:
        result = _ask(association, question)
        trace.finish(association, timeout)
        return result
    seconds = question.seconds
    trace.finish(association, timeout)
    if _REJECT in trace.pdus:
        return question.answer("rejected", *_rejection(trace.pdus[_REJECT]), seconds=seconds)
    return question.answer(*_failure(association, trace.pdus, timed_out=seconds >= timeout), seconds=seconds)


def _associate(question: _Question, trace: _Trace) -> Association:
    # Here, because it takes a tenth of a second that whoever never sends an echo should not pay.
    from pynetdicom import AE, evt  # noqa: PLC0415
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # noqa: PLC0415

    # It logs what the result says, and a failure is to be told once.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    entity = AE(ae_title=question.calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = question.timeout
    entity.connection_timeout = question.timeout
    entity.add_requested_context(Verification)
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, trace.on_open), (evt.EVT_DATA_RECV, trace.on_data)]
    return entity.associate(question.host, question.port, ae_title=question.called, evt_handlers=handlers)


def _ask(association: Association, question: _Question) -> EchoResult:
    """Send the echo over an association that stands, and release it."""
    try:
        status = association.send_c_echo()
    except (RuntimeError, ValueError):
        status = None  # the peer ended the association in the moment before
    seconds = question.seconds
    if association.is_established:
        association.release()
    code = None if status is None else status.get("Status")
    if code == SUCCESS:
        return question.answer("answered", "{node} answered", seconds=seconds)
    if code is not None:
        text = f"{{node}} answered the echo with status 0x{code:04X}"
        return question.answer("failed", text, _SEE_LOG, seconds=seconds)
    if seconds >= question.timeout:
        text = "{node} accepted the association but did not answer the echo within {timeout} s"
        return question.answer("timeout", text, "it hangs: have it restarted", seconds=seconds)
    text = "{node} accepted the association and then ended it instead of answering"
    return question.answer("aborted", text, _SEE_LOG, seconds=seconds)


def _rejection(pdu: bytes) -> tuple[str, str]:
    """Say in words why an association was rejected, and what to do (PS3.8 section 9.3.4)."""
    source, reason = pdu[8:10] if len(pdu) > _REASON_AT else (0, 0)
    unknown = (f"gives reason {reason} of source {source}, which the standard does not know", "ask who runs it")
    text, advice = _REJECTIONS.get((source, reason), unknown)
    return f"{{node}} rejects the association: it {text}", advice


def _failure(association: Association, received: Collection[int], *, timed_out: bool) -> tuple[Kind, str, str]:
    """Say why there is no association although the node can be reached."""
    if _ACCEPT in received and association.rejected_contexts:
        text = "{node} accepts associations, but not the echo (Verification SOP Class)"
        return ("unsupported", text, "it may take images all the same: try a test send")
    if _ABORT in received:
        return ("aborted", "{node} aborted the association request", _SEE_LOG)
    if timed_out:
        text = "{node} took the connection but did not answer the association request within {timeout} s"
        return ("timeout", text, _PLAIN)
    return ("aborted", "{node} took the connection and closed it without a DICOM answer", _PLAIN)


def _explain(error: OSError) -> tuple[str, str]:
    """Say why there was no connection, and what to do."""
    text, advice = next(texts for kind, texts in _EXPLANATIONS.items() if isinstance(error, kind))
    reason = (error.strerror or str(error)).replace("{", "{{").replace("}", "}}")
    return text.replace("REASON", reason), advice


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
    OSError: ("{host}:{port} cannot be reached: REASON", "check host, port, cable and routing"),
}
"""Why a connection fails, and what to do about it, from the most special to the most general."""
