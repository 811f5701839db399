"""The rows of a history as plain values that can be compared, whatever surrogate keys they got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import AutoField, ForeignKeyField, Model

from mercure.history import models
from mercure.history.database import run_sql
from mercure.history.models import ImageListRow, NodeRow, OutboxPositionRow, SchemaMigrationRow, SeriesRow

if TYPE_CHECKING:
    from peewee import Database, Field

REFERENCES = {
    SeriesRow: "(SELECT folder FROM series WHERE series.id = {})",
    ImageListRow: "(SELECT digest FROM image_lists WHERE image_lists.id = {})",
}
"""What a reference is compared by."""
LEFT_OUT = {SchemaMigrationRow, OutboxPositionRow}
"""How the rows came to be there."""


def _columns(model: type[Model]) -> str:
    fields = (field for field in model._meta.sorted_fields if not isinstance(field, AutoField))
    return ", ".join(_compared(field) for field in fields if (model, field.name) != (NodeRow, "recorded"))


def _compared(field: Field[Any]) -> str:
    column = str(field.column_name)
    return REFERENCES[field.rel_model].format(column) if isinstance(field, ForeignKeyField) else column


TABLES = {model._meta.table_name: _columns(model) for model in models.TABLES if model not in LEFT_OUT}
EMPTIED = (
    *("identifiers", "task_images", "tasks", "images", "image_lists", "series", "associations"),
    *("attempts", "events", "audit", "metrics_minute", "totals", "nodes", "outbox_positions"),
)

Rows = dict[str, list[tuple[Any, ...]]]


def rows_of(database: Database) -> Rows:
    """Return everything that is recorded, in an order that depends on the values alone."""
    return {
        table: sorted((tuple(row) for row in run_sql(database, f"SELECT {columns} FROM {table}")), key=repr)  # noqa: S608
        for table, columns in TABLES.items()
    }


def empty(database: Database) -> None:
    """Forget everything but the schema."""
    for table in EMPTIED:
        run_sql(database, f"DELETE FROM {table}")  # noqa: S608


def count(database: Database, table: str) -> int:
    """Return the number of rows of a table."""
    return int(run_sql(database, f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
