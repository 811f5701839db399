"""What the rules of a run mean: beside each rule stands a predicate over what the sender knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle.record import AS_RECEIVED, Image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Predicate = Callable[[Image], bool | None]

DISCARD, ERROR, HELD = "stage/discard", "stage/error", "stage/outgoing"
"""Places that are no targets, but where an image may have to be."""


def always(_image: Image) -> bool:
    """Hold for every image."""
    return True


def never(_image: Image) -> bool:
    """Hold for no image."""
    return False


@dataclass(frozen=True)
class Rule:
    """One rule of a run, twice.

    Parameters
    ----------
    name, written
        As the router reads it.
    fires
        The same, said again: True or False, or None where the sender cannot know.
    to
        The places in which an image must be for which it fires.
    discards
        When it fires, no other rule matters.
    fallback
        It matters only when no other rule fires.
    again
        Images that come late make the whole of their series go once more.
    form
        In which form the images arrive.
    holds
        Images for which this is so wait for a person on their way to these places.
    """

    name: str
    written: Mapping[str, Any]
    fires: Predicate
    to: tuple[str, ...]
    discards: bool = False
    fallback: bool = False
    again: bool = False
    form: str = AS_RECEIVED
    holds: Callable[[Image], bool] = never

    def places(self, image: Image) -> set[tuple[str, str]]:
        """Return the places of an image for which it fires, each with the form."""
        return {(place, self.form) for place in ((HELD,) if self.holds(image) else self.to)}


@dataclass
class Wanted:
    """Where an image must be, and where it may be besides: places, each with the form."""

    must: set[tuple[str, str]] = field(default_factory=set)
    may: set[tuple[str, str]] = field(default_factory=set)
    again: bool = False
    by_nobody: bool = False
    """No rule wants it."""

    def add(self, image: Image, rule: Rule, fires: bool | None) -> None:
        """Take in what a rule says of the image."""
        places = rule.places(image)
        if fires:
            self.must |= places
        elif fires is None:
            self.may |= places
        self.again |= rule.again and fires is not False


def wanted(image: Image, rules: Sequence[Rule]) -> Wanted:
    """Say where an image belongs: the first discard wins, everything else adds up, what nobody wants is discarded."""
    fires = {rule.name: rule.fires(image) for rule in rules}
    discards = [rule for rule in rules if rule.discards]
    for rule in discards:
        if fires[rule.name]:
            certain = all(fires[other.name] is False for other in discards[: discards.index(rule)])
            return _only(image, rule) if certain else _any(image, rules)
    if any(fires[rule.name] is None for rule in discards):
        return _any(image, rules)
    found = Wanted()
    others = [rule for rule in rules if not rule.discards and not rule.fallback]
    for rule in others:
        found.add(image, rule, fires[rule.name])
    taken = [fires[rule.name] for rule in others]
    for rule in rules:
        if rule.fallback and not any(taken):
            found.add(image, rule, None if None in taken and fires[rule.name] else fires[rule.name])
    found.by_nobody = not found.must and not found.may
    if not found.must:
        (found.may if found.may else found.must).add((DISCARD, AS_RECEIVED))
    found.may -= found.must
    return found


def _only(image: Image, rule: Rule) -> Wanted:
    found = Wanted()
    found.add(image, rule, True)
    return found


def _any(image: Image, rules: Sequence[Rule]) -> Wanted:
    found = Wanted(may={(DISCARD, AS_RECEIVED)})
    for rule in rules:
        found.add(image, rule, None)
    return found
