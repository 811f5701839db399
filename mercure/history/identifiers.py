"""Identifiers of a series in the form in which they are searched."""

from __future__ import annotations

import re
import unicodedata

from mercure.history.text import NAME_CHARS, clip

_SEPARATORS = re.compile(r"[\^=\s]+")
_HYPHENS = re.compile(r"[-\u2010-\u2015\u2212]+")
"""Between the two halves of a double name."""
_MARKS = re.compile("[\u0300-\u036f]+")
"""Accents and the like over letters; in other scripts such signs make another letter."""
_WITHOUT_MARK = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "þ": "th", "ð": "d"})
"""Letters that have no form without their mark by Unicode."""
_AS_TWO = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
"""Letters that some languages write as two where a keyboard lacks them."""


def folded(value: str) -> str:
    """Return a text as it is searched: compatible forms and upper or lower case mean the same.

    It is composed after the change of case, too: that takes some characters apart.
    """
    caseless = unicodedata.normalize("NFKC", value).casefold()
    return clip(unicodedata.normalize("NFKC", caseless).strip(), NAME_CHARS)


def name_parts(name: str) -> set[str]:
    """Return by what a name is found: whole, by each word of it, and by what follows a hyphen in a double name.

    Each also as it is typed without accents (`muller`) and with two letters for one (`mueller`).
    """
    return set().union(*map(_parts, _spellings(folded(name)))) - {""}


def _spellings(whole: str) -> set[str]:
    if whole.isascii():
        return {whole}
    return {whole, *(_unmarked(spelled.translate(_WITHOUT_MARK)) for spelled in (whole, whole.translate(_AS_TWO)))}


def _unmarked(text: str) -> str:
    return clip(unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text))), NAME_CHARS)


def _parts(whole: str) -> set[str]:
    words = _SEPARATORS.split(whole)
    halves = (word[match.end() :] for word in words for match in _HYPHENS.finditer(word))
    return {whole, *words, *halves}
