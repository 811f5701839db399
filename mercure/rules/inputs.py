"""Inputs of a rule from a single image: images that are equal in them get the same answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from mercure.rules.record import TagView
from mercure.rules.tags import is_known, spelled
from mercure.rules.terms import Operation, Quantifier, TagValue, Term

_PRIVATE: Final = "private"
_SEQUENCE: Final = "sequence"
_OF_IMAGES: Final = "images."


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """What a rule reads of the current image; questions over all images are left out.

    Parameters
    ----------
    keywords : frozenset of str
        Tags, whether they are texts or sequences.
    privates : frozenset of tuple
        Private tags, by the arguments of ``private``.
    """

    keywords: frozenset[str] = frozenset()
    privates: frozenset[tuple[str, ...]] = frozenset()

    def __or__(self, other: ImageInputs) -> ImageInputs:
        return ImageInputs(self.keywords | other.keywords, self.privates | other.privates)


NO_INPUTS: Final = ImageInputs()


def inputs_of(term: Term) -> ImageInputs:
    """Collect what a rule reads of the current image."""
    if isinstance(term, Quantifier) and term.over is None:
        return ImageInputs()
    found = ImageInputs()
    for child in term.children:
        found |= inputs_of(child)
    if isinstance(term, TagValue) and term.scope == "tags":
        found |= ImageInputs(frozenset({term.keyword}))
    if isinstance(term, Operation):
        found |= _of_operation(term)
    return found


def _of_operation(term: Operation) -> ImageInputs:
    name = term.function.name
    if name == _PRIVATE:
        return ImageInputs(privates=frozenset({term.literals}))
    if name == _SEQUENCE:
        return ImageInputs(frozenset({spelled(term.literals[0])}))
    return ImageInputs() if name.startswith(_OF_IMAGES) else ImageInputs(term.bound.reads.keywords)


def value_of(view: TagView, read: str | tuple[str, ...]) -> Hashable:
    """Return something that is equal for equal values of what a rule reads, and for no others."""
    if isinstance(read, str):
        known = read in view.record or is_known(read)
        key = read if known else view.find(read)
        return None if key is None else _comparable(view.record.get(key))
    creator = read[1].strip()
    return tuple((key, _comparable(raw)) for key, raw in view.record.items() if key.endswith(f"[{creator}]"))


def differing(views: Sequence[TagView], read: str | tuple[str, ...]) -> list[int] | None:
    """Give a number to each different value of what a rule reads, image by image; None when all have the same."""
    if isinstance(read, str) and is_known(read):
        raws = [view.record.get(read) for view in views]
        if all(raw.__class__ is str for raw in raws) and len(set(map(str, raws))) <= 1:
            return None
    numbers: dict[Hashable, int] = {}
    column = [numbers.setdefault(value_of(view, read), len(numbers)) for view in views]
    return column if len(numbers) > 1 else None


def _comparable(raw: object) -> Hashable:
    return raw if isinstance(raw, str) else (type(raw).__name__, repr(raw))
