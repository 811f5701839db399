"""Images that their target never takes, one after the other; and how long the good ones wait for them."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tests.oracle.meaning import ERROR, Rule
from tests.support.account import Account, image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.record import Arrival, Image

POISON = b"POISON"
"""The node ends the association in the middle of each image that holds it."""

SENDER, TARGET = "BAD1", "node"
EVERY_SECONDS = 5.0
RULE = Rule(
    "poison",
    {"rule": f'tags.SenderAET == "{SENDER}"', "targets": [TARGET]},
    lambda image: image.calling == SENDER,
    (ERROR,),
)


class Poisoner:
    """Sends a series of one image, of a study of its own, every few seconds.

    Parameters
    ----------
    port
        Of the receiver.
    seed
        Tells its images from those of other runs.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.account = Account(calling=SENDER, source="127.0.0.5", keeps=False)
        self.sent_series = 0
        self._port, self._seed = port, seed
        self._next = monotonic()

    def turn(self) -> None:
        """Send the next one when it is time; one that is not acknowledged is sent again at the next turn."""
        if monotonic() < self._next:
            return
        uid = f"1.2.9.{self._seed}.{self.sent_series + 1}"
        tags = {"Modality": "XA", "PatientID": "PATIENT-9", "StudyInstanceUID": f"{uid}.9"}
        if not self.account.send(self._port, [image(f"{uid}.1", uid, pixels=POISON * 8, **tags)]):
            self.sent_series += 1
            self._next = monotonic() + EVERY_SECONDS

    def finish(self) -> None:
        """See that the one that was begun is acknowledged."""
        begun, self._next = self.sent_series, monotonic()
        while self.sent_series == begun:
            self.turn()


def longest_wait(sent: Iterable[Image], came: Iterable[Arrival], since: float) -> float:
    """Return the longest time from an acknowledgement to the first arrival; of what was sent since a moment.

    Parameters
    ----------
    sent
        Images.
    came
        What came to a place that saw when it came.
    since
        On the monotonic clock.
    """
    first: dict[str, float] = {}
    for arrival in came:
        if arrival.at is not None:
            first.setdefault(arrival.digest, arrival.at)
    waits = (first[each.digest] - each.ended for each in sent if each.began >= since and each.digest in first)
    return max(waits, default=0.0)
