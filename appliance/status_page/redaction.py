"""Redaction of what identifies a person, an exam or a machine; on unless configured otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from appliance.status_page.sanitize import clean

_END: Final = 3
"""Characters of an accession number that stay, enough to tell two exams on a desk apart."""

_NUMBERS: Final = re.compile(r"(?<![\w.])(?:\d+\.){3,}\d+(?![\w.])")
"""Addresses (four numbers) and UIDs (more)."""

_SIX: Final = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_PARTS: Final = 4


@dataclass(frozen=True)
class Masking:
    """What is shown of an identifier.

    Parameters
    ----------
    on : bool
        Hide.
    """

    on: bool = True

    def accession(self, number: str) -> str:
        """Show the end of an accession number, if something stays hidden before it."""
        number = number.strip()
        if not self.on:
            return clean(number, 64)
        return "…" + (clean(number[-_END:]) if len(number) > 2 * _END else "")

    def address(self, address: str) -> str:
        """Show the last part of an address."""
        if not self.on:
            return clean(address, 64)
        try:
            shown = str(ip_address(address))
        except ValueError:
            return "…" if address else ""
        return "…" + re.split("[.:]", shown)[-1]

    def description(self, text: str) -> str:
        """Show a free text from the scanner, in which anything may stand, or nothing of it."""
        return "" if self.on else clean(text, 80)

    def text(self, text: str) -> str:
        """Show a sentence of ours without the addresses and UIDs that it may name."""
        if not self.on:
            return text
        return _SIX.sub(self._six, _NUMBERS.sub(self._numbers, text))

    def _numbers(self, found: re.Match[str]) -> str:
        parts = found[0].split(".")
        return self.address(found[0]) if len(parts) == _PARTS else f"…{parts[-1]}"

    def _six(self, found: re.Match[str]) -> str:
        try:
            ip_address(found[0])
        except ValueError:
            return found[0]  # a time of day, say
        return self.address(found[0])
