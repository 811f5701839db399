"""Merge rules: how what an event says of a row meets the row that is there, once for SQL and once for Python.

The files of different writers are read in no particular order, so ``task.delivered`` may be read before
``task.created``. Every column therefore follows one of a few rules that do not depend on the order (each is a maximum,
a minimum or a sum). A column of `mercure.history.models` names its rule; `Table` makes of the columns of one model the
statement of the recorder, the form of a row of a batch, and the merge in Python that a verification uses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

from peewee import AutoField, Field, ForeignKeyField, Model

F = TypeVar("F", bound="Field[Any]")
Row = Mapping[str, Any]
"""What is known of a row, by the names of the model; what is not known is left out or None."""


class MergeRule(ABC):
    """A merge rule. Both halves of it stand here, one below the other, and must say the same."""

    @abstractmethod
    def sql(self, mine: str, new: str, column: str) -> str:
        """Return the expression for a column's new value; `mine` and `new` are the prefixes of the two rows."""

    @abstractmethod
    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        """Write the new values of all columns that follow this rule; what does not change stands in `into` already."""


@dataclass(frozen=True)
class _Largest(MergeRule):
    def sql(self, mine: str, new: str, column: str) -> str:
        one, other = mine + column, new + column
        return f"CASE WHEN {one} IS NULL OR {other} > {one} THEN {other} ELSE {one} END"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        for name in names:
            one, other = mine.get(name), new.get(name)
            if other is not None and (one is None or other > one):
                into[name] = other


@dataclass(frozen=True)
class _Smallest(MergeRule):
    def sql(self, mine: str, new: str, column: str) -> str:
        one, other = mine + column, new + column
        return f"CASE WHEN {one} IS NULL OR {other} < {one} THEN {other} ELSE {one} END"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        for name in names:
            one, other = mine.get(name), new.get(name)
            if other is not None and (one is None or other < one):
                into[name] = other


@dataclass(frozen=True)
class _Total(MergeRule):
    def sql(self, mine: str, new: str, column: str) -> str:
        return f"{mine}{column} + {new}{column}"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        for name in names:
            into[name] = mine.get(name, 0) + new.get(name, 0)


@dataclass(frozen=True)
class _ToldBy(MergeRule):
    order: str

    def sql(self, mine: str, new: str, column: str) -> str:
        one, other = mine + self.order, new + self.order
        later = f"{other} IS NOT NULL AND ({one} IS NULL OR {other} > {one})"
        return f"CASE WHEN {later} THEN {new}{column} ELSE {mine}{column} END"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        one, other = mine.get(self.order), new.get(self.order)
        if other is not None and (one is None or other > one):
            for name in names:
                into[name] = new.get(name)


@dataclass(frozen=True)
class _CounterOrGauge(MergeRule):
    order: str

    def sql(self, mine: str, new: str, column: str) -> str:
        gauge = _ToldBy(self.order).sql(mine, new, column)
        return f"CASE WHEN {new}{self.order} IS NULL THEN {_Total().sql(mine, new, column)} ELSE {gauge} END"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        rule = _Total() if new.get(self.order) is None else _ToldBy(self.order)
        rule.merge(mine, new, names, into)


@dataclass(frozen=True)
class _ByReceipt(MergeRule):
    def sql(self, mine: str, new: str, column: str) -> str:
        better = f"{new}received IS NOT NULL OR {mine}received IS NULL"
        return f"CASE WHEN {better} THEN coalesce({new}{column}, {mine}{column}) ELSE {mine}{column} END"

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        if new.get("received") is not None or mine.get("received") is None:
            into.update((name, new[name]) for name in names if new.get(name) is not None)


@dataclass(frozen=True)
class _Fixed(MergeRule):
    def sql(self, mine: str, new: str, column: str) -> str:
        del new
        return mine + column

    def merge(self, mine: Row, new: Row, names: Iterable[str], into: dict[str, Any]) -> None:
        """Change nothing."""


class _Key(_Fixed):
    """Fixed as well, and part of the key."""


LARGEST: Final = _Largest()
"""The greater of the two values; nothing known loses against anything."""

