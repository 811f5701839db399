"""UID registry of the standard (PS3.6 annex A): transfer syntaxes and SOP classes, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from mercure.lazy_imports import IMPORTING


@dataclass(frozen=True)
class Registered:
    """An entry of the registry.

    Parameters
    ----------
    name : str
        Its name, without what the standard says of its use.
    kind : str
        ``Transfer Syntax``, ``SOP Class`` …
    retired : bool
        The standard does not name it any more.
    """

    name: str
    kind: str
    retired: bool = False


_SYNTAX: Final = "Transfer Syntax"
_NEWER: Final = {
    "1.2.840.10008.1.2.4.110": Registered("JPEG XL Lossless", _SYNTAX),
    "1.2.840.10008.1.2.4.111": Registered("JPEG XL JPEG Recompression", _SYNTAX),
    "1.2.840.10008.1.2.4.112": Registered("JPEG XL", _SYNTAX),
    "1.2.840.10008.1.2.8.1": Registered("Deflated Image Frame Compression", _SYNTAX),
}
"""What pydicom's registry lacks. It has them when pynetdicom was imported before, which would make what something is
called depend on what the program did first."""


@cache
def registry() -> Mapping[str, Registered]:
    """Return the registry by UID, in the order of the standard."""
    # It costs a tenth of a second, and most runs of a program name nothing.
    with IMPORTING:
        from pydicom._uid_dict import UID_dictionary  # noqa: PLC0415

        # Read under the lock too: pynetdicom adds to this dictionary while another thread imports it.
        known = {
            uid: Registered(name.partition(":")[0].strip(), kind, bool(retired))
            for uid, (name, kind, _, retired, _) in UID_dictionary.items()
            if uid not in _NEWER
        }
    return known | _NEWER


def uid_name(uid: str) -> str:
    """Return the name of a transfer syntax or SOP class; the UID itself where the standard has none."""
    return registry()[uid].name if uid in registry() else uid
