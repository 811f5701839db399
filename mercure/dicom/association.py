"""Association with a DICOM node; where there is none, why not, and what to do about it."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mercure.config.tls import TargetTls
from mercure.dicom.receipt import CREATOR_UID, IMPLEMENTATION_VERSION
from mercure.dicom.tls import TlsFilesError, client_context, probe
from mercure.dicom.tools import ToolMissingError
from mercure.lazy_imports import IMPORTING
from mercure.names import place_of

if TYPE_CHECKING:
    from pynetdicom.association import Association

FailureKind = Literal["unreachable", "rejected", "aborted", "timeout"]
LONGEST_AE_TITLE: Final = 16
MOST_CONTEXTS: Final = 128
"""Presentation contexts of one association (PS3.8 section 9.3.2.2: their ids are the odd numbers of a byte)."""

ACCEPTED, NO_REASON, NO_CLASS, NO_SYNTAX = 0, 2, 3, 4
"""What a node says of a presentation context (PS3.8 table 9-18); 1: refused by the user."""

VERIFICATION: Final = "1.2.840.10008.1.1"
IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
SEE_LOG: Final = "its log will say why"
_OF_TLS: Final = ("tls", "timeout")
_PLAIN: Final = "is it a DICOM server, without TLS, on this port?"
_ACCEPT, _REJECT, _ABORT = 2, 3, 7
"""Types of PDU (PS3.8 section 9.3)."""
_RESULT_AT, _REASON_AT = 7, 9
_TRANSIENT: Final = 2

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


@dataclass(frozen=True)
class DicomNode:
    """A DICOM node, and how long we wait for it.

    Parameters
    ----------
    host, port
        Address.
    called, calling : str
        Its AE title and ours.
    timeout : float
        Seconds to wait for each of: the connection, the answer to the association request, an answer, the release.
    tls : TargetTls, optional
        Over TLS, and how.

    Raises
    ------
    ValueError
        An AE title has not 1 to 16 characters (PS3.5 section 6.2).
    """

    host: str
    port: int
    called: str
    calling: str
    timeout: float
    tls: TargetTls | None = None

    def __post_init__(self) -> None:
        """Check the titles."""
        for title in (self.called, self.calling):
            if not 1 <= len(title.strip()) <= LONGEST_AE_TITLE:
                raise ValueError(f"{title!r} is no AE title: it has 1 to {LONGEST_AE_TITLE} characters")

    def words(self, text: str) -> str:
        """Fill in the words in braces."""
        return text.format(
            node=f"{self.called} at {place_of(self.host, self.port)}",
            place=place_of(self.host, self.port),
            host=self.host,
            port=self.port,
            called=self.called,
            calling=self.calling,
            timeout=f"{self.timeout:g}",
        )


@dataclass(frozen=True)
class AssociationFailure:
    """Why there is no association.

    Parameters
    ----------
    kind : FailureKind
        Sort of reason.
    text, advice : str
        What happened, and what to do about it.
    seconds : float
        After which time.
    transient : bool
        The node says that it is so for now only.
    """

    kind: FailureKind
    text: str
    advice: str
    seconds: float
    transient: bool = False


@dataclass
class _Trace:
    """What pynetdicom's threads saw: the connection, and the last PDU of each type that came, as bytes.

    Its own account of an association is not to be had: one that is rejected before its caller's thread goes on counts
    as aborted, and a reason that it does not know keeps it from telling of the PDU.
    """

    sockets: list[socket.socket] = field(default_factory=list)
    connected: bool = False
    pdus: dict[int, bytes] = field(default_factory=dict)

    def on_open(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's event
        self.connected = True
        self.sockets.append(event.assoc.dul.socket.socket)

    def on_data(self, event: Any) -> None:  # noqa: ANN401
        self.pdus[event.data[0]] = event.data

    def finish(self, association: Association, timeout: float) -> None:
        """Wait for the last event, and close what pynetdicom leaves open when the peer was first or is not there."""
        association.dul.join(timeout)
        for connection in self.sockets:
            connection.close()


@dataclass(frozen=True)
class Opened:
    """An association that the node accepted, whatever it accepted of the contexts.

    Parameters
    ----------
    association : Association
        pynetdicom's; its answer and its request are read from here only.
    trace : _Trace
        What was seen of it.
    seconds : float
        How long the connection and the answer to the request took.
    """

    node: DicomNode
    association: Association
    trace: _Trace
    seconds: float

    @property
    def stands(self) -> bool:
        """Whether it can be used: some context was accepted, and it has not ended."""
        return self.association.is_established

    @property
    def answers(self) -> dict[tuple[str, str], int]:
        """What it said of each context, by SOP class and transfer syntax: 0 accepted (PS3.8 table 9-18).

        One that is accepted in a transfer syntax that was not proposed cannot be used: it counts as not supported.
        """
        said: dict[tuple[str, str], int] = {}
        proposals = self._proposed()
        for context in (*self.association.accepted_contexts, *self.association.rejected_contexts):
            proposed = proposals.get(context.context_id)
            if proposed is None or context.result is None:
                continue
            is_other = context.result == ACCEPTED and proposed[1] not in map(str, context.transfer_syntax)
            said[proposed] = NO_SYNTAX if is_other else context.result
        return said

    def _proposed(self) -> dict[int | None, tuple[str, str]]:
        contexts = self.association.requestor.requested_contexts
        return {it.context_id: (str(it.abstract_syntax), str(it.transfer_syntax[0])) for it in contexts}

    def close(self) -> None:
        """Release it, where it stands, and close its connection."""
        if self.stands:
            self.association.release()
        self.trace.finish(self.association, self.node.timeout)


def request(node: DicomNode, contexts: Sequence[tuple[str, str]]) -> Opened | AssociationFailure:
    """Ask for an association, and wait for the answer.

    Parameters
    ----------
    node : DicomNode
        Whom to ask.
    contexts : sequence of tuple
        SOP class and transfer syntax of each presentation context, `MOST_CONTEXTS` at the most: each pair has one of
        its own, so that the node answers for each.

    Returns
    -------
    Opened or Failure
        Whatever the network does is a result.
    """
    start, trace = time.monotonic(), _Trace()
    try:
        association = _associate(node, contexts, trace)
    except TlsFilesError as error:
        return AssociationFailure("unreachable", str(error), "", _since(start))
    except OSError as error:
        return _failed(node, start, "unreachable", *_explain(error))
    seconds = _since(start)
    opened = Opened(node, association, trace, seconds)
    if opened.stands:
        return opened
    trace.finish(association, node.timeout)
    if _REJECT not in trace.pdus and _ACCEPT in trace.pdus and association.rejected_contexts:
        return opened
    return _refusal(node, trace, start, seconds)


def _refusal(node: DicomNode, trace: _Trace, start: float, seconds: float) -> AssociationFailure:
    """Say why an association did not come about, by what was seen."""
    if _REJECT in trace.pdus:
        pdu = trace.pdus[_REJECT]
        transient = len(pdu) > _RESULT_AT and pdu[_RESULT_AT] == _TRANSIENT
        return _failed(node, start, "rejected", *_rejection(pdu), transient=transient)
    if node.tls is not None and not trace.pdus and (why := _why_no_tls(node, node.tls)):
        return AssociationFailure("unreachable", why, "", _since(start))
    if not trace.connected:
        return _failed(node, start, "unreachable", *_explain(_no_connection(node, seconds)))
    return _failed(node, start, *_failure(trace.pdus, timed_out=seconds >= node.timeout))


def _associate(node: DicomNode, contexts: Sequence[tuple[str, str]], trace: _Trace) -> Association:
    # Here, because it takes a tenth of a second, which programs that never open an association should not pay.
    with IMPORTING:
        from pydicom.uid import UID  # noqa: PLC0415
        from pynetdicom import AE, _config, build_context, evt  # noqa: PLC0415

    # It logs what the result says, and a failure is to be reported once.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    # For that log it would parse each answer to a query, and pydicom would warn of what is odd in it.
    _config.LOG_RESPONSE_IDENTIFIERS = False

    class Entity(AE):
        def _create_socket(self, *arguments: Any) -> Any:  # noqa: ANN401
            made = super()._create_socket(*arguments)
            if made.socket is not None:
                trace.sockets.append(made.socket)
            return made

    entity = Entity(ae_title=node.calling)
    entity.implementation_class_uid = UID(CREATOR_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.acse_timeout = entity.dimse_timeout = node.timeout
    entity.network_timeout = None  # one that is held and says nothing is not to be ended by itself
    entity.connection_timeout = node.timeout
    tls_args: Any = None
    if node.tls is not None:
        tls_args = (client_context(node.tls, trace.sockets), node.tls.server_name or node.host)
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, trace.on_open), (evt.EVT_DATA_RECV, trace.on_data)]
    proposed = [build_context(sop_class, syntax) for sop_class, syntax in contexts]
    return entity.associate(
        node.host,
        node.port,
        contexts=proposed,
        ae_title=node.called,
        evt_handlers=handlers,
        tls_args=tls_args,
    )


def _no_connection(node: DicomNode, seconds: float) -> OSError:
    """Find out why there was no connection, which pynetdicom does not tell, by one more.

    Not by one before: nodes made with pynetdicom count one that says nothing as an association, for half a minute.
    """
    if seconds > 0.95 * node.timeout:
        return TimeoutError()
    try:
        socket.create_connection((node.host, node.port), timeout=node.timeout - seconds).close()
    except OSError as error:
        return error
    return OSError("it was refused, and a moment later it was not")


def _why_no_tls(node: DicomNode, tls: TargetTls) -> str:
    """Find out by the sender why there is no TLS, which pynetdicom does not tell; empty: it is not that."""
    try:
        error = probe(tls, node.host, node.port, (node.called, node.calling), node.timeout).error
    except ToolMissingError as missing:
        return str(missing)
    return error.text if error is not None and error.kind in _OF_TLS else ""


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _failed(
    node: DicomNode, start: float, kind: FailureKind, text: str, advice: str, *, transient: bool = False
) -> AssociationFailure:
    return AssociationFailure(kind, node.words(text), node.words(advice), _since(start), transient)


def _rejection(pdu: bytes) -> tuple[str, str]:
    """Say in words why an association was rejected, and what to do (PS3.8 section 9.3.4)."""
    source, reason = pdu[8:10] if len(pdu) > _REASON_AT else (0, 0)
    unknown = (f"gives reason {reason} of source {source}, which the standard does not know", "ask who runs it")
    text, advice = _REJECTIONS.get((source, reason), unknown)
    return f"{{node}} rejects the association: it {text}", advice


def _failure(received: Collection[int], *, timed_out: bool) -> tuple[FailureKind, str, str]:
    """Say why there is no association although the node can be reached."""
    if _ABORT in received:
        return ("aborted", "{node} aborted the association request", SEE_LOG)
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
        "{place} refuses the connection",
        "nothing listens on this port: check 'port', and that the node runs",
    ),
    TimeoutError: (
        "{place} did not answer within {timeout} s",
        "the machine is off, or a firewall drops the connection: check 'host', 'port' and the firewall",
    ),
    OSError: ("{place} cannot be reached: REASON", "check host, port, cable and routing"),
}
"""Why a connection fails, and what to do about it, from the most special to the most general."""
