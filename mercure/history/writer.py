"""Writing a batch of rows, within the transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from peewee import Database, Model

from mercure.history import models, upserts
from mercure.history.database import run_many
from mercure.history.rows import AuditRow, EventRow, ImageListRow, ImageRow, Rows, TaskRow
from mercure.history.upserts import Upsert

_ATTRIBUTES: Final = {"series_id": "series", "list_id": "image_list", "delivered_list_id": "delivered_list"}
"""Columns whose row holds something else until the row it points to is known."""

_EVENT_COLUMNS: Final = tuple(EventRow.__slots__)
_AUDIT_COLUMNS: Final = tuple(AuditRow.__slots__)
_ASKED_AT_ONCE: Final = 500


def known_events(database: Database, ids: Sequence[str]) -> set[str]:
    """Return which of these events are in the history."""
    return _matching(database, models.EventRow.id, ids)


def known_images(database: Database, ids: Sequence[str]) -> set[str]:
    """Return which of these images are known as received."""
    return _matching(database, models.Image.id, ids, models.Image.received.is_null(False))


def write_rows(database: Database, rows: Rows, recorded: int) -> None:
    """Add a batch to the tables.

    Parameters
    ----------
    database : peewee.Database
        Inside a transaction.
    rows : Rows
        Made of events that are not in the history yet.
    recorded : int
        The present, in microseconds since 1970.

    Raises
    ------
    Exception
        Whatever peewee or the driver raises; the transaction is then worth nothing.
    """
    series = _write_series(database, rows)
    lists = _write_lists(database, [rows.lists[digest] for digest in sorted(rows.lists)])
    _upsert(database, upserts.ASSOCIATIONS, rows.associations)
    _upsert(database, upserts.IMAGES, [_with_series(row, series) for row in rows.images])
    _upsert(database, upserts.TASKS, [_with_keys(row, series, lists) for row in rows.tasks])
    _upsert(database, upserts.ATTEMPTS, rows.attempts)
    run_many(database, _insert(database, "events", _EVENT_COLUMNS), map(attrgetter(*_EVENT_COLUMNS), rows.events))
    run_many(database, _insert(database, "audit", _AUDIT_COLUMNS), map(attrgetter(*_AUDIT_COLUMNS), rows.audit))
    _write_metrics(database, rows)
    if rows.newest_event:
        run_many(database, upserts.NODES.sql(database.param), [(rows.node, rows.newest_event, recorded)])


def write_positions(database: Database, node: str, positions: Mapping[str, int]) -> None:
    """Note up to where files are recorded."""
    values = [(node, file, position) for file, position in positions.items()]
    run_many(database, upserts.POSITIONS.sql(database.param), values)


def forget_positions(database: Database, node: str, files: Iterable[str]) -> None:
    """Forget files that are no longer there."""
    statement = f"DELETE FROM outbox_positions WHERE node = {database.param} AND file = {database.param}"  # noqa: S608 - no values in it
    run_many(database, statement, [(node, file) for file in files])


def _matching(database: Database, column: Any, ids: Sequence[str], *more: Any) -> set[str]:  # noqa: ANN401 - peewee's fields
    found: set[str] = set()
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        query = column.model.select(column).where(column.in_(ids[start : start + _ASKED_AT_ONCE]), *more)
        found.update(value for (value,) in query.tuples().execute(database))
    return found


def _write_series(database: Database, rows: Rows) -> dict[str, int]:
    _upsert(database, upserts.SERIES, rows.series.values())
    ids = _ids(database, models.Series, models.Series.folder, rows.series, models.Series.node == rows.node)
    identifiers = sorted((value, kind, ids[folder]) for value, kind, folder in rows.identifiers)
    run_many(database, upserts.IDENTIFIERS.sql(database.param), identifiers)
    return ids


def _write_lists(database: Database, lists: Sequence[ImageListRow]) -> dict[str, int]:
    digests = [listed.digest for listed in lists]
    known = _ids(database, models.ImageList, models.ImageList.digest, digests)
    fresh = [listed for listed in lists if listed.digest not in known]
    values = [(listed.digest, len(listed.entries), listed.bytes) for listed in fresh]
    run_many(database, upserts.IMAGE_LISTS.sql(database.param), values)
    ids = known | _ids(database, models.ImageList, models.ImageList.digest, [listed.digest for listed in fresh])
    entries = [(ids[listed.digest], *entry) for listed in fresh for entry in listed.entries]
    run_many(database, upserts.TASK_IMAGES.sql(database.param), entries)
    return ids


def _ids(database: Database, model: type[Model], column: Any, values: Iterable[str], *where: Any) -> dict[str, int]:  # noqa: ANN401 - peewee's fields
    wanted, found = list(values), dict[str, int]()
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        query = model.select(column, model.id).where(column.in_(wanted[start : start + _ASKED_AT_ONCE]), *where)  # type: ignore[attr-defined]  # every table here has one
        found.update(query.tuples().execute(database))
    return found


def _write_metrics(database: Database, rows: Rows) -> None:
    counters = [(key.name, key.minute, key.label, rows.node, value) for key, value in rows.counters.items()]
    run_many(database, upserts.COUNTERS.sql(database.param), counters)
    run_many(database, upserts.TOTALS.sql(database.param), _totals(rows))
    gauges = [(key.name, key.minute, key.label, rows.node, *reversed(told)) for key, told in rows.gauges.items()]
    run_many(database, upserts.GAUGES.sql(database.param), gauges)


def _totals(rows: Rows) -> list[tuple[str, str, str, float, int, int]]:
    """Add up over the minutes of a batch: one row for each counter, in the order of the keys."""
    found: dict[tuple[str, str], tuple[float, int, int]] = {}
    for key, value in rows.counters.items():
        sum_, first, last = found.get((key.name, key.label), (0.0, key.minute, key.minute))
        found[key.name, key.label] = (sum_ + value, min(first, key.minute), max(last, key.minute))
    return [(rows.node, *names, *found[names]) for names in sorted(found)]


def _with_series(row: ImageRow, series: Mapping[str, int]) -> ImageRow:
    row.series = series[row.series] if isinstance(row.series, str) else row.series
    return row


def _with_keys(row: TaskRow, series: Mapping[str, int], lists: Mapping[str, int]) -> TaskRow:
    return replace(
        row,
        series=series[row.series] if isinstance(row.series, str) else row.series,
        image_list=lists[row.image_list] if isinstance(row.image_list, str) else row.image_list,
        delivered_list=lists[row.delivered_list] if isinstance(row.delivered_list, str) else row.delivered_list,
    )


def _upsert(database: Database, upsert: Upsert, rows: Iterable[object]) -> None:
    values = attrgetter(*(_ATTRIBUTES.get(column, column) for column in upsert.columns))
    run_many(database, upsert.sql(database.param), map(values, rows))


def _insert(database: Database, table: str, columns: Sequence[str]) -> str:
    # No "on conflict": that a new event is known after all must undo the batch, or its counters would count twice.
    parameters = ", ".join([database.param] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({parameters})"  # noqa: S608 - names of this module only
