"""Character sets of texts whose image names none: terms of (0008,0005), PS3.3 section C.12.1.1.2."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

SINGLE: Final = ("6", "13", "100", "101", "109", "110", "126", "127", "138", "144", "148", "166", "203")
PAIRS: Final = ("58", "87", "149", "159")
WHOLE: Final = ("ISO_IR 192", "GB18030", "GBK")

TERMS: Final = (*(f"ISO_IR {number}" for number in SINGLE), *WHOLE)
"""What may stand alone."""

EXTENSIONS: Final = tuple(f"ISO 2022 IR {number}" for number in (*SINGLE, *PAIRS))
"""What may stand with others, separated by backslashes."""


def _extends(parts: list[str]) -> bool:
    """Tell whether these are terms with code extensions; the first one may be left out, and is ASCII then."""
    return all(part in EXTENSIONS for part in (parts[1:] if parts[0] == "" and parts[1:] else parts))


def _known(text: str) -> str:
    parts = text.split("\\")
    if text and text not in TERMS and not _extends(parts):
        advice = "such as 'ISO_IR 100' (Western Europe), 'ISO_IR 192' (UTF-8) or '\\ISO 2022 IR 87' (Japanese)"
        raise ValueError(f"{text!r} is no defined term of Specific Character Set (PS3.3 section C.12.1.1.2), {advice}")
    return text


CharacterSet = Annotated[str, AfterValidator(_known)]
"""Terms as in the element; empty: none is assumed."""
