"""The sender's own account: what it sent, and which of it the router said it had."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.data_sets import ct_image
from tests.support.dicom_peer import Peer, PeerError

SUCCESS = 0


@dataclass(frozen=True)
class Sent:
    """One object to send: the UID in the command, and the data set as it goes over the line."""

    sop: str
    data: bytes
    readable: bool = True
    """A receiver that cannot read it must say so, and may say so for ever."""


def ct_series(
    series: str, count: int, *, study: str = "1.2.3", first: int = 1, patient: str = "PATIENT-1"
) -> list[Sent]:
    """Make the images of one series, each with pixels of its own."""
    return [
        Sent(
            f"{series}.{number}",
            ct_image(
                f"{series}.{number}", series, study=study, patient=patient, pixels=f"{series} {number} ".encode() * 64
            ),
        )
        for number in range(first, first + count)
    ]


@dataclass
class Account:
    """Kept where no fault of the router can reach it."""

    acknowledged: list[Sent] = field(default_factory=list)

    def send(self, port: int, objects: list[Sent]) -> list[Sent]:
        """Send over one association until it ends, and return what was not answered with Success."""
        left = list(objects)
        try:
            with Peer(port, timeout=60) as peer:
                peer.associate()
                for sent in objects:
                    if peer.store(sent.data, sent.sop).status == SUCCESS:
                        self.acknowledged.append(sent)
                        left.remove(sent)
                peer.release()
        except (PeerError, ConnectionRefusedError):
            pass  # the receiver was killed: what is not acknowledged is the sender's to send again
        return left
