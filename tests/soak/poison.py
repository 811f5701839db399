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
GOOD_SENDER = "GOOD1"
"""Sends good images to the same target, to the end: an image is blamed only while others get through."""

EVERY_SECONDS = 5.0
RULES = (
    Rule(
        "poison",
        {"rule": f'tags.SenderAET == "{SENDER}"', "targets": [TARGET]},
        lambda image: image.calling == SENDER,
        (ERROR,),
    ),
    Rule(
        "good",
        {"rule": f'tags.SenderAET == "{GOOD_SENDER}"', "targets": [TARGET]},
        lambda image: image.calling == GOOD_SENDER,
        (TARGET,),
    ),
)


class Trickle:
    """Sends a series of one image, of a study of its own, every few seconds.

    Parameters
    ----------
    port
        Of the receiver.
    calling, source
        Its AE title and address.
    root
        Of its UIDs: tells its images from those of other runs and senders.
    pixels
        Of each image; its UID follows.
    """

    def __init__(self, port: int, calling: str, source: str, root: str, pixels: bytes) -> None:
        self.account = Account(calling=calling, source=source, keeps=False)
        self.sent_series = 0
        self._port, self._root, self._pixels = port, root, pixels
        self._next = monotonic()

    def turn(self) -> None:
        """Send the next one when it is time; one that is not acknowledged is sent again at the next turn."""
        if monotonic() < self._next:
            return
        uid = f"{self._root}.{self.sent_series + 1}"
        tags = {"Modality": "XA", "PatientID": "PATIENT-9", "StudyInstanceUID": f"{uid}.9"}
        pixels = self._pixels + f"{uid:64}".encode()
        if not self.account.send(self._port, [image(f"{uid}.1", uid, pixels=pixels, **tags)]):
            self.sent_series += 1
            self._next = monotonic() + EVERY_SECONDS

    def finish(self) -> None:
        """See that the one that was begun is acknowledged."""
        begun, self._next = self.sent_series, monotonic()
        while self.sent_series == begun:
            self.turn()


def poisoner(port: int, seed: int) -> Trickle:
    """Return the sender of what the target never takes."""
    return Trickle(port, SENDER, "127.0.0.5", f"1.2.9.{seed}", POISON * 8)


def good_sender(port: int, seed: int) -> Trickle:
    """Return the sender of what the target takes as long as it has anything to take."""
    return Trickle(port, GOOD_SENDER, "127.0.0.6", f"1.2.10.{seed}", b"GOOD" * 8)


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
