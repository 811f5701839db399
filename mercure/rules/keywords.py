"""The keywords that a rule may name: those of the DICOM dictionary, and the router's own.

pydicom is loaded when the first keyword is looked up and not before: a program that evaluates no rule does not pay the
80 ms and 15 MB.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from mercure.lazy_imports import IMPORTING

OWN_KEYWORDS: Final = {
    "FileName": "LO",
    "FileSize": "UL",
    "ImageID": "LO",
    "ReceivedAt": "LO",
    "SenderAddress": "LO",
    "SenderAET": "AE",
    "SenderName": "LO",
    "SenderCertificate": "LO",
    "ReceiverAET": "AE",
    "AssociationID": "LO",
    "DecodingProblems": "LO",
}
"""What the receiver adds to a tag record (``docs/reference/tag-record.md``), with the nearest value representation."""

NUMERIC_VRS: Final = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
"""Value representations that hold numbers (PS3.5 section 6.2)."""
BACKSLASH_IS_TEXT: Final = frozenset({"LT", "ST", "UR", "UT"})
"""Value representations in which a backslash does not part values (PS3.5 section 6.2)."""

_NUMBERED: Final = re.compile(r"[0-9a-f]{4},[0-9a-f]{4}(\[[^\]]{0,64}\])?")
_LONGEST: Final = 64


@cache
def dictionary() -> Mapping[str, str]:
    """Return every keyword with its value representation; of several ("US or SS") the first."""
    with IMPORTING:
        from pydicom import datadict  # noqa: PLC0415 - see above

    known = {keyword: datadict.dictionary_VR(tag)[:2] for keyword, tag in datadict.keyword_dict.items() if keyword}
    repeating = datadict.RepeatersDictionary  # type: ignore[attr-defined]  # there, but not listed as exported
    # OverlayRows and its like, whose group may be 6000, 6002 and so on (PS3.5 section 7.6).
    known |= {keyword: vr[:2] for vr, _, _, _, keyword in repeating.values() if keyword}
    return known | OWN_KEYWORDS


@cache
def _by_lower_case() -> Mapping[str, str]:
    return {keyword.lower(): keyword for keyword in dictionary()}


def canonical(keyword: str) -> str | None:
    """Return a keyword as the dictionary spells it: exactly, else whatever the case; None when there is none such."""
    return keyword if keyword in dictionary() else _by_lower_case().get(keyword.lower())


def is_numbered(keyword: str) -> bool:
    """Return whether a key is a tag's number, as the tag record has it for elements without a keyword."""
    return _NUMBERED.fullmatch(keyword) is not None


def vr_of(keyword: str) -> str:
    """Return the value representation of a keyword in its exact spelling; empty when it is not in the dictionary."""
    return dictionary().get(keyword, "")


@lru_cache(maxsize=1024)
def nearest(keyword: str) -> str | None:
    """Return the known keyword that is most like an unknown one, or None. Takes some 10 ms."""
    if len(keyword) > _LONGEST:
        return None
    near = difflib.get_close_matches(keyword.lower(), _by_lower_case(), n=1, cutoff=0.7)
    return _by_lower_case()[near[0]] if near else None


def nearest_of(word: str, known: Mapping[str, object]) -> str | None:
    """Return the one of a few known words that is most like `word`, or None."""
    near = difflib.get_close_matches(word[:_LONGEST], known, n=1)
    return near[0] if near else None
