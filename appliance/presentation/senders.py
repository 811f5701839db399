"""Senders in words: what one uses, and at which hours it sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from mercure.dicom.uids import uid_name

_BARS: Final = "·▁▂▃▄▅▆▇█"
_SAYS: Final = {
    "class": "it sends {}",
    "syntax": "it sends in {}",
    "implementation": "its implementation is {}",
    "version": "its version is {}",
    "called": "it calls us {}",
    "certificate": "its certificate ends {}",
}


class Trait(Protocol):
    """What a sender uses."""

    @property
    def kind(self) -> str:
        """``class``, ``syntax``, ``implementation``, ``version``, ``called`` or ``certificate``."""

    @property
    def value(self) -> str:
        """A UID or a text."""


def trait_in_words(trait: Trait) -> str:
    """Say what a sender uses: ``it sends Enhanced MR Image Storage``."""
    return said_of(trait.kind, trait.value)


def said_of(kind: str, value: str) -> str:
    """Say it of a kind and its value."""
    named = uid_name(value) if kind in ("class", "syntax") else value
    return _SAYS.get(kind, f"{kind} {{}}").format(named)


def hours_in_bars(hours: Sequence[float]) -> str:
    """Draw how much comes in each hour of the day, one character for each; a dot: nothing."""
    most = max(hours, default=0.0)
    if not most:
        return _BARS[0] * len(hours)
    steps = len(_BARS) - 2
    return "".join(_BARS[0] if not hour else _BARS[1 + min(steps, int(hour / most * steps))] for hour in hours)
