"""Table E.1-1 of PS3.15 as it stands in ``profile.txt``: which action each attribute gets under the options chosen.

The code knows actions, and the table the attributes: a new edition of the standard is a new file. Of several permitted
actions that one is taken which conforms whatever the type of the attribute.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Action = Literal["X", "Z", "D", "K", "C", "U"]
"""Remove, empty, replace by a dummy, keep, clean, replace a UID (PS3.15 table E.1-1a)."""

OPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "graphics": ("113103", "Clean Graphics Option"),
    "content": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full-dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified-dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe-private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
"""The options that are offered, with their codes (PS3.16 CID 7050) for the record in each image."""

BASIC: Final = ("113100", "Basic Application Confidentiality Profile")

# What conforms whatever the type of the attribute in its IOD, which a module cannot know for every class there is: an
# empty value where it may be type 2, a dummy where it may be type 1. The standard leaves the choice to us.
_CHOSEN: Final[Mapping[str, Action]] = {
    "X": "X",
    "Z": "Z",
    "D": "D",
    "U": "U",
    "Z/D": "D",
    "X/Z": "Z",
    "X/D": "D",
    "X/Z/D": "D",
    "X/Z/U*": "U",
}
_KEPT_FIRST: Final[Mapping[str, Action]] = {"K": "K", "C": "C"}
"""An option that keeps an attribute goes before one that cleans it."""

_LINE: Final = re.compile(r"([0-9A-F]{2}(?:[0-9A-F]{2}|xx)),([0-9A-F]{4}|x{4}) (\S+) (\S+)((?: [a-z-]+=[KC])*)")


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Parameters
    ----------
    place : str
        Group and element as eight digits, ``x`` for any.
    keyword : str
        Of the attribute.
    basic : str
        The code of the basic profile, such as ``X/Z/D``.
    options : mapping of str to str
        The code under each option that says something else.
    """

    place: str
    keyword: str
    basic: str
    options: Mapping[str, str]

    def action(self, chosen: Collection[str]) -> Action:
        """Return what is to be done with it under the chosen options."""
        codes = {code for option, code in self.options.items() if option in chosen}
        return next((action for code, action in _KEPT_FIRST.items() if code in codes), _CHOSEN[self.basic])


ADDED: Final = (Entry("0040A160", "TextValue", "D", {"content": "C"}),)
"""What the table reaches only by way of Content Sequence: free text wherever it stands, so it has a row of ours."""


class Profile:
    """The table under the options chosen.

    Parameters
    ----------
    chosen : collection of str
        Of `OPTIONS`.
    """

    def __init__(self, chosen: Collection[str]) -> None:
        self.chosen = frozenset(chosen)
        self._actions: dict[int, Action] = {}
        self._patterns: list[tuple[re.Pattern[str], Action]] = []
        for entry in (*entries(), *ADDED):
            action = entry.action(self.chosen)
            if "x" in entry.place:
                self._patterns.append((re.compile(entry.place.replace("x", "[0-9a-f]").lower()), action))
            else:
                self._actions[int(entry.place, 16)] = action

    def action(self, tag: int) -> Action | None:
        """Return what is to be done with a public attribute; None for one that the table does not name."""
        found = self._actions.get(tag)
        if found is not None:
            return found
        text = f"{tag:08x}"
        return next((action for pattern, action in self._patterns if pattern.fullmatch(text)), None)


@cache
def entries() -> tuple[Entry, ...]:
    """Return the table, read once.

    Raises
    ------
    ValueError
        A line is none of the table's.
    """
    return tuple(_read())


def _read() -> Iterator[Entry]:
    text = pkgutil.get_data(__name__.rpartition(".")[0], "profile.txt") or b""
    for line in text.decode("ascii").splitlines():
        if line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or found[4] not in _CHOSEN:
            raise ValueError(f"profile.txt: {line!r} is no line of the table")
        group, element, keyword, basic, rest = found.groups()
        options = dict(option.split("=") for option in rest.split())
        if not options.keys() <= OPTIONS.keys():
            raise ValueError(f"profile.txt: {line!r} names an option that there is not")
        yield Entry(group + element, keyword, basic, options)
