"""DICOM target: C-STORE by DCMTK, C-ECHO by pynetdicom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, ValidationError

from mercure.config import TargetSettings
from mercure.config.basics import AETitle, Host, Port, PositiveSeconds, TransferSyntaxes
from mercure.config.tls import TargetTls
from mercure.dicom.association import ACCEPTED, AssociationFailure, DicomNode, request
from mercure.dicom.capabilities import CapabilityQuery, Pair
from mercure.dicom.echo import echo_of
from mercure.dicom.find import InstanceQuery
from mercure.dicom.receipt import DIGEST_PREFIX
from mercure.dicom.send import SendError, StorePeer, send
from mercure.dicom.tools import ToolMissingError
from mercure.event_details import FailureKind
from mercure.names import place_of
from mercure.spool import read_tags
from mercure.spool.images import text
from mercure.targets.base import Check, DeliveryJob, ImageResult, Outcome, Trouble

_KINDS: Final[dict[str, FailureKind]] = {
    "unreachable": "unreachable",
    "rejected": "rejected",
    "busy": "busy",
    "timeout": "timeout",
    "aborted": "unreachable",
    "violation": "refused",
    "local": "local",
    "tls": "unreachable",
}
"""What the sender calls a failure, and what it means for the task. An abort in the middle is most often a target that
is being restarted, or what it does to one image: who delivers asks it. Where TLS does not come about, be it for our own
files, no image is to blame. Answers that confirm nothing are counted: what
would answer so for ever must come before a person."""

_SAID_BY_THE_IMAGE: Final = ("altered", "unsupported")
"""What an attempt says of single images, whatever became of the others."""

_ANSWER_WATCH_SECONDS: Final = 0.2
_WATCHED_AGAIN_SECONDS: Final = 3600.0
"""A target is looked at for answers that come too early when it is used for the first time, and then so often: what
answers before it has the whole image always does."""


Status = Annotated[str, Field(pattern=r"^(0x)?[0-9A-Fa-f]{2}([0-9A-Fa-f]{2}|xx)$")]


class DicomSettings(TargetSettings):
    """A DICOM node; images are sent by C-STORE."""

    kind: Literal["dicom"]
    host: Host
    """Host name or address, IPv4 or IPv6. A name that has both is reached over IPv4."""
    port: Port
    """TCP port."""
    called_aet: AETitle
    """The target's AE title."""
    calling_aet: AETitle = "MERCURE"
    """Our AE title."""
    associations: Annotated[int, Field(ge=1, le=16)] = 1
    """Associations in parallel for one task: each has a round trip an image, so a distant target gains; the order
    within a series is then not kept."""
    max_pdu: Annotated[int, Field(ge=4096, le=131072)] = 131072
    """The longest PDU that we receive from it, in bytes; how long ours may be it says itself."""
    transfer_syntaxes: TransferSyntaxes = ("as-needed",)
    """``as-needed``: converted, without loss to Explicit or Implicit VR Little Endian, only where the target asks it.
    ``as-received``: never converted. ``uncompressed``: always decoded. Or UIDs, best first; it is compressed for these.
    """
    outage_statuses: Annotated[tuple[Status, ...], Field(max_length=64)] = ("A7xx", "0213", "0124")
    """Answers that speak of the target and not of the image: it is down until it takes one, and nothing is counted.
    Hexadecimal, ``xx`` for any two digits; add ``0110`` where it answers so when its database is away."""
    tls: TargetTls | None = None
    """How it is spoken to over TLS; without it images go as they are, readable on their way."""
    connect_timeout_seconds: PositiveSeconds = 10
    """The longest wait for the TCP connection."""
    acse_timeout_seconds: PositiveSeconds = 30
    """The longest wait for the answer when an association is requested, and when it is released."""
    dimse_timeout_seconds: PositiveSeconds = 60
    """The longest wait for the answer to one image."""

    def destination(self) -> str:
        """Say which node this is: host (names are compared without case), port and called AE title."""
        return f"dicom:{place_of(self.host.lower(), self.port)}:{self.called_aet}"

    def node(self) -> tuple[str, int]:
        """Return host and port."""
        return self.host, self.port

    def question(self, at_once: int = 0, needed: Sequence[Pair] = ()) -> CapabilityQuery:
        """Make the query of its capabilities and, on request, of how many associations it takes at once.

        `needed` are SOP classes and transfer syntaxes of images that are to go there.
        """
        return CapabilityQuery(self._peer(), self.destination(), at_once=at_once, needed=needed)

    def instance_query(self) -> InstanceQuery:
        """Make the query for the instances that it has; it is asked where it takes images, under the same titles."""
        return InstanceQuery(self._peer(), answer_seconds=self.dimse_timeout_seconds)

    def taken(self, sop_class: str, syntaxes: Sequence[str]) -> tuple[str, ...]:
        """Return the transfer syntaxes in which it takes a SOP class, by one association; none if that fails."""
        opened = request(self._peer(), [(sop_class, syntax) for syntax in syntaxes])
        if isinstance(opened, AssociationFailure):
            return ()
        opened.close()
        return tuple(syntax for syntax in syntaxes if opened.answers.get((sop_class, syntax)) == ACCEPTED)

    def _peer(self) -> DicomNode:
        return self.at(self.acse_timeout_seconds)

    def at(self, timeout: float) -> DicomNode:
        """Return the node, with how long to wait for each of its answers in seconds."""
        return DicomNode(self.host, self.port, self.called_aet, self.calling_aet, timeout, self.tls)


