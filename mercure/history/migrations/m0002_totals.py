"""What each counter has come to in all, so that it can be told without adding up years of minutes. Frozen."""

from __future__ import annotations

from typing import Final

from peewee import Database

from mercure.history.database import is_sqlite, run_sql

_WORDS: Final = {
    True: {"text": "TEXT", "clustered": "WITHOUT ROWID"},
    False: {"text": 'TEXT COLLATE "C"', "clustered": ""},
}

_STATEMENTS: Final = (
    """CREATE TABLE totals (
        node {text} NOT NULL,
        name {text} NOT NULL,
        label {text} NOT NULL,
        value DOUBLE PRECISION NOT NULL,
        first BIGINT NOT NULL,
        last BIGINT NOT NULL,
        PRIMARY KEY (node, name, label)
    ) {clustered}""",
    """INSERT INTO totals (node, name, label, value, first, last)
        SELECT node, name, label, SUM(value), MIN(minute), MAX(minute) FROM metrics_minute
        WHERE gauge_order IS NULL GROUP BY node, name, label""",
)


def apply(database: Database) -> None:
    """Make the table, and fill it with what the minutes still know."""
    words = _WORDS[is_sqlite(database)]
    for statement in _STATEMENTS:
        run_sql(database, statement.format(**words))
