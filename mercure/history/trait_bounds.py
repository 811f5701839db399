"""Bounds on what is collected of senders: whoever may call can invent AE titles without end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from peewee import Database

from mercure.history.models import TotalRow
from mercure.history.rows import BETWEEN, MOST_TRAITS, MOST_TRAITS_OF_ADDRESS, TRAIT, TRAITS_NOT_KEPT, Rows

TraitKey = tuple[str, str]
"""Name and label of a row of ``totals``."""
_ASKED_AT_ONCE: Final = 500


@dataclass(frozen=True)
class TraitBounds:
    """How many traits are kept of a node, and of one address."""

    all: int = MOST_TRAITS
    of_address: int = MOST_TRAITS_OF_ADDRESS


def keep_within_bounds(database: Database, rows: Rows, bounds: TraitBounds = TraitBounds()) -> None:
    """Take the traits out of a batch for which there is no room, and count in how many messages they came.

    What is there already goes on being counted, whoever else comes. Of what is new the earliest goes first. With more
    than one batch at the bound, which of them is kept depends on the order in which they are recorded.
    """
    kept = _kept(database, rows)
    fresh = [key for key in rows.traits if key not in kept]
    if not fresh:
        return
    used = _used(database, rows.node)
    left = bounds.all - used.total()
    for key in sorted(fresh, key=lambda key: (rows.traits[key][1], key)):
        address = _address_of(key[1])
        if left > 0 and used[address] < bounds.of_address:
            left -= 1
            used[address] += 1
            continue
        times, _, minute = rows.traits.pop(key)
        rows.count(minute, TRAITS_NOT_KEPT, "", times)


def _kept(database: Database, rows: Rows) -> set[TraitKey]:
    """Return which traits of a batch are in the history already."""
    names, labels = {name for name, _ in rows.traits}, [label for _, label in rows.traits]
    found: set[TraitKey] = set()
    for start in range(0, len(labels), _ASKED_AT_ONCE):
        query = TotalRow.select(TotalRow.name, TotalRow.label).where(
            TotalRow.node == rows.node,
            TotalRow.name.in_(sorted(names)),
            TotalRow.label.in_(labels[start : start + _ASKED_AT_ONCE]),
        )
        found.update(query.tuples().execute(database))
    return found


def _used(database: Database, node: str) -> Counter[str]:
    """Return how many traits are kept of each address."""
    query = TotalRow.select(TotalRow.label).where(TotalRow.node == node, TotalRow.name.startswith(TRAIT))
    return Counter(_address_of(label) for (label,) in query.tuples().execute(database))


def _address_of(label: str) -> str:
    return label.partition(BETWEEN)[0].rpartition("@")[2]