class DicomTarget:
    """Delivers to a DICOM node.

    Parameters
    ----------
    settings : DicomSettings
        Where and how.
    """

    def __init__(self, settings: DicomSettings) -> None:
        self._settings = settings
        self._proven_until = float("-inf")

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        """Send by C-STORE; an image is confirmed by its own C-STORE response."""
        settings = self._settings
        peer = StorePeer(
            host=settings.host,
            port=settings.port,
            called_aet=settings.called_aet,
            calling_aet=settings.calling_aet,
            connect_seconds=settings.connect_timeout_seconds,
            acse_seconds=settings.acse_timeout_seconds,
            dimse_seconds=min(settings.dimse_timeout_seconds, job.patience or math.inf),
            max_pdu=settings.max_pdu,
            router=job.router,
            associations=1 if job.in_order else settings.associations,
            transfer_syntaxes=("as-it-is",) if job.as_it_is else settings.transfer_syntaxes,
            answer_watch_seconds=self._watch_seconds(),
            tls=settings.tls,
            on_certificate=job.note_certificate,
        )
        refused: list[ImageResult] = []
        end = time.monotonic() + job.seconds
        watch = _StatusWatch(settings.outage_statuses)
        report = _reporter(job, refused, watch)
        paths = [job.directory / name for name in job.files]
        known = {text(record, "FileName"): text(record, "DataSetDigest") for record in read_tags(job.directory)}
        digests = {name: digest for name, digest in known.items() if digest.startswith(DIGEST_PREFIX)}
        try:
            failure = send(
                peer,
                paths,
                seconds=job.seconds,
                report=report,
                stopping=lambda: watch.has_enough or job.stopping(),
                held=job.held,
                digests=digests,
            )
        except (ToolMissingError, SendError) as error:
            return Trouble("local", str(error))
        if job.stopping():
            # What was not sent then says nothing of the target; what it answered does.
            return _refusal([result for result in refused if result.status])
        if watch.unable is not None:
            return Trouble("unable", watch.text())
        if failure is not None and not watch.has_enough:
            # An attempt that took too long as a whole says nothing of the image that was under way.
            return _trouble(failure, refused if time.monotonic() < end else [])
        if not refused and peer.answer_watch_seconds:
            self._proven_until = time.monotonic() + _WATCHED_AGAIN_SECONDS
        return _refusal(refused)

    def _watch_seconds(self) -> float:
        return 0.0 if time.monotonic() < self._proven_until else _ANSWER_WATCH_SECONDS

    def check(self) -> Check:
        """Send a C-ECHO."""
        settings = self._settings
        result = echo_of(settings.at(settings.connect_timeout_seconds))
        # A node without Verification accepts associations all the same: it is up, and a delivery will show the rest.
        ok = result.ok or result.kind == "unsupported"
        return Check(ok, ": ".join(filter(None, (result.text, result.advice))), result.seconds)


class _StatusWatch:
    """Watches for answers that speak of the target.

    The next image shows whether it was the image after all: it is taken, or nothing more is sent.
    """

    def __init__(self, statuses: tuple[str, ...]) -> None:
        self._patterns = tuple(status.lower().removeprefix("0x").rstrip("x") for status in statuses)
        self.unable: ImageResult | None = None
        self.has_enough = False

    def see(self, result: ImageResult) -> None:
        """Look at the answer to an image."""
        if result.stored:
            self.unable = None
        elif result.status is not None:
            self.has_enough = self.has_enough or self.unable is not None
            if result.status.lower().removeprefix("0x").startswith(self._patterns):
                self.unable = self.unable or result

    def text(self) -> str:
        """Say what the target said."""
        found = self.unable
        return "" if found is None else f"the target answers status {found.status} ({found.comment})"


def _reporter(job: DeliveryJob, refused: list[ImageResult], watch: _StatusWatch) -> Callable[[dict[str, Any]], None]:
    """Turn the sender's lines into results, and collect those that the target did not take."""
    outcomes, files = set(get_args(Outcome)), set(job.files)

    def report(line: dict[str, Any]) -> None:
        name = str(line.get("file", "")).rpartition("/")[2]
        if name not in files or line.get("outcome") not in outcomes:
            return
        try:
            result = ImageResult.model_validate({**line, "file": name, "comment": line.get("comment") or ""})
        except ValidationError:
            return
        watch.see(result)
        if not result.stored and result.kind not in _SAID_BY_THE_IMAGE:
            refused.append(result)
        job.report(result)

    return report


def _trouble(failure: tuple[str, str], refused: list[ImageResult]) -> Trouble:
    kind, what = failure
    in_image = any(_ended_in(result) for result in refused)
    if kind == "aborted" and in_image:
        return Trouble("aborted", what)
    return Trouble(_KINDS.get(kind, "local"), what, in_image=in_image and kind == "timeout")


def _ended_in(result: ImageResult) -> bool:
    """Return whether the association ended in the middle of an image."""
    return result.status is None and result.outcome == "failed" and not result.kind


def _refusal(refused: list[ImageResult]) -> Trouble | None:
    if not refused:
        return None
    first = refused[0]
    what = f"status {first.status}" if first.status else first.outcome
    comment = f" ({first.comment})" if first.comment else ""
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    # An image that our own disk does not give back says nothing of the target.
    kind: FailureKind = "local" if all(result.kind == "local" for result in refused) else "refused"
    if all(_ended_in(result) for result in refused):
        return Trouble("aborted", f"{first.comment}: {first.file}{more}")
    return Trouble(kind, f"{what}{comment}: {first.file}{more}")
