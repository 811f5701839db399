"""Compares what came where with where it belongs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from tests.oracle.meaning import DISCARD, ERROR, Rule, Wanted, wanted
from tests.oracle.order import Order, overtaking
from tests.oracle.record import AS_RECEIVED, Arrival, Disturbances, Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal["missing", "unexpected", "half", "stale", "altered", "repeated", "early"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STAGE = "stage/"
"""How the names of places begin that are stages of the router, where an image may be in several tasks."""


@dataclass(frozen=True)
class Verdict:
    """One thing that is not as it should be."""

    kind: Kind
    sop: str
    place: str

    def __str__(self) -> str:
        """Say it."""
        return f"{self.kind}: {self.sop} at {self.place}"


@dataclass(frozen=True)
class Run:
    """All that is known of a run.

    Parameters
    ----------
    sent
        Every sending of every sender.
    rules
        With their meaning.
    arrivals
        What each destination has, in the order in which it came.
    destinations
        The destinations of a place that is not its own only one: the members of a group, the old and the new address
        of a target. One of them must have all of what was decided together.
    disturbances
        What explains a repetition.
    patience
        Seconds within which a sender brings a series that is surely decided as a whole.
    damaged
        Digests of images that were destroyed on the router's own disk: they may be nowhere, but never be altered.
    orders
        The order of destinations that go by one, and of which is known in which order images came.
    taken
        Moments at which the router had surely found complete whatever had been acknowledged until then.
    again
        How often a person had everything sent again, by destination: so many times more each image must come there.
    """

    sent: Sequence[Image]
    rules: Sequence[Rule]
    arrivals: Mapping[str, Sequence[Arrival]]
    destinations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    disturbances: Disturbances = field(default_factory=Disturbances)
    patience: float = 1.0
    damaged: frozenset[str] = frozenset()
    orders: Mapping[str, Order] = field(default_factory=dict)
    taken: Sequence[float] = ()
    again: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def images(self) -> list[Image]:
        """What was sent, each with the number of images of its series where the sender can know it."""
        counts = _counts(self)
        return [replace(image, count=counts.get(image.unit)) for image in self.sent]

    @cached_property
    def wants(self) -> dict[int, Wanted]:
        """Where each of the `images` belongs, by its number."""
        found = {number: wanted(image, self.rules) for number, image in enumerate(self.images)}
        wanted_parts: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for image, wants in zip(self.images, found.values(), strict=True):
            if any(not place.startswith(STAGE) for place, _ in wants.must):
                wanted_parts[image.unit].add(image.association)
        for image, wants in zip(self.images, found.values(), strict=True):
            if wants.by_nobody and image.unit in wanted_parts:
                _keep(image, wants, wanted_parts[image.unit])
        return found

    @cached_property
    def held(self) -> dict[str, set[str]]:
        """The digests at each destination that came as often as they must."""
        times = {name: Counter(arrival.digest for arrival in came) for name, came in self.arrivals.items()}
        return {
            name: {digest for digest, count in each.items() if count > self.again.get(name, 0)}
            for name, each in times.items()
        }

    def of(self, place: str) -> tuple[str, ...]:
        """Return the destinations of a place."""
        return self.destinations.get(place, (place,))


def _keep(image: Image, wants: Wanted, associations: set[str]) -> None:
    """Let what nobody wants be kept for a person, and not discarded, when other images of its series are wanted."""
    kept = {(ERROR, AS_RECEIVED)}
    if associations == {image.association}:
        wants.must = kept
    else:
        wants.must, wants.may = set(), kept | {(DISCARD, AS_RECEIVED)}


def _counts(run: Run) -> dict[tuple[str, ...], int]:
    """Count the instances of each series that came all at once, and that nothing came between."""
    series: dict[tuple[str, ...], list[Image]] = defaultdict(list)
    for image in run.sent:
        series[image.unit].append(image)
    counts = {}
    for unit, images in series.items():
        began, ended = min(image.began for image in images), max(image.ended for image in images)
        one = len({image.association for image in images}) == 1
        whole = all(image.answer == "acknowledged" for image in images) and ended - began < run.patience
        if one and whole and not run.disturbances.between(began - run.patience, ended + run.patience):
            counts[unit] = len({image.sop for image in images})
    return counts


def judge(run: Run) -> list[Verdict]:
    """Return all that is not as it should be; each once."""
    found = [*_missing_and_half(run), *_strange(run), *_stale(run), *_repeated(run)]
    found += [Verdict("early", sop, place) for sop, place in overtaking(run)]
    return sorted(set(found), key=str)


def judged(run: Run) -> None:
    """Raise an error that names the first things that are not as they should be."""
    found = judge(run)
    assert not found, f"{dict(Counter(verdict.kind for verdict in found))}: " + ", ".join(map(str, found[:6]))


def _newer(run: Run) -> dict[tuple[tuple[str, ...], str], list[str]]:
    """Return for each instance of a unit the digests of its versions, the last one last, in every form."""
    order: dict[tuple[tuple[str, ...], str], list[Image]] = defaultdict(list)
    for image in sorted(run.images, key=lambda image: image.began):
        versions = order[image.unit, image.sop]
        versions[:] = [each for each in versions if each.digest != image.digest]
        versions.append(image)
    return {key: [each.digest for each in versions] for key, versions in order.items() if len(versions) > 1}


def _missing_and_half(run: Run) -> Iterator[Verdict]:
    needed: dict[tuple[str, tuple[str, ...], str], dict[str, str]] = defaultdict(dict)
    versions, by_digest = _newer(run), {image.digest: image for image in run.images}
    seen: set[tuple[str, str, str]] = set()
    for number, image in enumerate(run.images):
        if image.answer != "acknowledged" or image.digest in run.damaged:
            continue
        order = versions.get((image.unit, image.sop), [image.digest])
        later = [by_digest[digest] for digest in order[order.index(image.digest) + 1 :]]
        for place, form in run.wants[number].must:
            # Looked up in each set: a union of them for each image made the judge of a long run quadratic.
            held = [run.held.get(name, set()) for name in run.of(place)]
            superseded = any(digest in here for each in later for digest in each.forms.values() for here in held)
            key = (place, image.calling + image.address, image.forms[form])
            if superseded or key in seen:
                continue
            seen.add(key)
            needed[place, image.unit, image.association][image.forms[form]] = image.sop
    for (place, *_), digests in needed.items():
        yield from _at_one_place(run, place, digests)


def _at_one_place(run: Run, place: str, digests: dict[str, str]) -> Iterator[Verdict]:
    """Judge what was decided together and must be at one place: digest and instance of each."""
    at = [digests.keys() & run.held.get(name, set()) for name in run.of(place)]
    there = set().union(*at)
    yield from (Verdict("missing", sop, place) for digest, sop in digests.items() if digest not in there)
    if there and not any(there <= each for each in at):
        yield from (Verdict("half", digests[digest], place) for digest in there)


def _strange(run: Run) -> Iterator[Verdict]:
    """Name what has other bytes than anything that was sent, and what is where nobody wants it."""
    allowed: dict[str, set[str]] = defaultdict(set)
    for number, image in enumerate(run.images):
        wants = run.wants[number]
        for place, form in wants.must | wants.may:
            for name in run.of(place):
                allowed[name].add(image.forms[form])
    known = {digest for image in run.images for digest in image.forms.values()}
    instances = {image.sop for image in run.images}
    for name, came in run.arrivals.items():
        for arrival in came:
            if arrival.digest in allowed[name]:
                continue
            if name.startswith(STAGE) and run.damaged:
                continue  # the task with the image that is destroyed is kept there, and the others of it with it
            altered = arrival.digest not in known and arrival.sop in instances
            yield Verdict("altered" if altered else "unexpected", arrival.sop, name)


def _stale(run: Run) -> Iterator[Verdict]:
    forms = {image.digest: set(image.forms.values()) for image in run.images}
    place_of = {
        digest: (key, number)
        for key, order in _newer(run).items()
        for number, version in enumerate(order)
        for digest in forms[version]
    }
    for name, came in run.arrivals.items():
        last: dict[object, int] = {}
        newest: dict[object, int] = {}
        for arrival in came:
            if arrival.digest in place_of:
                key, number = place_of[arrival.digest]
                last[key], newest[key] = number, max(number, newest.get(key, 0))
        yield from (Verdict("stale", str(key[1]), name) for key in last if last[key] < newest[key])  # type: ignore[index]  # keys are of `_newer`


def _repeated(run: Run) -> Iterator[Verdict]:
    """Name what came more often than it was sent, with nothing between that explains it."""
    allowance = _allowance(run)
    places = Counter(name for place in {p for r in run.rules for p in r.to} for name in run.of(place))
    for name, came in run.arrivals.items():
        if name.startswith(STAGE):
            continue
        moments: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in came:
            moments[arrival.digest].append(arrival)
        for digest, each in moments.items():
            needless = sum(not run.disturbances.between(before.at, after.at) for before, after in pairwise(each))
            if needless >= allowance.get(digest, 1) * max(1, places[name]) + run.again.get(name, 0):
                yield Verdict("repeated", each[0].sop, name)


def _allowance(run: Run) -> Counter[str]:
    """Return how often each image may come without an excuse: as often as it was sent, or its series went again."""
    associations: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for image in run.images:
        associations[image.unit].add(image.association)
    allowance: Counter[str] = Counter()
    for number, image in enumerate(run.images):
        times = len(associations[image.unit]) if run.wants[number].again else 1
        for digest in set(image.forms.values()):
            allowance[digest] += times
    return allowance
