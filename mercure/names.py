"""Identifiers and names: the one place where text from the network becomes a file name.

The C++ twin is ``getdcmtags/src/names.h``; both follow ``docs/reference/spool.md``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime

from mercure.clock import wall_now

_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}")
_UID = re.compile(r"[0-9][0-9.]{0,63}")


def new_id(now: datetime | None = None) -> str:
    """Make an identifier that sorts by time.

    Parameters
    ----------
    now : datetime, optional
        Aware instant; the present when absent.

    Returns
    -------
    str
        ``YYYYMMDDTHHMMSSffffff-RRRRRRRR``: UTC with microseconds, and 32 random bits in hexadecimal.
    """
    instant = (wall_now() if now is None else now).astimezone(UTC)
    return f"{instant:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def place_of(host: str, port: int) -> str:
    """Write host and port; an address of IPv6 stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_id(text: str) -> bool:
    """Return whether `text` is an identifier of ours, and so safe as a file name."""
    return _ID.fullmatch(text) is not None


def time_part(identifier: str) -> str:
    """Return the characters of an identifier that are its time: ids sort by it, and a derived task has its parent's."""
    return identifier[:21]


def id_time(identifier: str) -> datetime:
    """Return the instant (aware UTC) at which an identifier was made.

    Raises
    ------
    ValueError
        `identifier` does not come from `new_id`.
    """
    if not is_id(identifier):
        raise ValueError(f"{identifier!r} is not an identifier of the router")
    return datetime.strptime(time_part(identifier), "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def derived_id(parent: str, key: str) -> str:
    """Make the identifier of a task derived from another one, the same at each call.

    A plan that is made again after a crash names the same tasks, so what exists already is recognised.

    Parameters
    ----------
    parent : str
        Identifier of the parent task; its time is kept, so a derived task keeps its place in the queue.
    key : str
        What sets this derived task apart from its siblings, e.g. ``"route:archive"``.
    """
    digest = hashlib.sha256(_bytes(f"{parent}\0{key}")).hexdigest()[:8]
    return f"{time_part(parent)}-{digest}"


def safe_name(uid: str) -> str:
    """Turn a UID from the network into a file name.

    A valid UID (PS3.5 section 9.1: digits and dots, at most 64) is kept; any other text becomes ``x`` and 40
    hexadecimal digits of its SHA-256, so nothing that was received can name a path of its own choice.

    Raises
    ------
    ValueError
        `uid` is empty: the caller knows what to use instead.
    """
    if not uid:
        raise ValueError("an empty UID has no name")
    if _UID.fullmatch(uid):
        return uid
    return "x" + hashlib.sha256(_bytes(uid)).hexdigest()[:40]


def _bytes(text: str) -> bytes:
    """Return the bytes that a text was made of; also of one that is no Unicode, which JSON can bring."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def utc_text(instant: datetime) -> str:
    """Write an aware instant as ISO 8601 in UTC with microseconds and ``Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
