"""Target interface: settings, a delivery that reports on each image, and a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mercure.dicom.tls import NodeCertificate
from mercure.event_details import FailureKind
from mercure.model import Record
from mercure.spool import Task

Outcome = Literal["confirmed", "warning", "refused", "failed", "not-sent"]
STORED: tuple[Outcome, ...] = ("confirmed", "warning")
"""Outcomes by which the target has the image. A warning (PS3.4 table B.2-1, 0xBxxx) means that it was stored with
changes or doubts: sending it again would not help, so it counts, and is reported."""


class ImageResult(Record):
    """What became of one image in one attempt."""

    file: str
    sop: str = ""
    status: str | None = None
    outcome: Outcome
    comment: str = ""
    kind: str | None = None
    """``altered``: it was not sent, or not to its end, because our copy is not what was received; `comment` says where
    it differs. ``unsupported``: the target takes no such object in any form in which it can be had. ``local``: what
    went wrong is on our side."""
    syntax: str | None = None
    """UID of the transfer syntax in which it is kept, where the kind of target knows of such."""
    sent_as: str | None = None
    """UID of the one in which it went."""
    passed_over: str | None = None
    """One that was preferred, and why the image could not be had in it."""
    seconds: float = 0.0
    """From its first byte to the answer, where the kind of target tells."""

    @property
    def is_altered(self) -> bool:
        """Whether our copy is the reason."""
        return self.kind == "altered"

    @property
    def is_converted(self) -> bool:
        """Whether it went in another form than it is kept in."""
        return bool(self.sent_as) and self.sent_as != self.syntax

    @property
    def stored(self) -> bool:
        """Whether the target has the image."""
        return self.outcome in STORED


@dataclass(frozen=True)
class Trouble:
    """Why an attempt as a whole failed.

    Parameters
    ----------
    kind : FailureKind
        What it says about target and task.
    text : str
        What happened and, where it is known, what to do.
    in_image : bool
        Of a time limit: it passed in the middle of an image, so that it may be the image's.
    """

    kind: FailureKind
    text: str
    in_image: bool = False


@dataclass(frozen=True)
class DeliveryJob:
    """One attempt to deliver images of a task.

    Parameters
    ----------
    directory : Path
        The task's directory, claimed.
    files : sequence of str
        The images that the target has not confirmed yet, in the order in which to send them.
    task : Task
        The model, for identity and priority.
    seconds : float
        The longest that the attempt may take.
    report : callable
        Called for each image as soon as its result is known, so that a crash or time limit loses none.
    stopping : callable
        Tells whether the service is ending; what is not sent then stays for the next time.
    held : tuple of int
        Descriptors of the locks on the task. A process that is started to deliver it inherits them: should this one be
        killed, no other worker begins the task before that one has ended too.
    in_order : bool
        There are several versions of an image among the files: none may leave before the one listed before it has been
        answered.
    router : str
        The mark of the router, by which it knows itself again should its images come back.
    patience : float, optional
        The longest wait in seconds for the answer to an image, where it is shorter than the target's settings say.
    as_it_is : bool
        Send also what cannot be read, by what its meta header says, and convert nothing.
    note_certificate : callable
        Called with the certificate that the target showed, believed or not, where it is spoken to over TLS.
    """

    directory: Path
    files: Sequence[str]
    task: Task
    seconds: float
    report: Callable[[ImageResult], None]
    stopping: Callable[[], bool]
    held: tuple[int, ...] = ()
    in_order: bool = False
    router: str = ""
    patience: float | None = None
    as_it_is: bool = False
    note_certificate: Callable[[NodeCertificate], None] = lambda shown: None


@dataclass(frozen=True)
class Check:
    """Whether a target would take images now.

    Parameters
    ----------
    ok : bool
        It answered as it should.
    text : str
        What was found, and what to do where it was not well.
    seconds : float
        How long the answer took.
    """

    ok: bool
    text: str
    seconds: float = 0.0


class Target(Protocol):
    """A destination, made from its settings by its kind."""

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        """Send the images of `job`, reporting each; return what kept the attempt as a whole from going well."""

    def check(self) -> Check:
        """Ask the target whether it would take images, within a few seconds and without leaving anything there."""
