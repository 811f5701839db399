"""The steps that make the schema, numbered from 1. What was released never changes: the next change is a new step.

Steps only add (tables, columns, indexes): while two nodes are upgraded one after the other, the older program still
writes to the newer schema until it is restarted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mercure.history.migrations import m0001_first_tables, m0002_totals

if TYPE_CHECKING:
    from peewee import Database


@dataclass(frozen=True)
class Migration:
    """One step; `apply` runs inside a transaction that also notes the step as done."""

    number: int
    name: str
    apply: Callable[[Database], None]


MIGRATIONS: Final = (
    Migration(1, "first_tables", m0001_first_tables.apply),
    Migration(2, "totals", m0002_totals.apply),
)
"""All steps, in order, without a gap."""
