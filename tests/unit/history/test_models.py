"""The description of the tables is whole, and what is answered follows it."""

from __future__ import annotations

import types
from datetime import datetime
from typing import Any, Union, get_args, get_origin

import pytest
from peewee import AutoField, BooleanField, DoubleField, Field, ForeignKeyField, IntegerField, Model, TextField

from mercure.history import records
from mercure.history.merge import table_of
from mercure.history.models import (
    TABLES,
    AssociationRow,
    AttemptRow,
    AuditRow,
    EventRow,
    ImageRow,
    InstantField,
    SchemaMigrationRow,
    SeriesRow,
    TaskRow,
)
from mercure.model import Record

ONCE = {EventRow, AuditRow, SchemaMigrationRow}
"""Their rows are written once."""
ANSWERED: dict[type[Model], tuple[type[Record], set[str]]] = {
    SeriesRow: (records.SeriesRecord, {"tags"}),
    AssociationRow: (records.AssociationRecord, set()),
    ImageRow: (records.ImageRecord, {"series_uid", "folder"}),
    TaskRow: (records.TaskRecord, set()),
    AttemptRow: (records.AttemptRecord, set()),
    EventRow: (records.EventRecord, set()),
    AuditRow: (records.AuditRecord, set()),
}
"""The record of each table that is answered whole, and what it holds of the series besides."""
JSON = {"rules", "details", "before", "after"}
TYPES: list[tuple[type[Field[Any]], type]] = [
    (InstantField, datetime),
    (BooleanField, bool),
    (DoubleField, float),
    (IntegerField, int),
    (TextField, str),
]


@pytest.mark.parametrize("model", TABLES, ids=[model.__name__ for model in TABLES])
def test_every_column_has_a_rule_or_none_of_a_table_has(model: type[Model]) -> None:
    rules = table_of(model).rules
    assert {rule is None for rule in rules.values()} <= {model in ONCE}


@pytest.mark.parametrize("model", TABLES, ids=[model.__name__ for model in TABLES])
def test_the_column_with_an_order_is_told_by_it(model: type[Model]) -> None:
    rules = table_of(model).rules
    orders = {order: rule for rule in rules.values() if (order := getattr(rule, "order", None)) is not None}
    for order in orders:
        assert getattr(rules[order], "order", None) == order


@pytest.mark.parametrize("model", ANSWERED, ids=[model.__name__ for model in ANSWERED])
def test_a_record_has_the_columns_of_its_table(model: type[Model]) -> None:
    record, of_series = ANSWERED[model]
    shown = {
        field.name: field
        for field in model._meta.sorted_fields
        if not isinstance(field, AutoField | ForeignKeyField) and not field.name.endswith("_order")
    }
    assert record.model_fields.keys() == shown.keys() | of_series
    for name, field in shown.items():
        if name not in JSON:
            wanted = next(type_ for kind, type_ in TYPES if isinstance(field, kind))
            assert types_of(record.model_fields[name].annotation) == {wanted} | ({type(None)} if field.null else set())


def types_of(annotation: Any) -> set[Any]:
    return set(get_args(annotation)) if get_origin(annotation) in (Union, types.UnionType) else {annotation}


def test_a_row_with_a_column_that_the_table_has_not_is_refused() -> None:
    with pytest.raises(KeyError, match="tasks has no column colour"):
        table_of(TaskRow).values({"id": "1", "colour": "red"})
