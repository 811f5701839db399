"""Order between series: what came at a destination before something that goes first by the order of its target."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.oracle.judge import Run
    from tests.oracle.record import Image

Order = Literal["study", "received"]

_LINES: dict[Order, Callable[[Image], str]] = {
    "study": lambda image: image.tags.get("StudyInstanceUID", ""),
    "received": lambda _: "all",
}
"""What of a destination goes one after the other: images for which this text is the same."""


def overtaking(run: Run) -> Iterator[tuple[str, str]]:
    """Find the images that came before one that goes first: instance and destination of each.

    A sender knows which goes first only where the router had surely taken the one before it sent the other. Images
    are compared as they were received: what a module works on is overtaken meanwhile.
    """
    for name, order in run.orders.items():
        came: dict[str, int] = {}
        for number, arrival in enumerate(run.arrivals.get(name, ())):
            came.setdefault(arrival.digest, number)
        lines: dict[str, list[Image]] = defaultdict(list)
        for image in run.images:
            if image.digest in came:
                lines[_LINES[order](image)].append(image)
        for images in lines.values():
            yield from ((sop, name) for sop in _overtaking(images, came, sorted(run.taken)))


def _overtaking(images: Sequence[Image], came: dict[str, int], taken: Sequence[float]) -> Iterator[str]:
    """Compare the images of one line: one that was taken before another was sent came before it."""
    began: dict[str, tuple[float, str]] = {}
    first: list[tuple[float, int]] = []
    for image in images:
        began[image.digest] = min(began.get(image.digest, (image.began, image.sop)), (image.began, image.sop))
        moment = bisect_left(taken, image.ended)
        if image.answer == "acknowledged" and moment < len(taken):
            first.append((taken[moment], came[image.digest]))
    first.sort()
    moments, latest = [moment for moment, _ in first], list(accumulate((place for _, place in first), max))
    for digest, (start, sop) in began.items():
        before = bisect_right(moments, start)
        if before and latest[before - 1] > came[digest]:
            yield sop
