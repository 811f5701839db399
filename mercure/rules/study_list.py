"""Study list: the series that make a study complete, ``'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')``.

Not a rule: a text in quotes stands for "a series whose description holds this text has arrived", in any case.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Never

from mercure.printable import escaped, quoted
from mercure.rules.errors import Code, Diagnostic, RuleError, TextPlace
from mercure.rules.explain import Explanation, ExplanationPart

MAX_TEXT: Final = 4_000
"""Characters in a list."""
_MAX_DEPTH: Final = 30

_TOKEN: Final = re.compile(r"""\s*(?:(?P<name>'[^']*'|"[^"]*")|(?P<word>\w+)|(?P<bracket>[()]))""")
_EXAMPLE: Final = "e.g. 'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')"
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A series that is waited for."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Several parts, of which all (``and``) or one (``or``) must have arrived."""

    start: int
    end: int
    word: Literal["and", "or"]
    parts: tuple[Wanted | Alternatives, ...]


@dataclass(frozen=True, slots=True)
class StudyList:
    """A list that was read; made by `StudyList.parse`.

    Parameters
    ----------
    text : str
        As it was written.
    root : Wanted or Alternatives
        What must have arrived.
    """

    text: str
    root: Wanted | Alternatives

    @classmethod
    def parse(cls, text: str) -> StudyList:
        """Read a list.

        Parameters
        ----------
        text : str
            Names in single or double quotes, ``and``, ``or`` and round brackets; ``and`` binds more strongly.

        Raises
        ------
        RuleError
            It is something else.
        """
        return cls(text, _Parser(text).root())

    @classmethod
    def check(cls, text: str) -> list[Diagnostic]:
        """Return what is wrong with a list; nothing when it can be used."""
        try:
            cls.parse(text)
        except RuleError as error:
            return [error.finding()]
        return []

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the list, in its order."""
        return tuple(_names(self.root))

    def matches(self, descriptions: Iterable[str]) -> bool:
        """Return whether the series that have arrived make the study complete.

        Parameters
        ----------
        descriptions : iterable of str
            SeriesDescription of each series that has arrived.
        """
        return _holds(self.root, [description.casefold() for description in descriptions])

    def missing(self, descriptions: Iterable[str]) -> tuple[str, ...]:
        """Return the names for which no series has arrived; of alternatives, all of them."""
        arrived = [description.casefold() for description in descriptions]
        return tuple(name for name in self.names if not _arrived(name, arrived))

    def explain(self, descriptions: Iterable[str]) -> Explanation:
        """Return which series has arrived for each name, and what decided."""
        arrived = list(descriptions)
        result = _holds(self.root, [description.casefold() for description in arrived])
        return Explanation(self.text, result, None, _explained(self.text, self.root, arrived, True), "list")


def _names(node: Wanted | Alternatives) -> Iterable[str]:
    if isinstance(node, Wanted):
        yield node.name
        return
    for part in node.parts:
        yield from _names(part)


def _arrived(name: str, folded: list[str]) -> bool:
    wanted = name.casefold()
    return any(wanted in description for description in folded)


def _holds(node: Wanted | Alternatives, folded: list[str]) -> bool:
    if isinstance(node, Wanted):
        return _arrived(node.name, folded)
    holds = (_holds(part, folded) for part in node.parts)
    return all(holds) if node.word == "and" else any(holds)


def _explained(text: str, node: Wanted | Alternatives, descriptions: list[str], decided: bool) -> ExplanationPart:
    """Return a part of the list with what has arrived for it."""
    place = TextPlace(text, node.start, node.end)
    folded = [description.casefold() for description in descriptions]
    below: tuple[ExplanationPart, ...] = ()
    if isinstance(node, Wanted):
        found = next((name for name in descriptions if node.name.casefold() in name.casefold()), None)
        value = "not arrived" if found is None else quoted(found, _SHOWN)
    else:
        value = str(_holds(node, folded))
        # One that is missing decides of "and", one that is there of "or"; without such, all do.
        decisive = [_holds(part, folded) is (node.word == "or") for part in node.parts]
        below = tuple(
            _explained(text, part, descriptions, decided and (decisive[number] or not any(decisive)))
            for number, part in enumerate(node.parts)
        )
    source, columns = escaped(place.source), f"{place.column}-{place.end_column}"
    return ExplanationPart(source, node.start, node.end, columns, "value", value, "", decided, below)


class _Parser:
    """One pass over a list."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        if len(text) > MAX_TEXT:
            self._fail("limit", 0, MAX_TEXT, f"a list of series has at most {MAX_TEXT:,} characters")
        self._kind, self._source, self._start = "", "", 0
        self._advance()

    def root(self) -> Wanted | Alternatives:
        if not self._kind:
            self._fail("syntax", 0, 1, "the list of series is empty", _EXAMPLE)
        node = self._alternatives()
        if self._kind:
            self._unexpected("and, or, or the end of the list")
        return node

    def _alternatives(self) -> Wanted | Alternatives:
        return self._joined("or", [self._required()])

    def _required(self) -> Wanted | Alternatives:
        return self._joined("and", [self._one()])

    def _joined(self, word: Literal["and", "or"], parts: list[Wanted | Alternatives]) -> Wanted | Alternatives:
        while self._kind == "word" and self._source.lower() == word:
            self._advance()
            parts.append(self._one() if word == "and" else self._required())
        return parts[0] if len(parts) == 1 else Alternatives(parts[0].start, parts[-1].end, word, tuple(parts))

    def _one(self) -> Wanted | Alternatives:
        if self._source == "(":
            return self._bracketed()
        if self._kind != "name":
            self._unexpected("a name in quotes")
        node = Wanted(self._start, self._position, self._source[1:-1])
        if not node.name.strip():
            self._fail("value", node.start, node.end, "this name is empty: it would be in every description")
        self._advance()
        return node

    def _bracketed(self) -> Wanted | Alternatives:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail("limit", self._start, self._position, f"the list nests deeper than {_MAX_DEPTH} levels")
        start = self._start
        self._advance()
        node = self._alternatives()
        if self._source != ")":
            self._unexpected(")")
        self._depth -= 1
        end = self._position
        self._advance()
        return dataclasses.replace(node, start=start, end=end)

    def _advance(self) -> None:
        """Go on to the next token."""
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            rest = self._text[self._position :]
            self._start = self._position = self._position + len(rest) - len(rest.lstrip())
            self._kind = self._source = ""
            if rest.strip():
                self._not_a_token()
            return
        self._kind = match.lastgroup or ""
        self._start, self._position = match.span(self._kind)
        self._source = match.group(self._kind)

    def _not_a_token(self) -> Never:
        char = self._text[self._start]
        if char in "'\"":
            self._fail("syntax", self._start, self._start + 1, "this name has no end", f"close it with {char}")
        self._fail("syntax", self._start, self._start + 1, f"unexpected {quoted(char, 1)}", _EXAMPLE)

    def _unexpected(self, expected: str) -> Never:
        advice = _EXAMPLE
        if self._kind == "word" and self._source.lower() == "not":
            advice = "a study is complete by what has arrived, not by what has not"
        elif self._kind == "word":
            advice = "names of series stand in quotes"
        found = f"found {escaped(self._source, _SHOWN)}" if self._kind else "the list ends"
        end = max(self._position, self._start + 1)
        self._fail("syntax", self._start, end, f"{found} where {expected} is expected", advice)

    def _fail(self, code: Code, start: int, end: int, message: str, advice: str = "") -> Never:
        raise RuleError(code, message, advice, TextPlace(self._text[: MAX_TEXT * 2], start, end))
