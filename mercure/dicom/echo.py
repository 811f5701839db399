"""C-ECHO: whether a DICOM node answers, and if not, why, and what to do about it."""

from __future__ import annotations

import time
from typing import Final, Literal

from mercure.dicom.association import (
    ACCEPTED,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    SEE_LOG,
    VERIFICATION,
    AssociationFailure,
    DicomNode,
    Opened,
    request,
)
from mercure.model import Record

Kind = Literal["answered", "unreachable", "rejected", "aborted", "timeout", "unsupported", "failed"]
SUCCESS: Final = 0x0000
CONTEXTS: Final = ((VERIFICATION, IMPLICIT_LITTLE), (VERIFICATION, EXPLICIT_LITTLE))


class EchoResult(Record):
    """What came of a C-ECHO.

    ``text`` says what happened, ``advice`` what to do about it (empty when all is well), ``seconds`` how long it took.
    """

    ok: bool
    kind: Kind
    text: str
    advice: str = ""
    seconds: float = 0.0


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
    return echo_of(DicomNode(host, port, called_aet, calling_aet, timeout))


def echo_of(node: DicomNode) -> EchoResult:
    """Ask a DICOM node for a C-ECHO; as `echo`."""
    start = time.monotonic()
    opened = request(node, CONTEXTS)
    if isinstance(opened, AssociationFailure):
        return EchoResult(ok=False, kind=opened.kind, text=opened.text, advice=opened.advice, seconds=opened.seconds)
    result = echo_over(opened, start)
    opened.close()
    return result


def echo_over(opened: Opened, start: float) -> EchoResult:
    """Send a C-ECHO over an association that the node accepted, and leave that open.

    Parameters
    ----------
    opened : Opened
        The association.
    start : float
        Since when the time counts, on the monotonic clock.
    """
    status = _status(opened) if opened.stands else None
    seconds = round(time.monotonic() - start, 3)
    kind, text, advice = _meaning(opened, status, timed_out=seconds >= opened.node.timeout)
    words = opened.node.words
    return EchoResult(ok=kind == "answered", kind=kind, text=words(text), advice=words(advice), seconds=seconds)


def _status(opened: Opened) -> int | None:
    """Send the echo, and return what was answered; None when nothing was."""
    try:
        status = opened.association.send_c_echo()
    except (RuntimeError, ValueError):
        return None  # the peer ended the association in the moment before
    return status.get("Status")  # type: ignore[no-any-return] # pynetdicom's data set


def _meaning(opened: Opened, status: int | None, *, timed_out: bool) -> tuple[Kind, str, str]:
    """Say what came of it, with words in braces."""
    if not any(opened.answers.get(context) == ACCEPTED for context in CONTEXTS):
        text = "{node} accepts associations, but not the echo (Verification SOP Class)"
        return "unsupported", text, "it may take images all the same: try a test send"
    if status == SUCCESS:
        return "answered", "{node} answered", ""
    if status is not None:
        return "failed", f"{{node}} answered the echo with status 0x{status:04X}", SEE_LOG
    if timed_out:
        text = "{node} accepted the association but did not answer the echo within {timeout} s"
        return "timeout", text, "it hangs: have it restarted"
    return "aborted", "{node} accepted the association and then ended it instead of answering", SEE_LOG
