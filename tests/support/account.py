"""The sender's own account: what it sent, and which of it the router said it had."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from tests.oracle.record import AS_RECEIVED, Answer, Image, digest
from tests.support.data_sets import ct_image, tagged_image
from tests.support.dicom_peer import Peer, PeerError, associate_rq
from tests.support.encoded import ENCODINGS, EXPLICIT, encode
from tests.support.pictures import Picture
from tests.support.polling import eventually

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from tests.support.namespaces import Namespace

SUCCESS = 0
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Sent:
    """One object to send: the UID in the command, and the data set as it goes over the line."""

    sop: str
    data: bytes
    readable: bool = True
    """A receiver that cannot read it must say so, and may say so for ever."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the sender wrote into it, by keyword."""


def image(sop: str, series: str, *, pixels: bytes = b"\1\2" * 32, **tags: str) -> Sent:
    """Make an image whose tags are known: by keyword, as `tagged_image` takes them."""
    whole = {"SOPInstanceUID": sop, "SeriesInstanceUID": series, "StudyInstanceUID": "1.2.3", **tags}
    whole = {"Modality": "CT", "PatientID": "PATIENT-1", "PatientName": "Secret^Name", **whole}
    return Sent(sop, tagged_image(whole, pixels), tags=whole)


def images(series: str, count: int, *, first: int = 1, repeated: int = 8, **tags: str) -> list[Sent]:
    """Make the images of one series, as `image` does; each has pixels of its own."""
    numbers = range(first, first + count)
    return [
        image(f"{series}.{each}", series, pixels=f"{series} {each} ".encode() * 2 * repeated, **tags)
        for each in numbers
    ]


def ct_series(
    series: str, count: int, *, study: str = "1.2.3", first: int = 1, patient: str = "PATIENT-1", repeated: int = 64
) -> list[Sent]:
    """Make the images of one series, each with pixels of its own: a short text, repeated so many times."""
    return [
        Sent(
            f"{series}.{number}",
            ct_image(
                f"{series}.{number}",
                series,
                study=study,
                patient=patient,
                pixels=f"{series} {number} ".encode() * repeated,
            ),
            tags={"PatientID": patient, "StudyInstanceUID": study, "SeriesInstanceUID": series, "Modality": "CT"},
        )
        for number in range(first, first + count)
    ]


def pictured(sent: Sent) -> Sent:
    """Describe the pixels of an image: 8 columns of 16 bits."""
    marker = b"\xe0\x7f\x10\x00OW"
    head, _, pixels = sent.data.partition(marker)
    picture = Picture(rows=(len(pixels) - 6) // 16, columns=8, stored=16)
    described = tuple(part for part in picture.elements() if part.tag >> 16 == 0x0028 and part.tag != 0x00280008)
    return replace(sent, data=head + encode(described, ENCODINGS[EXPLICIT]) + marker + pixels)


@dataclass
class Account:
    """Kept where no fault of the router can reach it.

    Parameters
    ----------
    acknowledged
        What was answered with Success, in that order.
    host
        Address of the router.
    timeout
        Seconds after which the sender takes an answer that does not come for a lost connection.
    place
        The network namespace in which the sender is; None: the test's own.
    calling, called, source
        AE titles of the associations, and the address from which they come; empty: what the system chooses.
    sender
        Of which sender with several addresses these are one: see `tests.oracle.record.Image`.
    forms
        What modules make of a data set, by the name of the form.
    keeps
        Whether `acknowledged` is kept: a sender of many images only keeps `sent` in mind.
    sent
        Every sending, for the oracle (`tests.oracle`).
    tls
        It calls over TLS.
    """

    acknowledged: list[Sent] = field(default_factory=list)
    host: str = "127.0.0.1"
    timeout: float = 60.0
    place: Namespace | None = None
    calling: str = "PEER"
    called: str = "MERCURE"
    source: str = ""
    sender: str = ""
    forms: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    keeps: bool = True
    sent: list[Image] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    association: int = 0
    confirmed: int = 0
    """How many sendings were answered with Success."""

    def as_sender(self, calling: str, called: str = "MERCURE", source: str = "", sender: str = "") -> Account:
        """Return an account of another sender that is kept in the same books."""
        return replace(self, calling=calling, called=called, source=source, sender=sender)

    def send(self, port: int, objects: list[Sent]) -> list[Sent]:
        """Send over one association until it ends, and return what was not answered with Success."""
        left = list(objects)
        self.association = next(_NUMBERS)
        try:
            with self._connected(port) as peer:
                peer.associate(associate_rq(calling=self.calling.encode(), called=self.called.encode()))
                for sent in objects:
                    if self._store(peer, sent):
                        left.remove(sent)
                peer.release()
        except (PeerError, OSError):
            pass  # the receiver or the way to it is gone: what is not acknowledged is the sender's to send again
        return left

    def _store(self, peer: Peer, sent: Sent) -> bool:
        """Send one object and note what came of it; true when it was answered with Success."""
        began = monotonic()
        answer: Answer = "unknown"
        try:
            is_success = peer.store(sent.data, sent.sop).status == SUCCESS
            answer = "acknowledged" if is_success else "refused"
        finally:
            self.sent.append(self._noted(sent, answer, began))
        if is_success:
            self.confirmed += 1
            if self.keeps:
                self.acknowledged.append(sent)
        return is_success

    def _noted(self, sent: Sent, answer: Answer, began: float) -> Image:
        forms = {AS_RECEIVED: digest(sent.data)} | {name: digest(make(sent.data)) for name, make in self.forms.items()}
        return Image(
            sent.sop,
            forms,
            sent.tags,
            calling=self.calling,
            called=self.called,
            address=self.source or (self.place.address if self.place else "127.0.0.1"),
            sender=self.sender,
            association=str(self.association),
            answer=answer,
            began=began,
            ended=monotonic(),
        )

    def send_all(self, port: int, objects: list[Sent]) -> None:
        """Send over one association after the other until everything is acknowledged."""
        left = objects

        def is_done() -> bool:
            nonlocal left
            left = self.send(port, left)
            return not left

        eventually(is_done, seconds=90, what="all is acknowledged")

    def _connected(self, port: int) -> Peer:
        with self.place.inside() if self.place else nullcontext():
            return Peer(port, self.host, timeout=self.timeout, source=self.source, tls=self.tls)
