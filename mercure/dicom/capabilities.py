"""Capabilities of a DICOM node, found by an echo and by negotiation alone. No image ever leaves here.

Each pair of SOP class and transfer syntax has a presentation context of its own, as in a delivery, and one association
follows the other, with a pause between them: a node that allows one at a time is probed like any other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import AwareDatetime

from mercure.clock import Clock
from mercure.dicom.association import (
    ACCEPTED,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    MOST_CONTEXTS,
    NO_CLASS,
    AssociationFailure,
    DicomNode,
    Opened,
    request,
)
from mercure.dicom.echo import CONTEXTS, echo_over
from mercure.dicom.uids import registry
from mercure.model import Record

PAUSE_SECONDS: Final = 0.2
"""Between two associations."""

LONGEST_SECONDS: Final = 600.0
"""After this time the probe ends and returns what it has found."""

MOST_AT_ONCE: Final = 4
"""Associations held at once by default."""

_AT_ONCE_SECONDS: Final = 5.0
"""Some nodes let the next one wait instead of refusing it: after this time it counts as refused."""

AGAIN_SECONDS: Final = (1.0, 2.0, 4.0)
"""Waits before the next request to a node that refused an association for now."""

_FEW_CONTEXTS: Final = 32
"""Presentation contexts in one request to a node that aborts at a long one."""

Pair = tuple[str, str]
"""SOP class and transfer syntax."""

_DEFAULTS: Final = (IMPLICIT_LITTLE, EXPLICIT_LITTLE)
"""Proposed first: for a class that a node does not know at all nothing more is proposed."""

_LEFT_OUT: Final = (
    "1.2.840.10008.1.2.4.94",  # JPIP: the pixels stay with the sender
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
    "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110: real time, nothing to keep
    "1.2.840.10008.1.2.7.2",
    "1.2.840.10008.1.2.7.3",
)
_STILL_IN_USE: Final = "1.2.840.10008.1.2.2"
"""Explicit VR Big Endian is retired, and kept in many archives."""

_NOT_STORAGE: Final = "1.2.840.10008.1."
"""Below this are the media directory and storage commitment, which have the word in their names."""


class AtOnce(Record):
    """How many associations a node had at once.

    ``asked`` is how many were to be opened, ``accepted`` how many it held together, ``text`` why not more.
    """

    time: AwareDatetime
    asked: int
    accepted: int
    text: str = ""


class Capabilities(Record):
    """What a node said that it takes, and how it answers.

    ``node`` is the probed destination, ``classes`` has for each SOP class that it takes the transfer syntaxes,
    in the order of the standard; ``asked_classes`` and ``asked_syntaxes`` were proposed. ``needed`` has the SOP classes
    of its tasks, private ones too, and the transfer syntaxes in which their images are kept. ``max_pdu`` is the longest
    PDU that it receives, in bytes; 0: any. ``seconds`` is the time of an answer to an association request in the
    middle, ``slowest_seconds`` of the slowest one. ``unfinished`` says why the probe ended early.
    """

    node: str
    calling_aet: str
    time: AwareDatetime
    echo: str
    echo_seconds: float
    seconds: float
    slowest_seconds: float
    requests: int
    max_pdu: int
    implementation: str
    implementation_version: str = ""
    asked_classes: tuple[str, ...]
    asked_syntaxes: tuple[str, ...]
    classes: dict[str, tuple[str, ...]]
    needed: dict[str, tuple[str, ...]] = {}
    at_once: AtOnce | None = None
    unfinished: str = ""


def storage_classes() -> tuple[str, ...]:
    """Return the storage SOP classes of the standard (PS3.6 annex A) in its order, retired ones last; no trials."""
    found = {
        uid: entry
        for uid, entry in registry().items()
        if entry.kind == "SOP Class" and "Storage" in entry.name and not uid.startswith(_NOT_STORAGE)
    }
    wanted = [uid for uid, entry in found.items() if "Trial" not in entry.name]
    return tuple(sorted(wanted, key=lambda uid: found[uid].retired))


def transfer_syntaxes() -> tuple[str, ...]:
    """Return the transfer syntaxes in which images are kept and sent, in the order of the standard."""
    return tuple(
        uid
        for uid, entry in registry().items()
        if entry.kind == "Transfer Syntax" and uid not in _LEFT_OUT and (not entry.retired or uid == _STILL_IN_USE)
    )


@dataclass(frozen=True)
class CapabilityQuery:
    """A probe of a node.

    Parameters
    ----------
    node : DicomNode
        The node.
    name : str
        How its destination is called (`Capabilities.node`).
    classes, syntaxes : sequence of str
        What is proposed, each class in each syntax.
    needed : sequence of tuple
        SOP classes and transfer syntaxes of images that are to go there. A class is proposed as the others are; a
        syntax that is not among the others, such as a private one, with its class alone.
    at_once : int
        How many associations to hold at once; 0: not probed.
    pause_seconds : float
        Between two associations.
    again_seconds : sequence of float
        Waits before the next request to a node that refused an association for now.
    """

    node: DicomNode
    name: str
    classes: Sequence[str] = field(default_factory=storage_classes)
    syntaxes: Sequence[str] = field(default_factory=transfer_syntaxes)
    at_once: int = 0
    pause_seconds: float = PAUSE_SECONDS
    again_seconds: Sequence[float] = AGAIN_SECONDS
    needed: Sequence[Pair] = ()

    @property
    def all_classes(self) -> tuple[str, ...]:
        """All classes that are proposed, those of the standard first."""
        return tuple(dict.fromkeys((*self.classes, *(sop_class for sop_class, _ in self.needed))))


Report = Callable[[int, int], None]
"""Called with the number of associations requested so far, and of how many, as far as is known."""


def probe(question: CapabilityQuery, report: Report, clock: Clock) -> Capabilities | AssociationFailure:
    """Probe what a node accepts.

    Parameters
    ----------
    question : CapabilityQuery
        The node and what to propose.
    report : callable
        Called with the progress.
    clock : Clock
        When it is, and how long it takes.

    Returns
    -------
    Capabilities or Failure
        Why not even the first association came about.
    """
    now = clock.now()
    survey = _Survey(question, report, clock.monotonic() + LONGEST_SECONDS, clock)
    first, start = survey.begin()
    if isinstance(first, AssociationFailure):
        return first
    echo = echo_over(first, start)
    acceptor = first.association.acceptor
    first.close()
    survey.note(first)
    survey.ask_all()
    at_once = survey.hold(question.at_once) if question.at_once and survey.anchor() else None
    return Capabilities(
        node=question.name,
        calling_aet=question.node.calling,
        time=now,
        echo=echo.kind,
        echo_seconds=echo.seconds,
        seconds=round(statistics.median(survey.seconds), 3),
        slowest_seconds=max(survey.seconds),
        requests=len(survey.seconds),
        max_pdu=acceptor.maximum_length or 0,
        implementation=str(acceptor.implementation_class_uid or ""),
        implementation_version=acceptor.implementation_version_name or "",
        asked_classes=question.all_classes,
        asked_syntaxes=tuple(question.syntaxes),
        classes=survey.classes(),
        needed=survey.needed(),
        at_once=at_once,
        unfinished=survey.unfinished,
    )


@dataclass
class _Survey:
    """The answers of a node, association by association."""

    question: CapabilityQuery
    report: Report
    end: float
    clock: Clock
    answers: dict[Pair, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    unfinished: str = ""
    size: int = MOST_CONTEXTS

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Collect what the node takes."""
        asked = dict.fromkeys((*self.question.syntaxes, *(syntax for _, syntax in self.question.needed)))
        taken = {
            sop_class: tuple(it for it in asked if self.answers.get((sop_class, it)) == ACCEPTED)
            for sop_class in self.question.all_classes
        }
        return {sop_class: syntaxes for sop_class, syntaxes in taken.items() if syntaxes}

    def needed(self) -> dict[str, tuple[str, ...]]:
        """Collect by their class in which syntaxes the images that are to go there are kept."""
        needed: dict[str, tuple[str, ...]] = {}
        for sop_class, syntax in self.question.needed:
            needed[sop_class] = (*needed.get(sop_class, ()), syntax)
        return needed

    def begin(self) -> tuple[Opened | AssociationFailure, float]:
        """Ask for the first association, and tell since when; of a node that is busy, a few times."""
        for seconds in self.question.again_seconds:
            start = time.monotonic()
            answer = request(self.question.node, CONTEXTS)
            if isinstance(answer, Opened) or not answer.transient:
                return answer, start
            time.sleep(seconds)
        start = time.monotonic()
        return request(self.question.node, CONTEXTS), start

    def note(self, opened: Opened) -> None:
        """Keep what an association said."""
        self.seconds.append(opened.seconds)
        self.answers |= opened.answers

    def ask_all(self) -> None:
        """Ask for each class in the default syntaxes, of those known for the others, and last for what is needed."""
        wanted, classes = self.question.syntaxes, self.question.all_classes
        self._ask([(it, syntax) for syntax in _DEFAULTS if syntax in wanted for it in classes])
        others = [syntax for syntax in wanted if syntax not in _DEFAULTS]
        self._ask([(it, syntax) for it in classes if self._is_known(it) for syntax in others])
        self._ask([pair for pair in self.question.needed if pair not in self.answers])

    def _is_known(self, sop_class: str) -> bool:
        said = [self.answers[sop_class, it] for it in _DEFAULTS if (sop_class, it) in self.answers]
        return not said or any(answer != NO_CLASS for answer in said)

    def _ask(self, pairs: Sequence[Pair]) -> None:
        left = list(pairs)
        while left and not self.unfinished:
            piece = left[: self.size - 1]
            self.report(len(self.seconds), len(self.seconds) + -(-len(left) // (self.size - 1)))
            opened = self._request([*self.anchor(), *piece])
            if opened is None:
                continue
            opened.close()
            self.note(opened)
            left = left[len(piece) :]

    def anchor(self) -> list[Pair]:
        """Return a context that the node accepts: an association without one would have to be aborted."""
        return [pair for pair, answer in self.answers.items() if answer == ACCEPTED][:1]

    def _request(self, contexts: Sequence[Pair]) -> Opened | None:
        """Request an association; None if it must be repeated with fewer contexts, or the probe is over."""
        for seconds in (self.question.pause_seconds, *self.question.again_seconds):
            time.sleep(seconds)
            if self.clock.monotonic() > self.end:
                self.unfinished = f"it took longer than {LONGEST_SECONDS:.0f} s"
                return None
            answer = request(self.question.node, contexts)
            if isinstance(answer, Opened):
                self.unfinished = ""
                return answer
            self.unfinished = answer.text
            if answer.kind == "aborted" and self.size > _FEW_CONTEXTS:
                self.size, self.unfinished = _FEW_CONTEXTS, ""
            if not answer.transient:
                return None
        return None

    def hold(self, most: int) -> AtOnce | None:
        """Open associations side by side until the node takes no more, and release them; None where it takes none."""
        node = replace(self.question.node, timeout=min(self.question.node.timeout, _AT_ONCE_SECONDS))
        first = self._request(self.anchor())  # it may not have let go of the one before yet
        if first is None:
            return None
        held, text = [first], ""
        try:
            while len(held) < most and not text:
                answer = self._one_more(node)
                if isinstance(answer, Opened):
                    held.append(answer)
                else:
                    text = answer.text
            accepted = sum(each.stands for each in held)
        finally:
            for each in held:
                each.close()
        if not text and accepted < len(held):
            text = "it ended an association when the next one came"
        return AtOnce(time=self.clock.now(), asked=most, accepted=accepted, text=text)

    def _one_more(self, node: DicomNode) -> Opened | AssociationFailure:
        """Ask for one more association; where it is refused for now, once more: the node may be slow to let go."""
        time.sleep(self.question.pause_seconds)
        answer = request(node, self.anchor())
        if isinstance(answer, Opened) or not answer.transient:
            return answer
        time.sleep(self.question.again_seconds[0])
        return request(node, self.anchor())
