"""Value types of the configuration: AE titles, names, ports, durations, transfer syntaxes."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_BLANK: Final = " \0"
"""What pads an AE title; at its ends it says nothing (PS3.5 section 6.2)."""


def _ae_title(text: str) -> str:
    if not AE_TITLE.fullmatch(text) or not text.strip():
        raise ValueError("an AE title has 1 to 16 printable ASCII characters without backslash (PS3.5 section 6.2)")
    return text.strip()


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("a name has 1 to 64 letters, digits, '-', '_' or '.', and begins with a letter or digit")
    return text


def _host(text: str) -> str:
    """Check a name or an address, and write one of IPv6 as it comes back from the network, without brackets."""
    if _HOST_NAME.fullmatch(text):
        return text
    try:
        address = IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError as error:
        raise ValueError("neither a host name nor an address such as 10.0.3.9 or 2001:db8::9") from error
    if address.scope_id is not None:
        raise ValueError("an address that counts on one cable only ('%') names no host: give it another, or a name")
    return str(address.ipv4_mapped or address)


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise ValueError("the path is absolute and without '..'")
    return path


def _absolute_or_nothing(text: str) -> str:
    return str(_absolute(Path(text))) if text else text


def _title_or_name(text: str) -> str:
    if not (AE_TITLE.fullmatch(text) and text.strip()) and not NAME.fullmatch(text):
        raise ValueError("neither an AE title (1 to 16 printable characters) nor the name of one of 'senders'")
    return text.strip()


Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_host)]
AETitle = Annotated[str, AfterValidator(_ae_title)]
Name = Annotated[str, AfterValidator(_name)]
TitleOrName = Annotated[str, AfterValidator(_title_or_name)]
"""Names a sender: by its calling AE title, or by its name in ``senders``."""
Port = Annotated[int, Field(ge=1, le=65535)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
PathOrNothing = Annotated[str, AfterValidator(_absolute_or_nothing)]
Seconds = Annotated[float, Field(ge=0, le=366 * 86400)]
PositiveSeconds = Annotated[float, Field(gt=0, le=366 * 86400)]
BYTES_MOST: Final = 2**63 - 1
"""What the programs in C++ hold a size in."""


def ae_title(text: str) -> str:
    """Return what of an AE title is significant: without blanks at its ends (PS3.5 section 6.2)."""
    return text.strip(_BLANK)


TRANSFER_SYNTAX_POLICIES: Final = ("as-needed", "as-received", "uncompressed")
"""Values of a target's `transfer_syntaxes` that stand alone; everything else is a list of UIDs."""

_UID: Final = re.compile(r"[0-9][0-9.]{0,63}")


def _words(value: object) -> object:
    """Take one word, or UIDs with commas or blanks between them, for a list."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


def _policy_or_uids(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) == 1 and value[0] in TRANSFER_SYNTAX_POLICIES:
        return value
    wrong = next((word for word in value if not _UID.fullmatch(word)), None)
    if wrong is not None or not value:
        words = ", ".join(f"'{word}'" for word in TRANSFER_SYNTAX_POLICIES)
        raise ValueError(f"{wrong or 'an empty list'!r} is neither one of {words} alone nor a transfer syntax UID")
    return value


TransferSyntaxes = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_policy_or_uids)]
