"""Evaluation frame: what one evaluation sees, and how much it may still do.

The bounds are counted, not timed: a wall clock would make the same rule succeed on a quiet machine and fail on a busy
one, and a rehearsal would differ from the real thing. What each operation is charged is measured on the slow side
(``tests/unit/rules/test_limits.py``), in nanoseconds of a slow core.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from mercure.clock import wall_now
from mercure.rules.errors import Fault
from mercure.rules.record import ImageRecords

Clock = Callable[[], datetime]
"""Returns the present instant, aware."""

WORK: Final = 6_000_000
"""Estimated nanoseconds for one evaluation; the promise is 10 ms."""
ROOM: Final = 3_000_000
"""Bytes of text and lists that one evaluation may make; the promise is 10 MB."""
FREE: Final = 128
"""Texts up to this length are not counted: counting would cost more than the work."""
_TOO_MUCH: Final = "shorten the texts that it works on, e.g. tags.ImageComments[:1000]"


def local_now() -> datetime:
    """Return the present instant in the zone of this machine."""
    return wall_now().astimezone()


class Frame:
    """The state of one evaluation.

    Parameters
    ----------
    images : ImageRecords
        The images that the rule is evaluated for.
    clock : Clock
        Returns today's date; called at most once, so an evaluation over midnight has one answer.
    image : int
        The number of the image whose tags are looked at.
    """

    __slots__ = ("_clock", "_room", "_today", "_work", "images", "item", "tags")

    def __init__(self, images: ImageRecords, clock: Clock | None = None, image: int = 0) -> None:
        self.images = images
        self.tags = images.views[image] if image else images.first
        self.item = self.tags
        self._clock = clock or local_now
        self._today: date | None = None
        self._work = WORK
        self._room = ROOM

    @property
    def today(self) -> date:
        """The day on this machine's calendar: dates in images are the local ones of the scanner (PS3.3 C.12.1.1.8)."""
        if self._today is None:
            self._today = self._clock().astimezone().date()
        return self._today

    def work(self, nanoseconds: int) -> None:
        """Count work that is about to be done.

        Raises
        ------
        Fault
            It is more than an evaluation may do.
        """
        self._work -= nanoseconds
        if self._work < 0:
            raise Fault("limit", "this takes too long", _TOO_MUCH)

    def work_on_each(self, count: int, nanoseconds: int, what: str) -> None:
        """Count work that is about to be done for each image or item.

        Raises
        ------
        Fault
            It is more than an evaluation may do.
        """
        self._work -= count * nanoseconds
        if self._work < 0:
            advice = "ask less of each, or about tags that are the same in many"
            raise Fault("limit", f"this is too much to ask of {count:,} different {what}", advice)

    def room(self, size: int) -> None:
        """Count bytes that are about to be taken.

        Raises
        ------
        Fault
            It is more than an evaluation may take.
        """
        self._room -= size
        if self._room < 0:
            raise Fault("limit", "this takes too much memory", _TOO_MUCH)
