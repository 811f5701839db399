"""Identifiers of a series in the form in which they are searched."""

from __future__ import annotations

import re
import unicodedata

from mercure.history.text import NAME_CHARS, clip

_SEPARATORS = re.compile(r"[\^=\s]+")
_HYPHENS = re.compile(r"[-\u2010-\u2015\u2212]+")
"""Between the two halves of a double name."""


def folded(value: str) -> str:
    """Return a text as it is searched: compatible forms and upper or lower case mean the same.

    It is composed after the change of case, too: that takes some characters apart.
    """
    caseless = unicodedata.normalize("NFKC", value).casefold()
    return clip(unicodedata.normalize("NFKC", caseless).strip(), NAME_CHARS)


def name_parts(name: str) -> set[str]:
    """Return by what a name is found: whole, by each word of it, and by what follows a hyphen in a double name."""
    whole = folded(name)
    words = _SEPARATORS.split(whole)
    halves = (word[match.end() :] for word in words for match in _HYPHENS.finditer(word))
    return {whole, *words, *halves} - {""}
