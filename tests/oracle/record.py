"""What a run knows by itself: what was sent, what came where, what was done to the router meanwhile."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Answer = Literal["acknowledged", "refused", "unknown"]
LINGER = 2.0
"""Seconds for which a sender whose dispatcher was killed may still go on with the image that it is sending."""

AS_RECEIVED = ""
"""The form of an image that is delivered as it came."""


def digest(data: bytes) -> str:
    """Return what stands for a data set where many are kept in mind."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Image:
    """One sending of one object, as its sender saw it.

    Parameters
    ----------
    sop
        The UID of the instance.
    forms
        Digest of the data set by the form in which it may be delivered: `AS_RECEIVED`, or what a module makes of it.
    tags
        What the sender wrote into it, by keyword.
    calling, called, address
        Of the association; `address` is the sender's own.
    sender
        What several AE titles or addresses are together; empty: each AE title at each address is a sender of its own.
    association
        Which: images of one association have the same.
    answer
        What the sender was told. Without an answer, or after a refusal, the router may have it or not.
    began, ended
        When the sending began, and when it was answered, on this machine's monotonic clock.
    count
        So many instances of its series are decided together; None: the sender cannot know.
    """

    sop: str
    forms: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    calling: str = "PEER"
    called: str = "MERCURE"
    address: str = "127.0.0.1"
    sender: str = ""
    association: str = ""
    answer: Answer = "acknowledged"
    began: float = 0.0
    ended: float = 0.0
    count: int | None = None

    @property
    def digest(self) -> str:
        """Of the data set as it was sent."""
        return self.forms[AS_RECEIVED]

    @property
    def unit(self) -> tuple[str, ...]:
        """What is decided together at most: one series of one study of one patient from one sender."""
        told = (self.tags.get(tag, "") for tag in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
        return (*((self.sender,) if self.sender else (self.calling, self.address)), *told)


@dataclass(frozen=True)
class Arrival:
    """One image at a destination, in the order of the list in which it stands; `at` where somebody saw it come."""

    sop: str
    digest: str
    at: float | None = None


@dataclass
class Disturbances:
    """When something was done to the router that may make it send an image again: a kill, a lost connection."""

    spans: list[tuple[float, float]] = field(default_factory=list)

    def note(self) -> None:
        """Something happened just now."""
        now = monotonic()
        self.spans.append((now, now))

    @contextmanager
    def during(self) -> Iterator[None]:
        """Something happens at a moment within the block."""
        began = monotonic()
        try:
            yield
        finally:
            self.spans.append((began, monotonic()))

    def between(self, first: float | None, second: float | None) -> bool:
        """Tell whether something happened between two moments."""
        if first is None or second is None:
            return False
        return any(began <= second and ended + LINGER >= first for began, ended in self.spans)
