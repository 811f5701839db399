"""In which transfer syntaxes a target gets images: the type of the setting."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

POLICIES: Final = ("as-needed", "as-received", "uncompressed")
"""Words that stand alone; everything else is a list of UIDs."""

_UID: Final = re.compile(r"[0-9][0-9.]{0,63}")


def _words(value: object) -> object:
    """Take one word, or UIDs with commas or blanks between them, for a list."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


def _policy_or_uids(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) == 1 and value[0] in POLICIES:
        return value
    wrong = next((word for word in value if not _UID.fullmatch(word)), None)
    if wrong is not None or not value:
        words = ", ".join(f"'{word}'" for word in POLICIES)
        raise ValueError(f"{wrong or 'an empty list'!r} is neither one of {words} alone nor a transfer syntax UID")
    return value


TransferSyntaxes = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_policy_or_uids)]
