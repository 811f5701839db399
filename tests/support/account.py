"""The sender's own account: what it sent, and which of it the router said it had."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.data_sets import ct_image
from tests.support.dicom_peer import Peer, PeerError
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.namespaces import Namespace

SUCCESS = 0


@dataclass(frozen=True)
class Sent:
    """One object to send: the UID in the command, and the data set as it goes over the line."""

    sop: str
    data: bytes
    readable: bool = True
    """A receiver that cannot read it must say so, and may say so for ever."""


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
        )
        for number in range(first, first + count)
    ]


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
    """

    acknowledged: list[Sent] = field(default_factory=list)
    host: str = "127.0.0.1"
    timeout: float = 60.0
    place: Namespace | None = None

    def send(self, port: int, objects: list[Sent]) -> list[Sent]:
        """Send over one association until it ends, and return what was not answered with Success."""
        left = list(objects)
        try:
            with self._connected(port) as peer:
                peer.associate()
                for sent in objects:
                    if peer.store(sent.data, sent.sop).status == SUCCESS:
                        self.acknowledged.append(sent)
                        left.remove(sent)
                peer.release()
        except (PeerError, OSError):
            pass  # the receiver or the way to it is gone: what is not acknowledged is the sender's to send again
        return left

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
            return Peer(port, self.host, timeout=self.timeout)
