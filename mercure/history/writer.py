"""Writing a batch of rows, within the transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from peewee import Database, Model

from mercure.history.database import run_many
from mercure.history.merge import Row, table_of
from mercure.history.models import (
    AssociationRow,
    AttemptRow,
    AuditRow,
    EventRow,
    IdentifierRow,
    ImageListRow,
    ImageRow,
    MetricsMinuteRow,
    NodeRow,
    OutboxPositionRow,
    SeriesRow,
    SeriesTagRow,
    TaskImageRow,
    TaskRow,
    TotalRow,
)
from mercure.history.rows import ListedImages, Rows
from mercure.history.series_tags import ensure_tables, has_tables, tag_rows
from mercure.history.trait_bounds import keep_within_bounds

_Ids = Mapping[type[Model], Mapping[str, int]]
"""The ids of series by folder, and of lists by digest."""
_ASKED_AT_ONCE: Final = 500


def known_events(database: Database, ids: Sequence[str]) -> set[str]:
    """Return which of these events are in the history."""
    return _matching(database, EventRow.id, ids)


def known_images(database: Database, ids: Sequence[str]) -> set[str]:
    """Return which of these images are known as received."""
    return _matching(database, ImageRow.id, ids, ImageRow.received.is_null(False))


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
    ids: _Ids = {SeriesRow: _write_series(database, rows), ImageListRow: _write_lists(database, rows)}
    for table in (AssociationRow, ImageRow, TaskRow, AttemptRow, EventRow, AuditRow):
        _write(database, table, _with_ids(table, rows.of[table], ids))
    if rows.of[SeriesTagRow]:
        _write_tags(database, _with_ids(SeriesTagRow, rows.of[SeriesTagRow], ids))
    _write_metrics(database, rows)
    if rows.newest_event:
        _write(database, NodeRow, [{"node": rows.node, "newest_event": rows.newest_event, "recorded": recorded}])


def write_tags(database: Database, node: str, tags: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Add tags of series, by folder, that the history knows; inside a transaction."""
    ids = _ids(database, SeriesRow.folder, tags, SeriesRow.node == node)
    _write_tags(database, (row for folder, key in ids.items() for row in tag_rows(key, tags[folder])))


def write_positions(database: Database, node: str, positions: Mapping[str, int]) -> None:
    """Note up to where files are recorded."""
    values = [{"node": node, "file": file, "position": position} for file, position in positions.items()]
    _write(database, OutboxPositionRow, values)


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
    _write(database, SeriesRow, rows.series.values())
    ids = _ids(database, SeriesRow.folder, rows.series, SeriesRow.node == rows.node)
    found = sorted((value, kind, ids[folder]) for value, kind, folder in rows.identifiers)
    _write(database, IdentifierRow, ({"folded": value, "kind": kind, "series": key} for value, kind, key in found))
    return ids


def _write_lists(database: Database, rows: Rows) -> dict[str, int]:
    # In the order of their digests: two nodes that write the same lists do not wait for each other in a circle.
    lists = [rows.lists[digest] for digest in sorted(rows.lists)]
    known = _ids(database, ImageListRow.digest, rows.lists)
    fresh = [listed for listed in lists if listed.digest not in known]
    _write(
        database,
        ImageListRow,
        [{"digest": listed.digest, "images": len(listed.entries), "bytes": listed.bytes} for listed in fresh],
    )
    ids = known | _ids(database, ImageListRow.digest, [listed.digest for listed in fresh])
    _write(database, TaskImageRow, (row for listed in fresh for row in _entries(listed, ids[listed.digest])))
    return ids


def _entries(listed: ListedImages, key: int) -> Iterable[Row]:
    for file, image, sop, size in listed.entries:
        yield {"list": key, "file": file, "image": image, "sop": sop, "bytes": size}


def _ids(database: Database, column: Any, values: Iterable[str], *where: Any) -> dict[str, int]:  # noqa: ANN401 - peewee's fields
    wanted, found = list(values), dict[str, int]()
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        query = column.model.select(column, column.model.id)
        query = query.where(column.in_(wanted[start : start + _ASKED_AT_ONCE]), *where)
        found.update(query.tuples().execute(database))
    return found


def _write_metrics(database: Database, rows: Rows) -> None:
    keep_within_bounds(database, rows)
    counters = [
        {"node": rows.node, "name": name, "minute": minute, "label": label, "value": value}
        for (name, minute, label), value in rows.counters.items()
    ]
    _write(database, MetricsMinuteRow, counters)
    _write(database, TotalRow, [*_totals(counters), *_traits(rows)])
    _write(database, MetricsMinuteRow, rows.of[MetricsMinuteRow])


def _totals(counters: Iterable[Row]) -> list[Row]:
    """Add up over the minutes of a batch: one row for each counter, in the order of the keys."""
    found: dict[tuple[str, str], Row] = {}
    for counter in counters:
        name, label, minute = counter["name"], counter["label"], counter["minute"]
        row = {"node": counter["node"], "name": name, "label": label, "value": counter["value"]}
        row |= {"first": minute, "last": minute}
        there = found.get((name, label))
        found[name, label] = row if there is None else table_of(TotalRow).merge(there, row)
    return [found[key] for key in sorted(found)]


def _traits(rows: Rows) -> Iterable[Row]:
    for (name, label), (value, first, last) in sorted(rows.traits.items()):
        yield {"node": rows.node, "name": name, "label": label, "value": value, "first": first, "last": last}


def _write_tags(database: Database, rows: Iterable[Row]) -> None:
    if not has_tables(database):
        ensure_tables(database)
    _write(database, SeriesTagRow, rows)


def _with_ids(model: type[Model], rows: Iterable[dict[str, Any]], ids: _Ids) -> Iterable[Row]:
    """Put the ids of series and lists where their folders and digests were."""
    references = table_of(model).references
    for row in rows:
        for name, to in references.items():
            if row.get(name) is not None:
                row[name] = ids[to][row[name]]
        yield row


def _write(database: Database, model: type[Model], rows: Iterable[Row]) -> None:
    table = table_of(model)
    run_many(database, table.statement(database.param), map(table.values, rows))
