"""The identity of a spool: made once with it, and the same wherever it is moved to.

By it a spool that was moved by hand is known again, and by it the history knows which spool writes under a name.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from mercure import durable
from mercure.model import Record
from mercure.spool.layout import Spool, Stage

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "spool.json"
ADOPTION: Final = "adopt.json"
"""Marks that a person gives this spool the router's name in the history; the bookkeeper removes it when done."""


MARK_DIGITS: Final = 4
"""What is left of an implementation version name (16 characters, PS3.7 section D.3.3.2.4) behind ours."""


class SpoolIdentity(Record):
    """128 random bits in hexadecimal."""

    id: str


def read_identity(spool: Spool) -> str:
    """Return the id of a spool; empty if it has none that can be read."""
    try:
        return SpoolIdentity.model_validate_json(identity_file(spool).read_bytes()).id
    except (OSError, ValidationError):
        return ""


def ensure_identity(spool: Spool) -> str:
    """Return the id of a spool; make one if it has none."""
    found = read_identity(spool)
    if found:
        return found
    made = SpoolIdentity(id=secrets.token_hex(16)).model_dump_json().encode()
    if identity_file(spool).exists():
        durable.write_file(identity_file(spool), made)  # it cannot be read
    else:
        # Several services may start at once: the first gives the id.
        with contextlib.suppress(FileExistsError), durable.replacing(identity_file(spool), replace=False) as writing:
            writing.write(made)
    return read_identity(spool)


def router_mark(spool: Spool) -> str:
    """Return the digits that distinguish the router in an association; empty if the spool has no id."""
    return read_identity(spool)[:MARK_DIGITS]


def wants_adoption(spool: Spool) -> bool:
    """Return whether a person gives this spool the name in the history."""
    return (spool.stage(Stage.STATE) / ADOPTION).exists()


def want_adoption(spool: Spool) -> None:
    """Give this spool the name in the history, at the next turn of the bookkeeper."""
    durable.write_file(spool.stage(Stage.STATE) / ADOPTION, b"{}")


def forget_adoption(spool: Spool) -> None:
    """Remove the mark: the adoption is done."""
    durable.unlink(spool.stage(Stage.STATE) / ADOPTION)


def identity_file(spool: Spool) -> Path:
    """Return where the id of a spool stands."""
    return spool.stage(Stage.STATE) / FILE_NAME
