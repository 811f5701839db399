"""New values for old ones: UIDs, pseudonyms, dates, texts, and dummies for each value representation."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pydicom.uid import UID

from modules.deidentify.settings import Settings

_STANDARD_ROOT: Final = "1.2.840.10008."
"""UIDs of the standard (classes, syntaxes, well-known frames of reference) name nobody."""

_UUID_BITS: Final = 128
_PSEUDONYM_DIGITS: Final = 16
_LONGEST_SHIFT_DAYS: Final = 3650
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(.*)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)

DUMMIES: Final[Mapping[str, str | int | float | bytes]] = {
    "AE": "ANONYMOUS",
    "AS": "000Y",
    "AT": 0,
    "CS": "ANONYMOUS",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "FD": 0.0,
    "FL": 0.0,
    "IS": "0",
    "LO": "ANONYMOUS",
    "LT": "ANONYMOUS",
    "OB": b"\0\0",
    "OD": bytes(8),
    "OF": bytes(4),
    "OL": bytes(4),
    "OV": bytes(8),
    "OW": b"\0\0",
    "PN": "ANONYMOUS",
    "SH": "ANONYMOUS",
    "SL": 0,
    "SS": 0,
    "ST": "ANONYMOUS",
    "SV": 0,
    "TM": "000000",
    "UC": "ANONYMOUS",
    "UL": 0,
    "UN": b"\0\0",
    "UR": "urn:anonymous",
    "US": 0,
    "UT": "ANONYMOUS",
    "UV": 0,
}
"""A valid value of each representation (PS3.5 section 6.2) that says nothing; UI and SQ are made of what was there."""


class Replacements:
    """Makes new values: the same for the same old one under one key, and not to be turned back without it.

    Parameters
    ----------
    settings : Settings
        The key, the words that may stay, and how dates move.
    patient : str
        The old Patient ID; dates of one patient move together.
    """

    def __init__(self, settings: Settings, patient: str) -> None:
        self._settings = settings
        days = settings.date_shift_days
        if days is None:
            days = -1 - self._number("dates", patient) % _LONGEST_SHIFT_DAYS
        self._shift = timedelta(days=days)

    def uid(self, old: str) -> UID:
        """Return the UID that stands for an old one: under 2.25, made like a UUID (PS3.5 annex B.2)."""
        if not old or old.startswith(_STANDARD_ROOT):
            return UID(old)
        number = self._number("uid", old) >> (256 - _UUID_BITS)
        # The version and variant of a UUID made by a hash: 8, RFC 9562 section 5.8.
        number = number & ~(0xF << 76) | 0x8 << 76
        number = number & ~(0x3 << 62) | 0x2 << 62
        return UID(f"2.25.{number}")

    def pseudonym(self, old: str) -> str:
        """Return the name that stands for a patient: the same in all studies under one key."""
        return f"{self._number('patient', old):064x}"[:_PSEUDONYM_DIGITS].upper()

    def date(self, old: str) -> str:
        """Return a date or date-time moved by the patient's days; one that is none becomes empty."""
        found = _DATE.fullmatch(old.strip())
        if found is None:
            return ""
        try:
            moved = datetime(int(found[1]), int(found[2]), int(found[3])) + self._shift  # noqa: DTZ001 - a calendar day
        except (ValueError, OverflowError):
            return ""
        return f"{moved:%Y%m%d}".rjust(8, "0") + found[4]

    def text(self, old: str) -> str:
        """Return what is left of a text when only the words of the settings stay, in their order."""
        return " ".join(word for word in _WORD.findall(old) if word.lower() in self._settings.words)

    def _number(self, purpose: str, text: str) -> int:
        digest = hmac.new(self._settings.key, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
        return int.from_bytes(digest, "big")
