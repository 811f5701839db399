"""Made-up failures: what a run found is changed by one thing, which must then be reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from tests.oracle.judge import KINDS, STAGE, Kind, Run, Verdict, judge
from tests.oracle.record import AS_RECEIVED, LINGER, Arrival, Image, digest

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = "a place that nobody named"


def assert_planted_are_found(run: Run) -> None:
    """Plant each kind of failure in a run, and assert that it is reported.

    Raises
    ------
    AssertionError
        One was not, or the run holds nothing in which it could be planted.
    """
    image, place, form, at = _victim(run)
    for kind in KINDS:
        planted = _PLANTS[kind](run, image, at, form)
        found = [verdict for verdict in judge(planted) if verdict.kind == kind and verdict.sop == image.sop]
        assert found, f"planted and not reported: {Verdict(kind, image.sop, place)}"


def _victim(run: Run) -> tuple[Image, str, str, str]:
    """Choose an image that was delivered, in company: the image, its place, its form, the destination that has it."""
    times = Counter(image.sop for image in run.images)
    for number, image in enumerate(run.images):
        if image.answer != "acknowledged" or times[image.sop] > 1 or image.digest in run.damaged:
            continue
        for place, form in sorted(run.wants[number].must):
            for name in run.of(place):
                held = run.held.get(name, set())
                if image.forms[form] in held and any(each.forms[form] in held for each in _company(run, image)):
                    return image, place, form, name
    raise AssertionError("nothing was delivered in which a failure could be planted")


def _company(run: Run, image: Image) -> list[Image]:
    return [each for each in run.images if _together(each, image) and each.sop != image.sop]


def _together(one: Image, other: Image) -> bool:
    return (one.unit, one.association, one.answer) == (other.unit, other.association, other.answer)


def _with(run: Run, name: str, came: list[Arrival]) -> Run:
    return replace(run, arrivals={**run.arrivals, name: came})


def _without(run: Run, image: Image) -> Run:
    """Take an image away wherever it is."""
    gone = set(image.forms.values())
    left = {name: [each for each in came if each.digest not in gone] for name, came in run.arrivals.items()}
    return replace(run, arrivals=left)


def _missing(run: Run, image: Image, _at: str, _form: str) -> Run:
    return _without(run, image)


def _unexpected(run: Run, image: Image, _at: str, form: str) -> Run:
    return _with(run, NOWHERE, [Arrival(image.sop, image.forms[form])])


def _half(run: Run, image: Image, at: str, form: str) -> Run:
    """Let a destination that the place has besides hold this image, and the one it has only the others."""
    place = next(place for place, _ in _must(run, image) if at in run.of(place))
    moved = _with(_without(run, image), NOWHERE, [Arrival(image.sop, image.forms[form])])
    return replace(moved, destinations={**run.destinations, place: (*run.of(place), NOWHERE)})


def _must(run: Run, image: Image) -> set[tuple[str, str]]:
    return run.wants[run.images.index(image)].must


def _stale(run: Run, image: Image, at: str, _form: str) -> Run:
    """Let there have been a version before, and let it come once more in the end."""
    older = {form: digest(f"older {image.sop} {form}".encode()) for form in image.forms}
    before = replace(image, forms=older, began=image.began - 1, count=None)
    came = [*run.arrivals[at], Arrival(image.sop, older[AS_RECEIVED], monotonic())]
    return replace(_with(run, at, came), sent=[*run.sent, before])


def _altered(run: Run, image: Image, at: str, form: str) -> Run:
    flipped = digest(f"flipped {image.sop}".encode())
    came = [replace(each, digest=flipped) if each.digest == image.forms[form] else each for each in run.arrivals[at]]
    return _with(run, at, came)


def _repeated(run: Run, image: Image, at: str, form: str) -> Run:
    """Let it come some more times when nothing happens any more."""
    unit = [each for each in run.images if each.unit == image.unit]
    times = (len(unit) + 1) * (len(run.rules) + 1) * (len(unit) + 1)
    name = at if not at.startswith(STAGE) else at.removeprefix(STAGE)
    now = monotonic() + 10 * LINGER
    more = [Arrival(image.sop, image.forms[form], now + number) for number in range(times)]
    return _with(run, name, [*run.arrivals.get(name, ()), *more])


def _early(run: Run, image: Image, at: str, _form: str) -> Run:
    """Let a series have been taken before this image was sent, and come after it."""
    forms = {form: digest(f"first {image.sop} {form}".encode()) for form in image.forms}
    first = replace(image, sop=f"{image.sop}.0", forms=forms, began=image.began - 3, ended=image.began - 2)
    last = [Arrival(each.sop, each.digest, monotonic()) for each in (image, first)]
    planted = replace(_with(run, at, [*run.arrivals[at], *last]), sent=[first, *run.sent], orders={at: "received"})
    return replace(planted, taken=[image.began - 1])


_PLANTS: dict[Kind, Callable[[Run, Image, str, str], Run]] = {
    "missing": _missing,
    "unexpected": _unexpected,
    "half": _half,
    "stale": _stale,
    "altered": _altered,
    "repeated": _repeated,
    "early": _early,
}