SMALLEST: Final = _Smallest()
"""The smaller of the two values; nothing known loses against anything."""

TOTAL: Final = _Total()
"""The sum; fed only by events that were never recorded before."""

FIXED: Final = _Fixed()
"""What was written first stays: the key says all of it."""

BY_RECEIPT: Final = _ByReceipt()
"""The value of ``image.received``; ``series.completed`` only fills in what is missing."""

KEY: Final = _Key()
"""Part of the natural key of a table whose primary key is made by the database."""


def told_by(order: str) -> MergeRule:
    """Take the value of the event with the greatest order text (`mercure.history.precedence.order`).

    The columns with one order change together, the column of the order among them.
    """
    return _ToldBy(order)


def counter_or_gauge(order: str) -> MergeRule:
    """Add up what comes without an order (a counter); of the others (a gauge) the latest counts."""
    return _CounterOrGauge(order)


def column(field: F, *, merge: MergeRule) -> F:
    """Give a field of a model its merge rule."""
    field.merge = merge  # type: ignore[attr-defined]  # peewee's own constructors refuse more arguments
    return field


class Table:
    """A table as its model describes it.

    A model whose columns have no rules takes each row once: one that is there already is an error, which undoes the
    batch. Otherwise its counters would count the same event twice.

    Parameters
    ----------
    model : type of peewee.Model
        Its fields in their order, without a key that the database makes.
    """

    def __init__(self, model: type[Model]) -> None:
        fields = [field for field in model._meta.sorted_fields if not isinstance(field, AutoField)]
        rules: dict[str, MergeRule | None] = {field.name: getattr(field, "merge", None) for field in fields}
        natural = [field for field in fields if rules[field.name] is KEY]
        key = natural or model._meta.get_primary_keys()  # type: ignore[no-untyped-call]  # peewee's stubs leave it open
        self.name: str = model._meta.table_name
        self.blank: Row = {field.name: field.default for field in fields}
        self.references: dict[str, type[Model]] = {
            field.name: field.rel_model for field in fields if isinstance(field, ForeignKeyField)
        }
        self._columns: dict[str, str] = {field.name: field.column_name for field in fields}
        self.key = frozenset(field.name for field in key)
        self.rules = {name: rule for name, rule in rules.items() if name not in self.key}
        self._together: dict[MergeRule, list[str]] = {}
        for name, rule in self.rules.items():
            if rule is not None:
                self._together.setdefault(rule, []).append(name)

    def statement(self, parameter: str) -> str:
        """Return the SQL that adds or merges one row, with `parameter` (``?`` or ``%s``) for each of `values`."""
        columns, places = ", ".join(self._columns.values()), ", ".join([parameter] * len(self._columns))
        # Only names of models are put into the text.
        insert = f"INSERT INTO {self.name} ({columns}) VALUES ({places})"  # noqa: S608
        if None in self.rules.values():
            return insert
        sets = ", ".join(
            f"{self._columns[name]} = {rule.sql(f'{self.name}.', 'excluded.', self._columns[name])}"
            for name, rule in self.rules.items()
            if rule is not None and rule is not FIXED
        )
        key = ", ".join(self._columns[name] for name in self._columns if name in self.key)
        return f"{insert} ON CONFLICT ({key}) DO {f'UPDATE SET {sets}' if sets else 'NOTHING'}"

    def values(self, row: Row) -> tuple[Any, ...]:
        """Return the values of a row for `statement`.

        Raises
        ------
        KeyError
            The row has a column that the model has not.
        """
        full = {**self.blank, **row}
        if len(full) != len(self.blank):
            raise KeyError(f"{self.name} has no column {', '.join(sorted(full.keys() - self.blank.keys()))}")
        return tuple(full.values())

    def merge(self, mine: Row, new: Row) -> dict[str, Any]:
        """Return what `statement` makes of the row that is there and a new one with the same key."""
        changed = dict(mine)
        for rule, names in self._together.items():
            rule.merge(mine, new, names, changed)
        return changed


@cache
def table_of(model: type[Model]) -> Table:
    """Return the table of a model."""
    return Table(model)
