"""The rows of a history as plain values that can be compared, whatever surrogate keys they got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercure.history.database import run_sql

if TYPE_CHECKING:
    from peewee import Database

TABLES = {
    "series": "node, folder, series_uid, study_uid, patient_id, patient_name, accession, modality, study_description, "
    "series_description, study_date, address, calling_aet, called_aet, first_received, last_received, images, bytes, "
    "repetitions, identity_order, origin_order",
    "identifiers": "folded, kind, (SELECT folder FROM series WHERE series.id = series_id)",
    "associations": "*",
    "images": "id, node, association, received, file, sop, sop_class, transfer_syntax, bytes, repetition, durable, "
    "task, (SELECT folder FROM series WHERE series.id = series_id)",
    "image_lists": "digest, images, bytes",
    "task_images": "(SELECT digest FROM image_lists WHERE image_lists.id = list_id), file, image, sop, bytes",
    "tasks": "id, node, parent, action, stage, module, rules, priority, late, completion, "
    "scope, series_uid, study_uid, patient_id, patient_name, accession, modality, series_description, study_task, "
    "images, bytes, created, "
    "facts_order, target, target_order, state, state_order, since, reason, advice, since_order, decided, "
    "discarded_by, attempts, last_attempt, last_error, next_attempt, attempt_order, delivered, delivered_order, "
    "retired, retired_from, retired_reason, retired_order, "
    "(SELECT folder FROM series WHERE series.id = series_id), "
    "(SELECT digest FROM image_lists WHERE image_lists.id = list_id), "
    "(SELECT digest FROM image_lists WHERE image_lists.id = delivered_list_id)",
    "attempts": "*",
    "events": "*",
    "audit": "*",
    "metrics_minute": "*",
    "totals": "*",
    "nodes": "node, newest_event",
}
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
