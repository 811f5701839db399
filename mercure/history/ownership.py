"""Ownership of a name in the history: one router writes under it, known by its spool and its machine.

The table is made where it is first needed and is no part of the numbered schema, so that the release before can go on
with the same history.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from peewee import Database

from mercure.history.database import HistoryError, is_sqlite, run_sql, transaction

CLAIM_SECONDS: Final = 30.0
"""So often a bookkeeper says that it is there."""

FRESH: Final = timedelta(minutes=10)
"""A router that has said nothing for so long has ended: the same spool may be on other hardware."""

_MACHINE: Final = Path("/etc/machine-id")
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS node_owners (node TEXT PRIMARY KEY NOT NULL, "
    "spool TEXT NOT NULL, machine TEXT NOT NULL, run TEXT NOT NULL, seen BIGINT NOT NULL)"
)
_READ: Final = "SELECT spool, machine, run, seen FROM node_owners WHERE node = {0}"
_FORGET: Final = "DELETE FROM node_owners WHERE node = {0}"
_WRITE: Final = "INSERT INTO node_owners (node, spool, machine, run, seen) VALUES ({0}, {0}, {0}, {0}, {0})"

ADVICE: Final = (
    "give each router a `name` of its own; if the other one is gone for good, or this is its replacement, "
    "give `mercure spool adopt` here"
)


class NameTakenError(HistoryError):
    """Another router writes under this name; the text says which, and `ADVICE` what to do."""


@dataclass(frozen=True)
class Owner:
    """Who writes.

    Parameters
    ----------
    spool : str
        The spool's id.
    machine : str
        The machine, as `machine_id` names it; empty where it has no id.
    run : str
        This process.
    """

    spool: str
    machine: str
    run: str = field(default_factory=lambda: secrets.token_hex(8))


def machine_id(path: Path = _MACHINE) -> str:
    """Return a digest of the machine's id, which is not to leave it (machine-id(5)); empty where there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return ""
    return hashlib.sha256(f"mercure {text}".encode()).hexdigest()[:32] if text else ""


def claim(database: Database, node: str, owner: Owner, now: int, *, held: bool, adopt: bool = False) -> None:
    """Say that this router writes under a name.

    Parameters
    ----------
    database : peewee.Database
        A writable history.
    node : str
        The name.
    owner : Owner
        This router.
    now : int
        Microseconds since 1970.
    held : bool
        This process has claimed the name before.
    adopt : bool
        A person says that the name is this router's, whichever router wrote before.

    Raises
    ------
    NameTakenError
        Another router writes under it.
    """
    mark = "?" if is_sqlite(database) else "%s"
    with transaction(database):
        run_sql(database, _TABLE)
        row = run_sql(database, _READ.format(mark) + ("" if is_sqlite(database) else " FOR UPDATE"), (node,)).fetchone()
        if row is not None and not adopt:
            why = _refusal(Owner(*row[:3]), owner, now - int(row[3]), held=held)
            if why:
                raise NameTakenError(f"another router writes as {node!r}: {why}")
        run_sql(database, _FORGET.format(mark), (node,))
        run_sql(database, _WRITE.format(mark), (node, owner.spool, owner.machine, owner.run, now))


def _refusal(known: Owner, owner: Owner, age: int, *, held: bool) -> str:
    """Say why a name cannot be this router's; empty when it can."""
    if known.run == owner.run:
        return ""
    if known.spool != owner.spool:
        return "it has another spool"
    if held:
        return "it has a copy of this spool, as a cloned machine has"
    if known.machine != owner.machine and abs(age) < FRESH / timedelta(microseconds=1):
        return "it has this spool on another machine, and wrote in the last ten minutes"
    return ""
